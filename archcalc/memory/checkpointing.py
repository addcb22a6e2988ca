"""Which blocks to compute again in the backward pass, so that a training step fits into a budget.

`torch.utils.checkpoint` keeps of a block what it takes from outside, and computes the rest again when the backward pass
comes to it (Chen, Xu, Zhang, Guestrin, *Training Deep Nets with Sublinear Memory Cost*, 2016). Of all choices among a
network's blocks whose peak is within the budget, `choose` finds one that computes the least again.

How it finds it. While a block runs, forward or backward, there is what the blocks before it keep, and what is there
because of this block alone: its own tensors, what it takes, the gradients that have come so far. The second does not
depend on the other blocks, so it is read off two runs, one that recomputes no block and one that recomputes all.
Blocks are then taken in order; of the choices so far only those are carried on that no other beats in both the bytes
that they keep and the work that they repeat. A tensor that several blocks keep, or that a later one may take, counts
once: choices that differ in which of those they keep are compared apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archcalc.analysis.costs import Analysis, LayerCosts
from archcalc.errors import UserError
from archcalc.memory.heap import Peak, Storage
from archcalc.memory.summary import Memory, memory
from archcalc.memory.training import (
    OPTIMIZERS,
    TrainingSimulation,
    last_saving,
    runs_when_last,
    saved_activations,
    training_peak,
)
from archcalc.network import Network

MOST_STATES = 20_000
"""With more choices to carry on than this, those of nearly the same work are thinned out."""


@dataclass(frozen=True)
class CheckpointPlan:
    """Blocks to recompute, and what comes of it."""

    budget: int
    without: Memory
    """The step that recomputes nothing."""
    candidates: tuple[str, ...]
    """All blocks that could be recomputed."""
    blocks: tuple[str, ...]
    """Those that are."""
    ranges: tuple[range, ...]
    """The same, as numbers of layers in the order of execution."""
    saved: int
    """Bytes that are kept at the end of the forward pass."""
    highest: Peak
    macs: int
    """Multiply-adds that are computed again."""
    above_least: int
    """By how many multiply-adds at most this may be above the least possible: 0 unless choices were thinned out."""
    least: int
    """The lowest peak that any choice of blocks reaches; computed only where none is within the budget."""

    @property
    def peak(self) -> int:
        """The most that is there at once, with weights, buffers and optimizer's state."""
        return self.without.standing + self.highest.live_bytes

    @property
    def fits(self) -> bool:
        """Whether it is within the budget."""
        return self.peak <= self.budget


class Segment(NamedTuple):
    """A block of a network, and the numbers of its layers."""

    name: str
    layers: range


def blocks_of(network: Network) -> list[Segment]:
    """The blocks that can be recomputed: the outermost ones, and groups without any.

    A kind of block that is nothing but a row of other blocks (a stage) is taken apart.
    """
    layers = [layer for layer in network.layers if not layer.auxiliary]
    where = _ranges(network, [layer.name for layer in layers])
    stages = _stages(network, where)
    blocks: list[Segment] = []
    for name, inside in where.items():
        if any(_is_in(name, block.name) for block in blocks):
            continue
        named = any(_is_in(other, name) and network.groups[other] for other in where)
        is_block = network.groups[name] and network.groups[name] not in stages
        if (is_block or not named) and last_saving(layers, inside) is not None:
            blocks.append(Segment(name, inside))
    return sorted(blocks, key=lambda block: block.layers.start)


def _is_in(name: str, group: str) -> bool:
    return name.startswith(f"{group}.")


def _ranges(network: Network, order: Sequence[str]) -> dict[str, range]:
    """Each group's layers, where they stand together; outer groups before inner ones."""
    members: dict[str, list[int]] = {}
    for at, name in enumerate(order):
        parts = name.split(".")
        for end in range(1, len(parts)):
            members.setdefault(".".join(parts[:end]), []).append(at)
    return {
        name: range(ats[0], ats[-1] + 1)
        for name, ats in sorted(members.items(), key=lambda item: len(item[0]))
        if name in network.groups and ats[-1] - ats[0] + 1 == len(ats)
    }


def _stages(network: Network, where: dict[str, range]) -> set[str]:
    """Kinds of blocks that never have a layer of their own beside the blocks in them."""
    kinds = {kind for kind in network.groups.values() if kind}
    for name, layers in where.items():
        inner = {at for other in where if _is_in(other, name) and network.groups[other] for at in where[other]}
        if len(inner) < len(layers):
            kinds.discard(network.groups[name])
    return kinds


def repeated_macs(rows: Sequence[LayerCosts], layers: range) -> int:
    """Multiply-adds of computing layers again, which ends with the last of which autograd saves anything."""
    last = last_saving([row.layer for row in rows], layers)
    if last is None:
        return 0
    end = last + runs_when_last(rows[last].layer.op)
    return sum(rows[at].macs for at in range(layers.start, end))


