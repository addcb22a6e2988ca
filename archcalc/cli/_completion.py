"""Shell completion of networks, layers, files and keywords.

Every command imports it; the lists are imported only when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

import click
from click.shell_completion import CompletionItem


def _items(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


class File(click.types.StringParamType):
    """A file of any name, which the shell itself completes; or a folder."""

    def __init__(self, kind: str = "file") -> None:
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the completions of an incomplete word."""
        return [CompletionItem(incomplete, type=self.kind)]


class NetworkParam(click.types.StringParamType):
    """A bundled name, or a file with a network."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return bundled names, specs and folders that begin so; without a bundled name, any file."""
        from archcalc.language.library import SUFFIXES, bundled

        found = _items(bundled(), incomplete)
        if not found:
            return File().shell_complete(ctx, param, incomplete)
        here = sorted(Path().iterdir())
        folders = [f"{path.name}/" for path in here if path.is_dir()]
        return found + _items(
            [*folders, *(path.name for path in here if path.suffix in (*SUFFIXES, ".onnx"))], incomplete
        )


class LayerParam(click.types.StringParamType):
    """A layer of the network that is named before it."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the network's layers that begin so; none if it has errors, which the command itself reports."""
        from archcalc.errors import SpecError
        from archcalc.language.library import find

        try:  # a spec only: nothing is run or imported to complete a word
            spec, variant = find(ctx.params.get("network") or "")
            network = spec.network(variant, {}, None)
        except SpecError:
            return []
        return _items([layer.name for layer in network], incomplete)


class OneOf(click.types.StringParamType):
    """A word of a list that is looked up when it is asked for."""

    def __init__(self, words: Callable[[], Iterable[str]]) -> None:
        self.words = words

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the words that begin so."""
        return _items(self.words(), incomplete)


class OneOfOrFile(OneOf):
    """A word of a list, or a file."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the words that begin so; without one, any file."""
        found = super().shell_complete(ctx, param, incomplete)
        return found or File().shell_complete(ctx, param, incomplete)


class Several(OneOf):
    """Words of a list, with commas between them."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the completions of the word after the last comma, with the words before it."""
        before, comma, _ = incomplete.rpartition(",")
        taken = before.split(",")
        return _items([before + comma + word for word in self.words() if word not in taken], incomplete)


def _named(module: str, name: str) -> Callable[[], Iterable[str]]:
    """Return the words, or keys, that a module of archcalc has under a name."""

    def words() -> Iterable[str]:
        found: Iterable[str] = getattr(import_module(f"archcalc.{module}"), name)
        return found

    return words


def _operators() -> Iterable[str]:
    from archcalc.ops import registry

    return registry()


def _topics() -> Iterable[str]:
    from archcalc.homework.quiz import topic_names

    return topic_names()


def _profiles() -> Iterable[str]:
    from archcalc.runtime.device_profile import profile_names

    return profile_names()


_FORMULAS = Several(_named("quantities.table", "FORMULAS"))
COMPLETED: dict[str, click.types.StringParamType] = {
    "network": NetworkParam(),
    "networks": NetworkParam(),
    "words": NetworkParam(),
    "layer": LayerParam(),
    "names": OneOf(_operators),
    "convention": OneOf(_named("analysis.conventions", "CONVENTIONS")),
    "dtype": OneOf(_named("analysis.counting", "ITEM_SIZES")),
    "mode": OneOf(_named("memory.summary", "MODES")),
    "optimizer": OneOf(_named("memory.training", "OPTIMIZERS")),
    "device": OneOf(lambda: ("cpu", "cuda", "mps")),
    "tolerance": OneOf(lambda: ("digits", "cut", "exact")),
    "columns": Several(_named("quantities.table", "COLUMNS")),
    "quantity": Several(_named("symbolic.derivations", "DERIVED")),
    "metric": Several(_named("quantities.table", "COSTS")),
    "heat": OneOf(_named("quantities.table", "HEAT")),
    "ask": Several(_named("homework.questions", "QUESTIONS")),
    "topic": Several(_topics),
    "of": _FORMULAS,
    "pareto": _FORMULAS,
    "best": _FORMULAS,
    "sort": _FORMULAS,
    "output": File(),
    "chart": File(),
    "draw": File(),
    "summary": File(),
    "gradescope": File(),
    "file": File(),
    "files": File(),
    "answers": File(),
    "reference": OneOfOrFile(_profiles),
    "autograder": File("dir"),
}
"""The completion of each parameter, by its name."""
