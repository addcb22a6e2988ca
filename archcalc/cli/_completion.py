"""Shell completion of networks, layers, files and keywords.

Every command imports it; the lists are imported only when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli._choices import OneOf, Several, items, quantities, with_meaning
from archcalc.dtypes import OTHER_NAMES, RUNNABLE

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class File(click.types.StringParamType):
    """A file of any name, which the shell itself completes; or a folder."""

    def __init__(self, kind: str = "file") -> None:
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type=self.kind)]


class NetworkParam(click.types.StringParamType):
    """A bundled name, or a file with a network."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return bundled names, specs and folders that begin so; without a bundled name, any file."""
        from archcalc.language.library import SUFFIXES, bundled

        found = items(bundled(), incomplete)
        if not found:
            return File().shell_complete(ctx, param, incomplete)
        from pathlib import Path

        here = sorted(Path().iterdir())
        folders = [f"{path.name}/" for path in here if path.is_dir()]
        return found + items(
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
        return items([layer.name for layer in network], incomplete)


class OneOfOrFile(OneOf):
    """A word of a list, or a file."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the words that begin so; without one, any file."""
        found = super().shell_complete(ctx, param, incomplete)
        return found or File().shell_complete(ctx, param, incomplete)


def named(module: str, name: str) -> Callable[[], Any]:
    """Return the words, or keys, that a module of archcalc has under a name, or that a function of it returns."""

    def words() -> Any:
        found = getattr(import_module(f"archcalc.{module}"), name)
        return found() if callable(found) else found

    return words


def _explained() -> Iterable[str]:
    from archcalc.quantities.table import QUANTITIES
    from archcalc.symbolic.derivations import DERIVED
    from archcalc.symbolic.network_derivations import OF_NETWORK

    return {key: QUANTITIES[key] for key in (*DERIVED, *OF_NETWORK)}


_FORMULAS = Several(named("quantities.table", "FORMULAS"), listed=quantities)
RUNNABLE_DTYPE = OneOf(lambda: RUNNABLE, OTHER_NAMES)
"""A type in which a network can run, for the commands that run one."""
COMPLETED: dict[str, click.types.StringParamType] = {
    "network": NetworkParam(),
    "networks": NetworkParam(),
    "words": NetworkParam(),
    "layer": LayerParam(),
    "names": OneOf(named("ops", "registry")),
    "convention": OneOf(named("analysis.conventions", "CONVENTIONS"), listed=with_meaning("says")),
    "dtype": OneOf(named("dtypes", "BITS"), OTHER_NAMES),
    "mode": OneOf(named("memory.summary", "MODES")),
    "precision": OneOf(named("analysis.precision", "RECIPES"), listed=with_meaning("says")),
    "fused": OneOf(named("memory.fusion", "FUSIONS"), listed=with_meaning("says")),
    "optimizer": OneOf(named("memory.optimizers", "OPTIMIZERS"), listed=with_meaning("stores")),
    "device": OneOf(lambda: ("cpu", "cuda", "mps")),
    "tolerance": OneOf(lambda: ("digits", "cut", "exact")),
    "columns": Several(named("quantities.table", "COLUMNS"), listed=quantities),
    "quantity": Several(_explained, listed=quantities),
    "metric": Several(named("quantities.table", "COSTS"), listed=quantities),
    "heat": OneOf(named("quantities.table", "HEAT"), listed=quantities),
    "ask": Several(named("homework.questions", "QUESTIONS"), listed=quantities),
    "topic": Several(named("homework.exercises.quiz", "topic_names")),
    "page": OneOf(named("render.figures.look", "PAGES")),
    "labels": Several(named("render.drawing.labels", "LABELS")),
    "hide": Several(named("render.drawing.colors", "FILLS")),
    **dict.fromkeys(("of", "pareto", "best", "sort"), _FORMULAS),
    **dict.fromkeys(("output", "file", "files", "answers", "chart", "draw"), File()),
    **dict.fromkeys(("summary", "report", "canvas", "moodle", "gradescope"), File()),
    "reference": OneOfOrFile(named("runtime.device_profile", "profile_names")),
    "autograder": File("dir"),
}
"""The completion of each parameter, by its name."""
