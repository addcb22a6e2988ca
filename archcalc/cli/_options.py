"""Options that several commands share, and the objects that they are made into."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archcalc.arithmetic import Shape
from archcalc.errors import SpecError
from archcalc.network import Network
from archcalc.words import quote

if TYPE_CHECKING:
    from archcalc.analysis import Analysis
    from archcalc.imports.inputs import GivenInputs
    from archcalc.imports.references import Source
    from archcalc.language.family import Family
    from archcalc.language.language import Spec

F = TypeVar("F", bound=Callable[..., Any])

JOIN = "Join layers deeper than N names into their group."
"""The help of `--depth` for tables."""


@dataclass(frozen=True)
class Overrides:
    """The values of `--set` and `--input`, which change a network before it is computed, and of `--no-cache`."""

    settings: tuple[str, ...]
    inputs: tuple[str, ...]
    no_cache: bool = False

    def open(self, reference: str) -> Network:
        """Return the network of a bundled name, a file, FILE#VARIANT, or one that is imported."""
        from archcalc.imports.references import parse_source

        source = parse_source(reference)
        if source is not None:
            return self._open_imported(source)
        from archcalc.language.library import find

        spec, variant = find(reference)
        return spec.network(variant, self._values(spec), self.input_shapes())

    def _open_imported(self, source: Source, given: GivenInputs | None = None) -> Network:
        """Import a network, for the inputs of `--input` or for others."""
        from archcalc.cli._streams import remark, waiting
        from archcalc.imports.cache import Cache, cache_folder
        from archcalc.imports.opening import Opening, refuse_settings

        refuse_settings(source.text, self.settings)
        given = self.given_inputs() if given is None else given
        cache = Cache(None if self.no_cache else cache_folder())
        with waiting(f"reading {source.text}"):
            return Opening(cache, lambda script: remark(f"running {script.path}")).open(source, given)

    def open_family(self, reference: str, lets: tuple[str, ...]) -> Family:
        """Return a spec with ``lets`` left open, or the networks of an inline spec."""
        from archcalc.imports.references import parse_source
        from archcalc.language.family import InlineSpec, SpecFamily, is_inline_spec
        from archcalc.language.library import find

        if is_inline_spec(reference):
            if lets or self.settings or self.inputs:
                raise SpecError("an inline spec has its numbers in its text; leave out --let, --set and --input")
            return InlineSpec(reference)
        parts = [let.partition("=") for let in lets]
        for name, equals, text in parts:
            if not equals or not name.strip() or not text.strip():
                raise SpecError(f"--let takes NAME=EXPRESSION, got {quote(name + equals + text)}")
        left_open = {name.strip(): text.strip() for name, _, text in parts}
        source = parse_source(reference)
        if source is not None:
            from archcalc.imports.resizing import imported_family

            network = self._open_imported(source)
            return imported_family(network, left_open, lambda given: self._open_imported(source, given))
        spec, variant = find(reference)
        return SpecFamily(spec, variant, self._values(spec), self.input_shapes(), left_open)

    def input_shapes(self) -> dict[str, Shape] | None:
        """Return the shape of each input of a spec that is set, per sample; None if there is none."""
        from archcalc.imports.inputs import shapes_of

        return shapes_of(self.given_inputs())

    def given_inputs(self) -> GivenInputs:
        """Return the shape of each input that is set, per sample, in order.

            input = [NAME "="] SIZE {("," | "x" | "×") SIZE}

        SIZE is an integer above 0; there are one to four.
        """
        from archcalc.imports.inputs import GivenInput

        given = []
        for text in self.inputs:
            name, _, sizes = text.rpartition("=")
            parts = [part.strip() for part in sizes.replace("x", ",").replace("×", ",").split(",")]
            if not 1 <= len(parts) <= 4 or not all(
                part.isascii() and part.isdigit() and len(part) < 20 and int(part) > 0 for part in parts
            ):
                raise SpecError(f"--input takes C,H,W with integers above 0, got {quote(text)}")
            given.append(GivenInput(name.strip(), tuple(map(int, parts))))
        return tuple(given)

    def _values(self, spec: Spec) -> dict[str, Any]:
        from archcalc.language.language import parse_setting

        return dict(parse_setting(text, spec) for text in self.settings)


def network_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--input`, `--set` and `--no-cache`; the command receives `overrides`, which opens networks."""

    @wraps(function)
    def given(*args: Any, settings: tuple[str, ...], inputs: tuple[str, ...], no_cache: bool, **values: Any) -> None:
        function(*args, overrides=Overrides(settings, inputs, no_cache), **values)

    return with_options(
        given,
        click.option("--no-cache", is_flag=True, help="Import a network anew, and do not keep it."),
        click.option(
            "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter or an open input size."
        ),
        click.option(
            "--input",
            "inputs",
            multiple=True,
            metavar="C,H,W",
            help="Input shape without the batch; NAME=C,H,W for one of several, tokens=N for indices.",
        ),
    )


def counting_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--batch`, `--dtype` and `--convention`; the command receives `counting`."""
    from archcalc.analysis.conventions import CONVENTIONS

    @wraps(function)
    def given(*args: Any, batch: int, dtype: str, convention: str, **values: Any) -> None:
        from archcalc.analysis import Counting

        function(*args, counting=Counting(batch, dtype, convention), **values)

    return with_options(
        given,
        click.option(
            "--convention",
            default="lecture",
            metavar="NAME",
            help=f"Counting convention: {', '.join(CONVENTIONS)}. [lecture]",
        ),
        click.option("--dtype", default="float32", metavar="TYPE", help="Type of every number, for memory. [float32]"),
        batch_option,
    )


def with_options(function: F, *options: Callable[[F], F]) -> F:
    """Add options to a command, the last one first in its help."""
    for option in options:
        function = option(function)
    return function


def batch_option(function: F) -> F:
    """Add `--batch`."""
    return click.option("--batch", type=click.IntRange(min=1), default=1, metavar="N", help="Samples at once. [1]")(
        function
    )


def strict_option(function: F) -> F:
    """Add `--strict`."""
    return click.option("--strict", is_flag=True, help="Exit with 1 if the work of a layer is not known.")(function)


def lower_bounds(analyses: Iterable[Analysis]) -> list[str]:
    """Return, for each network with layers whose work is not known, a remark that names some."""
    from archcalc.render.table import few

    return [
        f"{analysis.network.name}: MACs and FLOPs are lower bounds, the work of these layers is not known: "
        f"{few(analysis.unknown_work)}"
        for analysis in analyses
        if analysis.unknown_work
    ]


def quantities_option(function: F) -> F:
    """Add `--of`."""
    return click.option(
        "--of", "of", default="params,macs", metavar="A,B,…", help="Quantities; `--of help` lists them. [params,macs]"
    )(function)


def device_option(function: F) -> F:
    """Add `--device`."""
    return click.option("--device", metavar="NAME", help="cuda, mps or cpu. [the best available]")(function)


def depth_option(meaning: str) -> Callable[[F], F]:
    """Add `--depth`, with ``meaning`` as its help."""
    return click.option("--depth", type=click.IntRange(min=1), metavar="N", help=meaning)


def file_name(name: str) -> str:
    """Return a network's name as a file name without folders."""
    return (
        "".join(character if character.isalnum() or character in "-_." else "_" for character in name).lstrip(".")[:80]
        or "network"
    )
