"""Which blocks to recompute in the backward pass, so that a training step fits into a budget.

`torch.utils.checkpoint` saves only a block's inputs. It computes the rest again when the backward pass comes to the
block (Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016). Among all choices of a
network's blocks whose peak is within the budget, `choose` finds one that computes the fewest MACs again.

The search takes the blocks in order. While a block runs, the live memory has two parts: what earlier blocks saved, and
what is there because of this block alone. The second part does not depend on the other blocks. It is read off two
runs: one recomputes no block, one recomputes all. The search extends a choice only if no other choice saves fewer
bytes and repeats less work. A tensor that several blocks save, or that a later block takes, counts once. So choices
are compared only if they share these tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archcalc.analysis.costs import Analysis, LayerCosts
from archcalc.errors import UserError
from archcalc.memory.heap import Peak, Storage
from archcalc.memory.optimizers import TrainingStep, as_step
from archcalc.memory.simulation import MemorySimulation
from archcalc.memory.summary import Memory, memory
from archcalc.memory.training import (
    TrainingSimulation,
    last_saving,
    runs_when_last,
    saved_tensor_bytes,
    training_peak,
)
from archcalc.network import Network
from archcalc.structs import Struct

MAX_STATES = 20_000
"""With more choices than this, only one is kept of those with nearly the same work."""


class CheckpointPlan(Struct):
    """A choice of blocks to recompute, with its peak memory (bytes) and the MACs that it computes again."""

    budget: int
    """Bytes that the step may take."""
    without: Memory
    """The step that recomputes nothing."""
    candidates: tuple[str, ...]
    """All blocks that can be recomputed."""
    blocks: tuple[str, ...]
    """The blocks to recompute."""
    ranges: tuple[range, ...]
    """The same, as numbers of layers in the order of execution."""
    saved: int
    """Bytes of saved tensors at the end of the forward pass."""
    live_peak: Peak
    macs: int
    """MACs that are computed again."""
    above_least: int
    """The most MACs that this choice can be above the best one; 0 unless the search dropped choices."""
    least: int
    """The lowest peak memory that any choice reaches; computed only if no choice is within the budget."""

    @property
    def peak(self) -> int:
        """Peak memory in bytes, with weights, buffers and optimizer state."""
        return self.without.persistent + self.live_peak.live_bytes

    @property
    def fits(self) -> bool:
        """True if the peak is within the budget."""
        return self.peak <= self.budget


class Segment(NamedTuple):
    """A block of a network, and the numbers of its layers."""

    name: str
    layers: range


def blocks_of(network: Network) -> list[Segment]:
    """Return the blocks that can be recomputed: the outermost ones, and groups that contain no block.

    A kind of block that consists only of other blocks (a stage) is replaced by them.
    """
    layers = [layer for layer in network.layers if not layer.auxiliary]
    ranges = _ranges(network, [layer.name for layer in layers])
    stages = _stages(network, ranges)
    blocks: list[Segment] = []
    for name, inside in ranges.items():
        if any(_is_in(name, block.name) for block in blocks):
            continue
        contains_block = any(_is_in(other, name) and network.groups[other] for other in ranges)
        is_block = network.groups[name] and network.groups[name] not in stages
        if (is_block or not contains_block) and last_saving(layers, inside) is not None:
            blocks.append(Segment(name, inside))
    return sorted(blocks, key=lambda block: block.layers.start)


def recomputable(analysis: Analysis) -> list[Segment]:
    """Return the blocks that the backward pass goes through: PyTorch computes no other again."""
    blocks = blocks_of(analysis.network)
    if not analysis.network.frozen:
        return blocks
    trained = MemorySimulation(analysis, training=True).differentiable
    return [block for block in blocks if any(analysis.rows[number].name in trained for number in block.layers)]


def _is_in(name: str, group: str) -> bool:
    return name.startswith(f"{group}.")


def _ranges(network: Network, order: Sequence[str]) -> dict[str, range]:
    """Return the layers of each group whose layers are consecutive; outer groups before inner ones."""
    members: dict[str, list[int]] = {}
    for number, name in enumerate(order):
        parts = name.split(".")
        for end in range(1, len(parts)):
            members.setdefault(".".join(parts[:end]), []).append(number)
    return {
        name: range(numbers[0], numbers[-1] + 1)
        for name, numbers in sorted(members.items(), key=lambda item: len(item[0]))
        if name in network.groups and numbers[-1] - numbers[0] + 1 == len(numbers)
    }


def _stages(network: Network, ranges: dict[str, range]) -> set[str]:
    """Return the kinds of blocks that never have a layer of their own beside the blocks in them."""
    kinds = {kind for kind in network.groups.values() if kind}
    for name, layers in ranges.items():
        inner = {n for other in ranges if _is_in(other, name) and network.groups[other] for n in ranges[other]}
        if len(inner) < len(layers):
            kinds.discard(network.groups[name])
    return kinds


def repeated_macs(rows: Sequence[LayerCosts], layers: range) -> int:
    """Return the MACs of computing layers again, up to the last for which autograd saves anything."""
    last = last_saving([row.layer for row in rows], layers)
    if last is None:
        return 0
    end = last + runs_when_last(rows[last].layer.op)
    return sum(row.macs for row in rows[layers.start : end])


def choose(analysis: Analysis, budget: int, optimizer: str | TrainingStep = "sgd") -> CheckpointPlan:
    """Return the blocks to recompute for a training step within ``budget`` bytes, at the fewest MACs.

    If no choice fits, the plan recomputes nothing, `fits` is False, and `least` is the lowest peak of any choice.

    Raises `UserError` for a network without blocks.
    """
    step = as_step(optimizer)
    blocks = recomputable(analysis)
    without = memory(analysis, "training", step)

    def plan(chosen: Sequence[Segment] = (), macs: int = 0, above_least: int = 0, least: int = 0) -> CheckpointPlan:
        ranges = tuple(block.layers for block in chosen)
        return CheckpointPlan(
            budget=budget,
            without=without,
            candidates=tuple(block.name for block in blocks),
            blocks=tuple(block.name for block in chosen),
            ranges=ranges,
            saved=saved_tensor_bytes(analysis, ranges),
            live_peak=training_peak(analysis, step, ranges),
            macs=macs,
            above_least=above_least,
            least=least,
        )

    room = budget - without.persistent
    if without.live_peak.live_bytes <= room:
        return plan()
    if not blocks:
        why = "group its layers, or define a block"
        why = "the backward pass goes through none of them" if blocks_of(analysis.network) else why
        raise UserError(f"{analysis.network.name} has no blocks to recompute; {why}")
    search = _Search(analysis, step, blocks)
    target = room
    while (found := search.run(target)) is not None:
        tried = plan(found.chosen(), found.macs, search.above_least)
        if tried.fits:
            return tried
        target -= max(tried.peak - budget, 1)
    return plan(least=without.persistent + search.least_peak())


class _Choice(NamedTuple):
    """The blocks chosen so far, as a linked list."""

    closed: int
    """Bytes of saved tensors that no later block takes or saves."""
    macs: int
    last: Segment | None
    before: _Choice | None

    def chosen(self) -> list[Segment]:
        """Return the blocks in order."""
        result = []
        choice: _Choice | None = self
        while choice is not None:
            if choice.last is not None:
                result.append(choice.last)
            choice = choice.before
        return result[::-1]


class _Way(NamedTuple):
    """The memory and work of a unit, either recomputed or not."""

    saved: dict[Storage, int]
    """Its saved tensors with their bytes."""
    forward: int
    """Peak bytes in the forward pass that are there because of this unit alone."""
    backward: int
    block: Segment | None
    """The block, if it is recomputed."""
    macs: int
    """MACs that are computed again."""


@dataclass
class _Unit:
    """A block, or the layers between two blocks."""

    block: Segment | None
    layers: range
    live_forward: set[Storage] = field(default_factory=set)
    """Storages that are live while it runs, whatever earlier units save."""
    live_backward: set[Storage] = field(default_factory=set)
    ways: list[_Way] = field(default_factory=list)
    """Not recomputed; and recomputed, if it is a block."""


OpenTensors = frozenset[Storage]
"""The saved tensors that a later unit takes or saves too."""


class _Search:
    """Finds the least work for a peak, over all choices of blocks."""

    def __init__(self, analysis: Analysis, step: TrainingStep, blocks: Sequence[Segment]) -> None:
        self.analysis = analysis
        self.step = step
        self.above_least = 0
        self.units = _units(blocks, len(analysis.rows))
        self._unit_of = {layer: number for number, unit in enumerate(self.units) for layer in unit.layers}
        self.update = 0
        """Live bytes while the weights are updated, when no saved tensor is left."""
        self._measure([])
        self._measure([block.layers for block in blocks])
        self._sizes = {key: size for unit in self.units for way in unit.ways for key, size in way.saved.items()}
        self._open_until = self._last_uses()

    # -- the memory of each unit, read off two runs

    def _measure(self, recomputed: Sequence[range]) -> None:
        """Run the step, and record for each unit its saved tensors and the peak that it alone causes."""
        step = TrainingSimulation(self.analysis, recomputed, self.step)
        number_of = {row.name: self._unit_of[number] for number, row in enumerate(self.analysis.rows)}
        forward, backward = [0] * len(self.units), [0] * len(self.units)
        entered = -1
        for point in step.forward():
            number = number_of[point.layer]
            if number > entered:
                entered = number
                self._enter(step, self.units[number])
            forward[number] = max(forward[number], point.live_bytes)
        for point in step.backward():
            number = number_of[point.layer]
            backward[number] = max(backward[number], point.live_bytes)
        self.update = step.at_update().live_bytes
        before: dict[Storage, int] = {}
        saved_by_layer = step.saved
        for number, unit in enumerate(self.units):
            saved = {key: size for layer in unit.layers for key, size in saved_by_layer[layer].items()}
            if not recomputed or unit.block:
                way = _Way(
                    saved,
                    forward[number] - _sum_without(before, unit.live_forward),
                    backward[number] - _sum_without(before, unit.live_backward),
                    unit.block if recomputed else None,
                    repeated_macs(self.analysis.rows, unit.layers) if recomputed else 0,
                )
                unit.ways.append(way)
            before |= saved

    def _enter(self, run: TrainingSimulation, unit: _Unit) -> None:
        """Record what is live as a unit begins, and what of it will be live in its backward pass."""
        taken = {source for number in run.within(unit.layers) for source in run.layers[number].inputs}
        held = {*self.analysis.network.inputs, *run.outputs}
        unit.live_backward = {run.storage[name] for name in (*taken, *held) if name in run.storage}
        unit.live_forward = unit.live_backward | {run.storage[name] for name in run.waiting(unit.layers.start)}

    def _last_uses(self) -> dict[Storage, int]:
        """Return, for each storage, the last unit for which it matters whether the storage is saved."""
        last: dict[Storage, int] = {}
        for number, unit in enumerate(self.units):
            for storages in (unit.live_forward, unit.live_backward, *(way.saved for way in unit.ways)):
                last.update(dict.fromkeys(storages, number))
        return last

    # -- the search

    def run(self, target: int, keep: Callable[[list[_Choice]], list[_Choice]] | None = None) -> _Choice | None:
        """Return the choice of least work with at most ``target`` live bytes; None if there is none."""
        if self.update > target:
            return None
        states: dict[OpenTensors, list[_Choice]] = {frozenset(): [_Choice(0, 0, None, None)]}
        for number, unit in enumerate(self.units):
            following: dict[OpenTensors, list[_Choice]] = {}
            for saved_open, choices in states.items():
                for way in unit.ways:
                    still, extended = self._extended(saved_open, choices, number, way, target)
                    if extended:
                        following.setdefault(still, []).extend(extended)
            states = {key: (keep or self._thin)(_undominated(choices)) for key, choices in following.items()}
        last = (choice for choices in states.values() for choice in choices)
        return min(last, key=lambda choice: choice.macs, default=None)

    def _extended(
        self, saved_open: OpenTensors, choices: list[_Choice], number: int, way: _Way, target: int
    ) -> tuple[OpenTensors, list[_Choice]]:
        """Run unit ``number`` in one way after each of the choices that leave room for it."""
        unit, sizes = self.units[number], self._sizes
        room = target - max(
            way.forward + sum(sizes[storage] for storage in saved_open if storage not in unit.live_forward),
            way.backward + sum(sizes[storage] for storage in saved_open if storage not in unit.live_backward),
        )
        saved = saved_open | way.saved.keys()
        still = frozenset(storage for storage in saved if self._open_until[storage] > number)
        closed = sum(sizes[storage] for storage in saved - still)
        return still, [
            _Choice(choice.closed + closed, choice.macs + way.macs, way.block, choice)
            for choice in choices
            if choice.closed <= room
        ]

    def _thin(self, choices: list[_Choice]) -> list[_Choice]:
        """Of too many choices, return those that save the fewest bytes among choices of nearly the same work."""
        if len(choices) <= MAX_STATES:
            return choices
        lowest, highest = choices[-1].macs, choices[0].macs
        width = (highest - lowest) // MAX_STATES + 1
        self.above_least += width
        least: dict[int, _Choice] = {}
        for choice in choices:  # in order of the bytes that they save
            least.setdefault((choice.macs - lowest) // width, choice)
        return list(least.values())

    def least_peak(self) -> int:
        """Return the lowest peak of live tensors that any choice reaches, in bytes."""
        low, high = self.update - 1, max(max(way.forward, way.backward) for unit in self.units for way in unit.ways)
        high += sum(self._sizes.values())
        best: _Choice | None = None
        while high - low > 1:
            middle = (low + high) // 2
            found = self.run(middle, lambda choices: choices[:1])
            low, high, best = (middle, high, best) if found is None else (low, middle, found)
        chosen = best.chosen() if best is not None else []
        return training_peak(self.analysis, self.step, [block.layers for block in chosen]).live_bytes


def _undominated(choices: list[_Choice]) -> list[_Choice]:
    """Return choices in order of the bytes that they save, each with less work than those before it."""
    choices.sort(key=lambda choice: (choice.closed, choice.macs))
    result: list[_Choice] = []
    for choice in choices:
        if not result or choice.macs < result[-1].macs:
            result.append(choice)
    return result


def _sum_without(sizes: dict[Storage, int], left_out: set[Storage]) -> int:
    return sum(size for storage, size in sizes.items() if storage not in left_out)


def _units(blocks: Sequence[Segment], count: int) -> list[_Unit]:
    """Return all layers in order, as blocks and the layers between them."""
    units, start = [], 0
    for block in blocks:
        if block.layers.start > start:
            units.append(_Unit(None, range(start, block.layers.start)))
        units.append(_Unit(block, block.layers))
        start = block.layers.stop
    if start < count:
        units.append(_Unit(None, range(start, count)))
    return units
