"""Options that several commands share, and the objects that they are made into."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from archcalc.arithmetic import Shape
from archcalc.cli._completion import RUNNABLE_DTYPE
from archcalc.cli._formats import Run
from archcalc.errors import SpecError, UserError
from archcalc.network import Network
from archcalc.structs import Struct, replace
from archcalc.words import is_digits, quote

if TYPE_CHECKING:
    from archcalc.analysis import Analysis, Counting
    from archcalc.changes.changes import Changes
    from archcalc.imports.inputs import GivenInputs
    from archcalc.imports.references import Source
    from archcalc.language.family import Family
    from archcalc.language.language import Spec
    from archcalc.language.source import SpecDocument

F = TypeVar("F", bound=Callable[..., Any])

JOIN = "Join layers deeper than N names into their group."
"""The help of `--depth` for tables."""


class Opener(Struct):
    """Opens networks, with the values of the options that change them before they are computed, and of `--no-cache`."""

    settings: tuple[str, ...]
    inputs: tuple[str, ...]
    changes: Mapping[str, Any]
    """The fields of `archcalc.changes.changes.Changes` that are set."""
    no_cache: bool

    def open(self, reference: str) -> Network:
        """Return the network of a bundled name, a file, FILE#VARIANT, or one that is imported."""
        network = self._open(reference)
        return self.parsed_changes().apply(network) if self.changes else network

    def written(self, reference: str) -> SpecDocument | None:
        """Return the spec that `archcalc import` writes of an imported network; None for a reference to a spec."""
        from archcalc.imports.references import parse_source
        from archcalc.language.source import SpecDocument
        from archcalc.render.folding import folded_spec

        source = parse_source(reference)
        return None if source is None else SpecDocument(folded_spec(self._open_imported(source)), reference)

    def import_line(self, reference: str) -> str:
        """Return the command that writes an imported network as a spec."""
        return shlex.join(["archcalc", "import", reference, *self.words(), "-o", "net.yaml"])

    def at_tokens(self, reference: str) -> Callable[[int], Network]:
        """Return a function that opens the network for a number of tokens.

        Raises `UserError` unless its only input is tokens.
        """
        first = self.open(reference)
        if len(first.inputs) != 1 or first.indices != frozenset(first.inputs):
            raise UserError(f"generation needs a network whose only input is tokens, got {reference}")
        name = next(iter(first.inputs))
        return lambda tokens: replace(self, inputs=(f"{name}={tokens}",)).open(reference)

    def words(self) -> list[str]:
        """Return the options as a command line has them."""
        return option_words({"set": self.settings, "input": self.inputs, **self.changes})

    def parsed_changes(self) -> Changes:
        """Return the changes of `--freeze` and the like."""
        from archcalc.changes.changes import Changes

        return Changes(**self.changes)

    def _open(self, reference: str) -> Network:
        from archcalc.imports.references import parse_source

        source = parse_source(reference)
        if source is not None:
            return self._open_imported(source)
        from archcalc.language.library import find

        return self.of_spec(*find(reference))

    def of_spec(self, spec: Spec, variant: str | None) -> Network:
        """Return the network of a spec, with `--input` and `--set`."""
        from archcalc.language.language import blamed

        values, shapes = self._values(spec), self.input_shapes()
        try:
            return spec.network(variant, values, shapes)
        except SpecError as error:
            raise blamed(error, replace(self, changes={}).words(), lambda: spec.network(variant)) from None

    def _open_imported(self, source: Source, given: GivenInputs | None = None) -> Network:
        """Import a network, for the inputs of `--input` or for others."""
        from archcalc.cli._streams import remark
        from archcalc.cli._waiting import waiting
        from archcalc.imports.cache import Cache, cache_folder
        from archcalc.imports.opening import Opening, refuse_settings

        refuse_settings(source.text, self.settings)
        given = self.given_inputs() if given is None else given
        cache = Cache(None if self.no_cache else cache_folder())
        with waiting(f"reading {source.text}"):
            return Opening(cache, lambda script: remark(f"running {script.path}")).open(source, given)

    def open_family(self, reference: str, lets: tuple[str, ...]) -> Family:
        """Return a spec with ``lets`` left open, or the networks of an inline spec; changed as `open` does."""
        family = self._open_family(reference, lets)
        if not self.changes:
            return family
        from archcalc.changes.changes import ChangedFamily

        return ChangedFamily(family, self.parsed_changes())

    def _open_family(self, reference: str, lets: tuple[str, ...]) -> Family:
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
            given = self.given_inputs()
            return imported_family(network, left_open, lambda other: self._open_imported(source, other), given)
        spec, variant = find(reference)
        return SpecFamily(spec, variant, self._values(spec), self.input_shapes(), left_open)

    def input_shapes(self) -> dict[str, Shape] | None:
        """Return the shape of each input of a spec that is set, per sample; None if there is none."""
        if not self.inputs:
            return None
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
            if not 1 <= len(parts) <= 4 or not all(is_digits(part, 19) and int(part) for part in parts):
                raise SpecError(f"--input takes C,H,W with integers above 0, got {quote(text)}")
            given.append(GivenInput(name.strip(), tuple(map(int, parts))))
        return tuple(given)

    def _values(self, spec: Spec) -> dict[str, Any]:
        from archcalc.language.language import parse_setting

        return dict(parse_setting(text, spec) for text in self.settings)