def choose(analysis: Analysis, budget: int, optimizer: str = "sgd") -> CheckpointPlan:
    """The blocks to recompute, so that a training step takes at most ``budget`` bytes and least is computed again.

    Where no choice fits, the plan recomputes nothing, `fits` is false, and `least` says what can be reached.

    Raises `UserError` for a network without blocks.
    """
    blocks = blocks_of(analysis.network)
    without = memory(analysis, "training", optimizer)
    room = budget - without.standing
    if without.highest.live_bytes <= room:
        return _plan(analysis, budget, without, blocks, [], 0, 0)
    if not blocks:
        raise UserError(f"{analysis.network.name} has no blocks: nothing can be chosen to be recomputed")
    search = _Search(analysis, optimizer, blocks)
    target = room
    while (found := search.run(target)) is not None:
        plan = _plan(analysis, budget, without, blocks, found.chosen(), found.macs, search.above_least)
        if plan.fits:
            return plan
        target -= max(plan.peak - budget, 1)
    return _plan(analysis, budget, without, blocks, [], 0, 0, without.standing + search.least_peak())


def _plan(
    analysis: Analysis,
    budget: int,
    without: Memory,
    blocks: Sequence[Segment],
    chosen: Sequence[Segment],
    macs: int,
    above_least: int,
    least: int = 0,
) -> CheckpointPlan:
    ranges = tuple(block.layers for block in chosen)
    return CheckpointPlan(
        budget=budget,
        without=without,
        candidates=tuple(block.name for block in blocks),
        blocks=tuple(block.name for block in chosen),
        ranges=ranges,
        saved=sum(one.saved_bytes for one in saved_activations(analysis, ranges)),
        highest=training_peak(analysis, without.optimizer, ranges),
        macs=macs,
        above_least=above_least,
        least=least,
    )


class _Choice(NamedTuple):
    """Some of the blocks so far, chosen."""

    closed: int
    """Bytes kept that no later block takes or keeps."""
    macs: int
    last: Segment | None
    before: _Choice | None

    def chosen(self) -> list[Segment]:
        """The blocks, in order."""
        result = []
        choice: _Choice | None = self
        while choice is not None:
            if choice.last is not None:
                result.append(choice.last)
            choice = choice.before
        return result[::-1]


class _Way(NamedTuple):
    """A unit run in one way: recomputed or not."""

    kept: dict[Storage, int]
    """What is kept of it until the backward pass."""
    forward: int
    """The most that is there because of it alone, in the forward pass."""
    backward: int
    macs: int


@dataclass
class _Unit:
    """A block, or the layers between two."""

    block: Segment | None
    layers: range
    there_forward: set[Storage] = field(default_factory=set)
    """What is there while it runs, whatever the units before it keep."""
    there_backward: set[Storage] = field(default_factory=set)
    ways: list[_Way] = field(default_factory=list)
    """Not recomputed; and recomputed, if it is a block."""


OpenSegment = frozenset[Storage]


