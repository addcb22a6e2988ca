"""What a shell completes: networks, their layers, ways of counting. Imported only by what is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem


def _items(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


class Network(click.types.StringParamType):
    """A bundled name, or a spec's file."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Bundled names and specs in this folder that begin so; where there is none, the shell's own files."""
        from archcalc.spec.library import SUFFIXES, bundled

        here = sorted(path.name for path in Path().iterdir() if path.suffix in SUFFIXES)
        return _items([*bundled(), *here], incomplete) or [CompletionItem(incomplete, type="file")]


class Layer(click.types.StringParamType):
    """A layer of the network that is named before it."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The network's layers that begin so; none where it has mistakes, which the command itself will say."""
        from archcalc.spec.errors import SpecError
        from archcalc.spec.library import load

        try:
            network = load(ctx.params.get("network") or "")
        except SpecError:
            return []
        return _items([layer.name for layer in network], incomplete)


class Convention(click.types.StringParamType):
    """A way of counting."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The conventions that begin so."""
        from archcalc.analysis.conventions import CONVENTIONS

        return _items(CONVENTIONS, incomplete)


class DataType(click.types.StringParamType):
    """The type of every number."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The types that begin so."""
        from archcalc.analysis.costs import ITEM_SIZES

        return _items(ITEM_SIZES, incomplete)


COMPLETED: dict[str, click.types.StringParamType] = {
    "network": Network(),
    "networks": Network(),
    "layer": Layer(),
    "convention": Convention(),
    "dtype": DataType(),
}
"""What every command calls a parameter, and what completes it."""