class CountingOpener(Opener):
    """Opens networks, and counts them as the options say."""

    counting: Counting

    def analyze(self, reference: str) -> Analysis:
        """Return the analysis of the network that `open` returns."""
        from archcalc.analysis import analyze

        return analyze(self.open(reference), self.counting)


CHANGES = ("freeze", "train", "lora", "on", "prune", "fold_batch_norm", "reparametrize")
"""The options that are fields of `archcalc.changes.changes.Changes`."""


_NO_CACHE = click.option("--no-cache", is_flag=True, help="Import a network anew, and do not keep it.")
_SET = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter or an open input size."
)
_INPUT = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="C,H,W",
    help="Input shape without the batch; NAME=C,H,W for one of several, tokens=N for indices.",
)


_BATCH = click.option("--batch", type=click.IntRange(min=1), default=1, metavar="N", help="Samples at once. [1]")
quantities_option = click.option(
    "--of", default="params,macs", metavar="A,B,…", help="Quantities; `--of help` lists them. [params,macs]"
)
strict_option = click.option("--strict", is_flag=True, help="Exit with 1 if the work of a layer is not known.")


def network_options(function: Run) -> Run:
    """Add `--input`, `--set` and `--no-cache`; the command receives `opener`, which opens networks."""

    @wraps(function)
    def given(
        *args: Any, settings: tuple[str, ...], inputs: tuple[str, ...], no_cache: bool, **values: Any
    ) -> int | None:
        return function(*args, opener=Opener(settings, inputs, {}, no_cache), **values)

    return with_options(given, _NO_CACHE, _SET, _INPUT)


def import_options(function: Run) -> Run:
    """Add `--input` and `--no-cache`; the command receives `opener`, which opens networks."""

    @wraps(function)
    def given(*args: Any, inputs: tuple[str, ...], no_cache: bool, **values: Any) -> int | None:
        return function(*args, opener=Opener((), inputs, {}, no_cache), **values)

    return with_options(given, _NO_CACHE, _INPUT)


def change_options(function: Run) -> Run:
    """Add `network_options`, and those that change a network for training or deployment."""

    @wraps(function)
    def given(*args: Any, opener: Opener, **values: Any) -> int | None:
        changes = {name: value for name in CHANGES if (value := values.pop(name)) not in (None, (), False)}
        return function(*args, opener=replace(opener, changes=changes), **values)

    return network_options(
        with_options(
            given,
            click.option(
                "--prune",
                multiple=True,
                metavar="LAYER=N",
                help="Let a layer keep N channels; or a file of these.",
            ),
            click.option("--reparametrize", is_flag=True, help="Join parallel convolutions (RepVGG), and fold."),
            click.option("--fold-batch-norm", is_flag=True, help="Fold batch normalization into the layer before it."),
            click.option("--on", multiple=True, metavar="PATTERN", help="The layers that --lora adapts."),
            click.option(
                "--lora",
                type=click.IntRange(1, 1_000_000),
                metavar="RANK",
                help="Train adapters of this rank, all else frozen.",
            ),
            click.option("--train", multiple=True, metavar="PATTERN", help="Train these layers only, such as fc."),
            click.option("--freeze", multiple=True, metavar="PATTERN", help='Freeze layers: layer1, "*.bn*".'),
        )
    )