class _Search:
    """The least work for a peak, over all choices of blocks."""

    def __init__(self, analysis: Analysis, optimizer: str, blocks: Sequence[Segment]) -> None:
        self.analysis = analysis
        self.optimizer = optimizer
        self.above_least = 0
        self.units = _units(blocks, len(analysis.rows))
        self._unit_of = {at: number for number, unit in enumerate(self.units) for at in unit.layers}
        self.update = 0
        """Bytes while the weights are updated, when nothing is kept any more."""
        self._read([])
        self._read([block.layers for block in blocks])
        self._sizes = {piece: size for unit in self.units for way in unit.ways for piece, size in way.kept.items()}
        self._open_until = self._last_seen()

    # -- what each unit needs, read off two runs

    def _read(self, recomputed: Sequence[range]) -> None:
        """Run the step, and note of each unit what it keeps, and the most that is there because of it alone."""
        step = TrainingSimulation(self.analysis, recomputed)
        number_of = {row.name: self._unit_of[at] for at, row in enumerate(self.analysis.rows)}
        forward, backward = [0] * len(self.units), [0] * len(self.units)
        entered = -1
        for moment in step.forward():
            number = number_of[moment.layer]
            if number > entered:
                entered = number
                self._enter(step, self.units[number])
            forward[number] = max(forward[number], moment.live_bytes)
        for moment in step.backward():
            number = number_of[moment.layer]
            backward[number] = max(backward[number], moment.live_bytes)
        self.update = step.at_update(OPTIMIZERS[self.optimizer]).live_bytes
        before: dict[Storage, int] = {}
        kept_by_layer = step.kept
        for number, unit in enumerate(self.units):
            kept = {piece: size for at in unit.layers for piece, size in kept_by_layer[at].items()}
            way = _Way(
                kept,
                forward[number] - _sum(before, unit.there_forward),
                backward[number] - _sum(before, unit.there_backward),
                repeated_macs(self.analysis.rows, unit.layers) if recomputed else 0,
            )
            if not recomputed or unit.block:
                unit.ways.append(way)
            before |= kept

    def _enter(self, step: TrainingSimulation, unit: _Unit) -> None:
        """Note what is there as a unit begins, and what of it will be there in its backward pass."""
        run = step.run
        taken = {source for at in run.within(unit.layers) for source in run.layers[at].inputs}
        held = {*self.analysis.network.inputs, *run.outputs}
        unit.there_backward = {run.piece[name] for name in (*taken, *held) if name in run.piece}
        unit.there_forward = unit.there_backward | {run.piece[name] for name in step.waiting(unit.layers.start)}

    def _last_seen(self) -> dict[Storage, int]:
        """Number of the last unit for which it matters whether a piece is kept."""
        seen: dict[Storage, int] = {}
        for number, unit in enumerate(self.units):
            pieces = [unit.there_forward, unit.there_backward, *(way.kept for way in unit.ways)]
            seen.update(dict.fromkeys((piece for some in pieces for piece in some), number))
        return seen

    # -- the search

    def run(self, target: int, carry: Callable[[list[_Choice]], list[_Choice]] | None = None) -> _Choice | None:
        """The choice of least work whose tensors never take more than ``target`` bytes; None if there is none."""
        if self.update > target:
            return None
        states: dict[OpenSegment, list[_Choice]] = {frozenset(): [_Choice(0, 0, None, None)]}
        for number, unit in enumerate(self.units):
            following: dict[OpenSegment, list[_Choice]] = {}
            for kept_open, choices in states.items():
                for way in unit.ways:
                    self._extend(following, kept_open, choices, number, way, target)
            states = {key: (carry or self._thin)(_undominated(some)) for key, some in following.items()}
        return min((one for some in states.values() for one in some), key=lambda one: one.macs, default=None)

    def _extend(
        self,
        following: dict[OpenSegment, list[_Choice]],
        kept_open: OpenSegment,
        choices: list[_Choice],
        number: int,
        way: _Way,
        target: int,
    ) -> None:
        """Run unit ``number`` in one way after each of the choices so far that leave room for it."""
        unit, sizes = self.units[number], self._sizes
        room = target - max(
            way.forward + sum(sizes[piece] for piece in kept_open if piece not in unit.there_forward),
            way.backward + sum(sizes[piece] for piece in kept_open if piece not in unit.there_backward),
        )
        kept = kept_open | way.kept.keys()
        still = frozenset(piece for piece in kept if self._open_until[piece] > number)
        closed = sum(sizes[piece] for piece in kept - still)
        block = unit.block if len(unit.ways) > 1 and way is unit.ways[1] else None
        new = [_Choice(one.closed + closed, one.macs + way.macs, block, one) for one in choices if one.closed <= room]
        if new:
            following.setdefault(still, []).extend(new)

    def _thin(self, choices: list[_Choice]) -> list[_Choice]:
        """Of too many choices, the one that keeps least among those of nearly the same work."""
        if len(choices) <= MOST_STATES:
            return choices
        lowest, highest = choices[-1].macs, choices[0].macs
        width = (highest - lowest) // MOST_STATES + 1
        self.above_least += width
        least: dict[int, _Choice] = {}
        for one in choices:  # in order of what they keep
            least.setdefault((one.macs - lowest) // width, one)
        return list(least.values())

    def least_peak(self) -> int:
        """The fewest bytes of tensors that any choice needs."""
        low, high = self.update - 1, max(max(way.forward, way.backward) for unit in self.units for way in unit.ways)
        high += sum(self._sizes.values())
        best: _Choice | None = None
        while high - low > 1:
            middle = (low + high) // 2
            found = self.run(middle, lambda choices: choices[:1])
            low, high, best = (middle, high, best) if found is None else (low, middle, found)
        chosen = best.chosen() if best is not None else []
        return training_peak(self.analysis, self.optimizer, [block.layers for block in chosen]).live_bytes


def _undominated(choices: list[_Choice]) -> list[_Choice]:
    """Choices in order of what they keep, each of less work than those before it."""
    choices.sort(key=lambda one: (one.closed, one.macs))
    result: list[_Choice] = []
    for one in choices:
        if not result or one.macs < result[-1].macs:
            result.append(one)
    return result


def _sum(kept: dict[Storage, int], but: set[Storage]) -> int:
    return sum(size for piece, size in kept.items() if piece not in but)


def _units(blocks: Sequence[Segment], count: int) -> list[_Unit]:
    """All layers in order: blocks, and what stands between them."""
    units, at = [], 0
    for block in blocks:
        if block.layers.start > at:
            units.append(_Unit(None, range(at, block.layers.start)))
        units.append(_Unit(block, block.layers))
        at = block.layers.stop
    if at < count:
        units.append(_Unit(None, range(at, count)))
    return units
