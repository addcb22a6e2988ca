"""A design space: every point of a grid, or a random sample, by closed forms over arrays.

The network is traced at one point. Its closed forms are evaluated wherever the guards of that trace hold, for a whole
block of points at once. At the first point where they do not hold the network is traced again, until every point is
reached. So each number is the one that `archcalc table` prints there. A point where the network cannot be built is left
out and counted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from math import lcm, prod
from typing import Any

import numpy

from archcalc.analysis.counting import DEFAULT, Counting
from archcalc.changes.changes import UNCHANGED, Changes
from archcalc.errors import SpecError, UserError
from archcalc.imports.cache import Cache, cache_folder
from archcalc.imports.inputs import given_inputs
from archcalc.imports.opening import Opening, refuse_settings
from archcalc.imports.references import parse_source
from archcalc.imports.resizing import Resizable
from archcalc.language.expression import parse_expression
from archcalc.language.family import SpecFamily, evaluate, free_names, split_at_commas
from archcalc.language.language import Spec, blamed, parse_setting
from archcalc.language.library import find
from archcalc.language.values import ExpressionError
from archcalc.quantities.table import FORMULAS, choose
from archcalc.structs import Struct, replace
from archcalc.sweep.arrays import Array, SymbolValues
from archcalc.symbolic.formulas import measured
from archcalc.symbolic.polynomials import Polynomial, Symbol, plain
from archcalc.symbolic.traced import NEGATED, Guard, Trace, polynomial_of
from archcalc.words import did_you_mean, in_one_line, quote

POINTS_AT_ONCE = 1 << 20
BATCH = "batch"
"""The axis that is the number of samples, not a parameter."""
MOST_PATHS = 5000
"""The limit on different closed forms in one sweep."""
_COMPARISON = re.compile(r"(<=|>=|==|!=|<|>)")


class SweepAxis(Struct):
    """A swept parameter or size, with its values in order. Numbers are exact; words and lists are not traced."""

    name: str
    values: tuple[Any, ...]

    @cached_property
    def numeric(self) -> bool:
        """True if it is left open in the closed forms."""
        return all(isinstance(value, (int, Fraction)) and not isinstance(value, bool) for value in self.values)

    @cached_property
    def scale(self) -> int:
        """The factor that makes its values integers."""
        return lcm(*(Fraction(value).denominator for value in self.values))


class SweepPlan(Struct):
    """The description of a sweep; another process can compute it."""

    network: str
    axes: tuple[SweepAxis, ...]
    quantities: tuple[str, ...] = ("params", "macs")
    keep: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    inputs: Mapping[str, tuple[int, ...]] | None = None
    counting: Counting = DEFAULT
    sample: int | None = None
    """The number of random points; None for all."""
    seed: int = 0
    chunk: int = POINTS_AT_ONCE
    changes: Changes = UNCHANGED
    no_cache: bool = False
    """True to import a network that is no spec anew, and not to keep it."""

    def __post_init__(self) -> None:
        names = [axis.name for axis in self.axes]
        if not names:
            raise UserError("no parameter to vary; use --over NAME=VALUES")
        if len(set(names)) < len(names):
            raise UserError("--over has a name twice")
        choose(self.quantities, FORMULAS, "archcalc sweep --of help")

    @property
    def points(self) -> int:
        return self.sample if self.sample is not None else prod(len(axis.values) for axis in self.axes)

    def chunks(self) -> Iterator[GridChunk]:
        """Yield the points in chunks of at most ``chunk`` points."""
        words = [axis for axis in self.axes if not axis.numeric]
        numbers = [axis for axis in self.axes if axis.numeric]
        choices = list(itertools.product(*(range(len(axis.values)) for axis in words)))
        for turn, choice in enumerate(choices):
            fixed = tuple((axis.name, index) for axis, index in zip(words, choice, strict=True))
            if self.sample is not None:
                share = self.sample // len(choices) + (turn < self.sample % len(choices))
                for start in range(0, share, self.chunk):
                    yield GridChunk(fixed, (), min(self.chunk, share - start), (self.seed, turn, start))
            else:
                for ranges in _ranges([len(axis.values) for axis in numbers], self.chunk):
                    yield GridChunk(fixed, ranges)


class GridChunk(Struct):
    """A part of a grid (a range of indices per numeric axis), or so many random points."""

    fixed: tuple[tuple[str, int], ...]
    ranges: tuple[tuple[int, int], ...]
    sample: int = 0
    seed: tuple[int, ...] = ()


def _ranges(sizes: list[int], chunk: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield parts of a grid, each of at most ``chunk`` points."""
    if not sizes:
        yield ()
        return
    after = prod(sizes[1:])
    if after > chunk:
        for index in range(sizes[0]):
            for rest in _ranges(sizes[1:], chunk):
                yield ((index, index + 1), *rest)
        return
    step = max(chunk // after, 1)
    for start in range(0, sizes[0], step):
        yield ((start, min(start + step, sizes[0])), *((0, size) for size in sizes[1:]))


@dataclass
class Result:
    """The kept points of a chunk: a column for each axis and quantity, in the order of the grid."""

    columns: dict[str, Array]
    points: int
    refused: int
    """Points at which the network cannot be built."""
    message: str = ""
    """Why not, at the first of them."""

    @property
    def kept(self) -> int:
        """The number of points that are kept."""
        return len(next(iter(self.columns.values())))


@dataclass
class DecisionPath:
    """The closed forms of one trace."""

    guards: list[Guard]
    forms: dict[str, Polynomial] = field(default_factory=dict)
    keep: list[Guard | bool] = field(default_factory=list)
    refusal: str = ""


class Sweep:
    """The computation of the chunks of a plan."""

    def __init__(self, plan: SweepPlan) -> None:
        self.plan = plan
        self.model, self.variant = _opened(plan)
        self.settings = _settings(plan, self.model)
        self.symbols = {
            axis.name: Symbol(axis.name, least=int(min(axis.values) * axis.scale), place=index)
            for index, axis in enumerate(plan.axes)
            if axis.numeric
        }
        self.scales = {axis.name: axis.scale for axis in plan.axes if axis.numeric}
        self.values = {
            axis.name: numpy.array([int(value * axis.scale) for value in axis.values], dtype=numpy.int64)
            for axis in plan.axes
            if axis.numeric
        }
        names = {name for text in plan.keep for side in _sides(text)[::2] for name in free_names(side)}
        possible = (*FORMULAS, *self.symbols)
        for name in names - set(possible):
            raise SpecError(f"unknown name {quote(name)} in --keep{did_you_mean(name, possible)}")
        self.wanted = tuple(dict.fromkeys([*plan.quantities, *(name for name in FORMULAS if name in names)]))
        self.families: dict[tuple[tuple[str, int], ...], SpecFamily] = {}
        self.paths: dict[tuple[tuple[str, int], ...], list[DecisionPath]] = {}

    def confirm(self) -> None:
        """Raise `SpecError` if an imported network is not what its rules say at the largest sizes."""
        if isinstance(self.model, Resizable):
            for axis in self.plan.axes:
                if not axis.numeric:
                    raise SpecError(f"{self.plan.network} has no parameter {quote(axis.name)}, only sizes of its input")
            self.model.confirm(self._family(()).network({axis.name: max(axis.values) for axis in self.plan.axes}))

    def compute(self, chunk: GridChunk) -> Result:
        """Return the kept points of a chunk."""
        block = self._block(chunk)
        paths = self.paths.setdefault(chunk.fixed, [])
        left: Array = True
        found: list[tuple[DecisionPath, Array]] = []
        for index in itertools.count():
            if index == len(paths):
                paths.append(self._trace(chunk, block, left))
            mine = left
            for guard in paths[index].guards:
                mine = mine & block.holds(guard)
            if numpy.any(mine):
                found.append((paths[index], mine))
                left = left & ~mine if not numpy.all(mine) else False
            if not numpy.any(left):
                break
        return self._gathered(chunk, block, found)

    def _block(self, chunk: GridChunk) -> SymbolValues:
        if chunk.sample:
            random = numpy.random.default_rng(chunk.seed)
            drawn = {
                self.symbols[name]: values[random.integers(0, len(values), chunk.sample)]
                for name, values in self.values.items()
            }
            return SymbolValues(drawn, (chunk.sample,))
        shape = tuple(end - start for start, end in chunk.ranges) or (1,)
        arrays = {}
        for index, ((name, values), (start, end)) in enumerate(zip(self.values.items(), chunk.ranges, strict=True)):
            arrays[self.symbols[name]] = values[start:end].reshape(
                [-1 if axis == index else 1 for axis in range(len(shape))]
            )
        return SymbolValues(arrays, shape)

    def _trace(self, chunk: GridChunk, block: SymbolValues, left: Array) -> DecisionPath:
        """Trace the network at the first point that is left."""
        if len(self.paths[chunk.fixed]) >= MOST_PATHS:
            raise SpecError(
                f"the sweep needs more than {MOST_PATHS:,} different closed forms (the network's structure depends on "
                "the swept values): sweep fewer values, or use --sample"
            )
        where = numpy.unravel_index(int(numpy.argmax(numpy.broadcast_to(left, block.shape))), block.shape)
        trace = Trace()
        numbers = {}
        for name, symbol in self.symbols.items():
            value = int(numpy.broadcast_to(block.values[symbol], block.shape)[where])
            number = trace.symbol(symbol, value)
            numbers[name] = number / self.scales[name] if self.scales[name] > 1 else number
        family = self._family(chunk.fixed)
        try:
            sizes = {name: number for name, number in numbers.items() if name != BATCH}
            network = self.plan.changes.apply(family.network(sizes))
        except SpecError as error:
            return DecisionPath(
                [guard for guard in trace.guards if not guard.always], refusal=in_one_line(error.diagnostics[0].message)
            )
        plan = self.plan
        counted: Any = numbers.get(BATCH, plan.counting.batch)
        counting = replace(plan.counting, batch=counted)
        sizes = measured(network, self.wanted, counting)
        guards = [guard for guard in trace.guards if not guard.always]
        keep = [_condition(text, trace, {**numbers, **sizes}) for text in plan.keep]
        return DecisionPath(guards, {name: polynomial_of(size) for name, size in sizes.items()}, keep)

    def _family(self, fixed: tuple[tuple[str, int], ...]) -> SpecFamily:
        if fixed not in self.families:
            by_name = {axis.name: axis for axis in self.plan.axes}
            chosen = {name: by_name[name].values[index] for name, index in fixed}
            settings, inputs = {**self.settings, **chosen}, self.plan.inputs
            lets = {name: name for name in self.symbols if name != BATCH}
            try:
                self.families[fixed] = SpecFamily(self.model, self.variant, settings, inputs, lets)
            except SpecError as error:
                options = [f"--over {name}={value}" for name, value in chosen.items()]
                without = partial(self.model.network, self.variant, self.settings, inputs)
                raise blamed(error, options, without) from None
        return self.families[fixed]

    def _gathered(self, chunk: GridChunk, block: SymbolValues, found: list[tuple[DecisionPath, Array]]) -> Result:
        """Return the columns of the kept points."""
        size = prod(block.shape)
        kept: Array = numpy.zeros(block.shape, bool)
        columns: dict[str, Array] = {}
        refused, message = 0, ""
        whole = len(found) == 1 and found[0][1] is True
        for path, mine in found:
            if path.refusal:
                refused += int(numpy.count_nonzero(numpy.broadcast_to(mine, block.shape)))
                message = message or path.refusal
                continue
            chosen = mine
            for condition in path.keep:
                chosen = chosen & (condition if isinstance(condition, bool) else block.holds(condition))
            if not numpy.any(chosen):
                continue
            everywhere = numpy.broadcast_to(chosen, block.shape)
            kept |= everywhere
            for name in self.plan.quantities:
                values = block.evaluate(path.forms[name], chosen)
                if whole:
                    columns[name] = numpy.broadcast_to(values, block.shape)
                    continue
                if name not in columns:
                    columns[name] = numpy.zeros(block.shape, values.dtype)
                if values.dtype == object and columns[name].dtype != object:
                    columns[name] = columns[name].astype(object)
                numpy.copyto(columns[name], values, where=everywhere)
        where = kept if not kept.all() else slice(None)

        def gather(values: Array) -> Array:
            return numpy.broadcast_to(values, block.shape)[where].reshape(-1)

        empty = numpy.zeros(block.shape, numpy.int64)
        axes = {name: gather(block.values[symbol]) for name, symbol in self.symbols.items()}
        words = {name: numpy.full(int(kept.sum()), index, numpy.int64) for name, index in chunk.fixed}
        order = {axis.name: axes[axis.name] if axis.numeric else words[axis.name] for axis in self.plan.axes}
        quantities = {name: gather(columns.get(name, empty)) for name in self.plan.quantities}
        return Result({**order, **quantities}, size, refused, message)


def _opened(plan: SweepPlan) -> tuple[Spec | Resizable, str | None]:
    """Return the spec of a plan and its variant, or the model that is imported."""
    source = parse_source(plan.network)
    if source is None:
        return find(plan.network)
    refuse_settings(plan.network, plan.settings)
    opening = Opening(Cache(None if plan.no_cache else cache_folder()))
    given = given_inputs(plan.inputs)
    return Resizable(opening.open(source, given), lambda other: opening.open(source, other), given), None


def _settings(plan: SweepPlan, model: Spec | Resizable) -> dict[str, Any]:
    return {} if isinstance(model, Resizable) else dict(parse_setting(text, model) for text in plan.settings)


def _sides(text: str) -> list[str]:
    """Split a condition into left side, relation and right side."""
    parts = [part.strip() for part in _COMPARISON.split(text)]
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise SpecError(f"--keep takes one comparison such as 'macs <= 4.2e9', got {quote(text)}")
    return parts


def _condition(text: str, trace: Trace, numbers: Mapping[str, Any]) -> Guard | bool:
    """Return a condition over closed forms; True or False if it is the same everywhere."""
    for side in _sides(text)[::2]:
        evaluate(side, numbers)
    trace.guards.clear()
    try:
        holds = parse_expression(text).evaluate(numbers)
    except ExpressionError as error:
        raise SpecError(f"{quote(text)}: {error}") from None
    if not trace.guards:
        return bool(holds)
    guard = next(iter(trace.guards))
    return guard if holds else Guard(guard.left, NEGATED[guard.relation], guard.right)


def parse_axis(text: str) -> SweepAxis:
    """`NAME=1,2,4`, `NAME=START:STOP:STEP` (the stop included) or `NAME=word,word`."""
    name, equals, values = text.partition("=")
    if not equals or not name.strip() or not values.strip():
        raise SpecError(f"--over takes NAME=VALUES, got {quote(text)}")
    if values.count(":") in (1, 2) and "[" not in values:
        start, stop, *rest = [_number(part, text) for part in values.split(":")]
        step = rest[0] if rest else 1
        if step <= 0 or stop < start:
            raise SpecError(f"{quote(text)} runs from START up to STOP by a STEP above 0")
        count = (stop - start) // step + 1
        if count > 10_000_000:
            raise SpecError(f"{quote(text)} has {count:,} values; at most 10,000,000 are possible")
        return SweepAxis(name.strip(), tuple(plain(start + step * index) for index in range(int(count))))
    parsed = []
    for part in split_at_commas(values):
        names = free_names(part)
        parsed.append(evaluate(part, {word: word for word in names}))
    return SweepAxis(
        name.strip(), tuple(dict.fromkeys(tuple(value) if isinstance(value, list) else value for value in parsed))
    )


def _number(text: str, whole: str) -> Any:
    value = evaluate(text, {})
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        raise SpecError(f"a range takes numbers, got {quote(text)} in {quote(whole)}")
    return value