def counting_options(function: Run) -> Run:
    """Add `--batch`, `--dtype`, `--precision` and `--convention`; the command's `opener` is a `CountingOpener`."""
    from archcalc.analysis.conventions import CONVENTIONS

    @wraps(function)
    def given(*args: Any, convention: str, opener: CountingOpener, **values: Any) -> int | None:
        counting = replace(opener.counting, convention=convention)
        return function(*args, opener=replace(opener, counting=counting), **values)

    return with_options(
        size_options(given),
        click.option(
            "--convention",
            default="lecture",
            metavar="NAME",
            help=f"Counting convention: {', '.join(CONVENTIONS)}. [lecture]",
        ),
    )


def size_options(function: Run) -> Run:
    """Add `--batch`, `--dtype` and `--precision`; the `opener` is a `CountingOpener`, in the lecture's convention."""

    @wraps(function)
    def given(
        *args: Any, opener: Opener, batch: int, dtype: str, precision: str | None, sparsity: str | None, **values: Any
    ) -> int | None:
        from archcalc.analysis import Counting
        from archcalc.analysis.precision import Precision, parse_precision
        from archcalc.analysis.sparsity import parse_sparsity

        types = parse_precision(precision, dtype) if precision is not None else None
        if sparsity is not None:
            types = types or Precision.all(dtype)
            types = replace(types, sparsity=parse_sparsity(sparsity), name=f"{types.name}, sparsity {sparsity}")
        counting = Counting(batch, dtype, precision=types)
        counted = CountingOpener(opener.settings, opener.inputs, opener.changes, opener.no_cache, counting)
        return function(*args, opener=counted, **values)

    return with_options(
        given,
        click.option("--sparsity", metavar="2:4|SHARE", help="Zeros among weights that are not stored or multiplied."),
        click.option(
            "--precision",
            metavar="P",
            help="Types by role: a recipe (autocast-bfloat16, mixed-bfloat16, w4a16, …) or weights=int8,state=float32.",
        ),
        click.option("--dtype", default="float32", metavar="TYPE", help="Type of every number. [float32]"),
        _BATCH,
    )


def with_options(function: F, *options: Callable[[F], F]) -> F:
    """Add options to a command, the last one first in its help."""
    for option in options:
        function = option(function)
    return function


def option_words(values: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line; those that are None, False or empty are left out."""
    words: list[str] = []
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value:
            words += [
                word for each in (value if isinstance(value, tuple) else (value,)) for word in (option, str(each))
            ]
    return words


def refuse_alone(needed: str, *names: str) -> None:
    """Raise a usage error if one of some options is given without the option that it needs."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} needs {needed}")


def lower_bounds(analyses: Iterable[Analysis]) -> list[str]:
    """Return, for each network with layers whose work is not known, a remark that names some."""
    from archcalc.render.table import few

    return [
        f"{analysis.network.name}: MACs and FLOPs are lower bounds, the work of these layers is not known: "
        f"{few(analysis.unknown_work)}"
        for analysis in analyses
        if analysis.unknown_work
    ]


def running_options(types: str) -> Callable[[Run], Run]:
    """Add NETWORKs, `change_options`, `--device` and `--dtype` to a command that runs them; ``types`` is help."""

    def decorate(function: Run) -> Run:
        help_ = f"{types} [float32]"
        return with_options(
            function,
            click.option("--dtype", type=RUNNABLE_DTYPE, default="float32", metavar="TYPE", help=help_),
            click.option("--device", metavar="NAME", help="cuda, mps or cpu. [the best available]"),
            change_options,
            click.argument("networks", nargs=-1, metavar="[NETWORK]…"),
        )

    return decorate


def depth_option(meaning: str) -> Callable[[F], F]:
    """Add `--depth`, with ``meaning`` as its help."""
    return click.option("--depth", type=click.IntRange(min=1), metavar="N", help=meaning)


def file_name(name: str) -> str:
    """Return a network's name as a file name without folders."""
    return re.sub(r"[^\w.-]", "_", name).lstrip(".")[:80] or "network"
