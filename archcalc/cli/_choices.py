"""Options whose value is a word of a list: other spellings of it, its completion, and `help`, which prints the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from archcalc.words import as_written, nearest_or_all, quote

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HELP = "help"


def items(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the words that begin so, for a shell."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def one_per_line(words: Iterable[str]) -> str:
    """Return the list of words without meanings."""
    return "".join(f"{word}\n" for word in words)


def with_meaning(attribute: str) -> Callable[[Any], str]:
    """Return a function that lists the words of a mapping, each with its value's ``attribute``."""

    def listed(words: Mapping[str, Any]) -> str:
        width = max(map(len, words))
        return "".join(f"{word:{width}}  {getattr(value, attribute)}\n" for word, value in words.items())

    return listed


def quantities(words: Mapping[str, Any]) -> str:
    """Return a line for each quantity: its key, its heading, and its definition."""
    shown = [getattr(value, "quantity", value) for value in words.values()]
    keys, headings = (max(map(len, texts)) for texts in (words, [quantity.headed() for quantity in shown]))
    return "".join(f"{quantity.key:{keys}}  {quantity.headed():{headings}}  {quantity.means}\n" for quantity in shown)


def list_if_asked(
    value: Any, param: click.Parameter | None, ctx: click.Context | None, text: Callable[[], str]
) -> None:
    """Print the list and end the command if an option's value is `help`, as `--help` does."""
    if value == HELP and isinstance(param, click.Option) and not (ctx is not None and ctx.resilient_parsing):
        from archcalc.cli._streams import write

        write(text(), None)
        raise click.exceptions.Exit(0)


class OneOf(click.types.StringParamType):
    """A word of a list that is looked up when it is asked for."""

    def __init__(
        self,
        words: Callable[[], Iterable[str]],
        others: Mapping[str, str] = MappingProxyType({}),
        listed: Callable[[Any], str] = one_per_line,
    ) -> None:
        self.words = words
        self.others = others
        self.listed = listed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word that is meant by another spelling: `AdamW`, `fp16`; an unknown one as it is."""
        list_if_asked(value, param, ctx, lambda: self.listed(self.words()))
        return as_written(str(value), (*self.words(),), self.others)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the words that begin so."""
        return items(self.words(), incomplete)


class Several(OneOf):
    """Words of a list, with commas between them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the words that are meant by other spellings; unknown ones as they are."""
        list_if_asked(value, param, ctx, lambda: self.listed(self.words()))
        known = (*self.words(),)
        return ",".join(as_written(word, known, self.others) for word in str(value).split(","))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the completions of the word after the last comma, with the words before it."""
        before, comma, _ = incomplete.rpartition(",")
        taken = before.split(",")
        return items([before + comma + word for word in self.words() if word not in taken], incomplete)


class Chosen(click.Choice[str]):
    """A word of a list that is known at once; any other is refused here."""

    def __init__(self, choices: Iterable[str], others: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__((*choices,))
        self.others = others

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word that is meant. Raises an error for an unknown one."""
        list_if_asked(value, param, ctx, lambda: one_per_line(self.choices))
        word = as_written(str(value), self.choices, self.others)
        if word not in self.choices:
            self.fail(f"unknown value {quote(str(value))}{nearest_or_all(word, self.choices)}", param, ctx)
        return word
