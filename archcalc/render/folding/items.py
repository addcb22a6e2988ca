"""The steps of each group, in which residual blocks and other branches are found from the inputs of the joins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from archcalc.errors import UserError
from archcalc.network import Layer, Network

MAX_ITEMS, MAX_NESTED = 24, 3
"""A join with more steps in its branches, or in joins nested deeper, is written with `from`."""


@dataclass
class Leaf:
    """A layer."""

    layer: Layer
    sources: tuple[str, ...] = ()
    """What it takes from outside, without repetition."""
    nested = 0

    @property
    def end(self) -> str:
        """The layer whose output it gives."""
        return self.layer.name

    def layers(self) -> Iterator[Layer]:
        yield self.layer


@dataclass
class Join:
    """A layer that joins branches."""

    layer: Layer
    fork: str
    """What each branch begins with."""
    branches: list[list[Item]]
    sources: tuple[str, ...]
    nested: int

    @property
    def end(self) -> str:
        """The layer whose output it gives."""
        return self.layer.name

    def layers(self) -> Iterator[Layer]:
        """Yield its layers and those of its branches."""
        for branch in self.branches:
            for item in branch:
                yield from item.layers()
        yield self.layer


@dataclass(eq=False)
class GroupPart:
    """A group, or a part of one."""

    path: str
    """Its full name; empty for the network."""
    plain: list[Item] = field(default_factory=list)
    """Its steps, joins with the names of their inputs."""
    whole: bool = True
    """False if other parts of the group come before or after it."""
    side: bool = False
    nested = 0

    @cached_property
    def items(self) -> list[Item]:
        """Its steps, joins with branches where it has them."""
        return _joined(self.plain)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """What its steps take from outside, without repetition."""
        return _sources(self.plain)

    @cached_property
    def size(self) -> int:
        """Number of layers."""
        return sum(item.size if isinstance(item, GroupPart) else 1 for item in self.plain)

    @property
    def end(self) -> str:
        """The layer whose output it gives; empty if it has none, and for a side output."""
        return "" if self.side else next(filter(None, (item.end for item in reversed(self.items))), "")

    def layers(self) -> Iterator[Layer]:
        for item in self.plain:
            yield from item.layers()

    def walk(self) -> Iterator[GroupPart]:
        """Yield the groups in it, then itself."""
        for item in self.plain:
            if isinstance(item, GroupPart):
                yield from item.walk()
        yield self


Item = Leaf | Join | GroupPart


def group_parts(network: Network) -> GroupPart:
    """Return the network with the groups that the names of its layers contain, and sides that have no layers.

    Raises `UserError` if other layers are between those of a side.
    """
    root = GroupPart("")
    latest: dict[str, GroupPart] = {"": root}
    """Path of each group to its last part."""

    def part_at(path: str, resumes: bool) -> GroupPart:
        """Return the last part of a group: a new one if steps came after it, which an empty side ``resumes``."""
        if not path:
            return root
        around, part = part_at(path.rpartition(".")[0], resumes), latest.get(path)
        if part is None or part not in (around.plain if resumes else around.plain[-1:]):
            latest[path] = GroupPart(path, whole=part is None, side=path in network.sides)
            around.plain.append(latest[path])
            if part is not None:
                part.whole = False
        return latest[path]

    for layer in network.layers:
        part_at(layer.name.rpartition(".")[0], False).plain.append(Leaf(layer, tuple(dict.fromkeys(layer.inputs))))
    for side in network.sides:
        if side not in latest:
            part_at(side, True)
    split = next((side for side in network.sides if not latest[side].whole), None)
    if split is not None:
        raise UserError(
            f"{network.name} cannot be written as a spec: the layers of the side {split} are not next to each other"
        )
    return root


def _sources(items: Sequence[Item]) -> tuple[str, ...]:
    """Return what steps take from outside, without repetition."""
    inside = {layer.name for item in items for layer in item.layers()}
    return tuple(dict.fromkeys(source for item in items for source in item.sources if source not in inside))


def _joined(items: Sequence[Item]) -> list[Item]:
    """Return the steps, with those that lead to a join as its branches."""
    done: list[Item] = []
    for item in items:
        if isinstance(item, Leaf) and item.layer.op.joins and len(item.layer.inputs) > 1:
            found = _branches(done, item.layer.inputs)
            if found is not None:
                fork, branches = found
                inside = [step for branch in branches for step in branch]
                sources = tuple(dict.fromkeys((fork, *_sources([*inside, item]))))
                nested = 1 + max(step.nested for step in inside)
                del done[len(done) - len(inside) :]
                item = Join(item.layer, fork, branches, sources, nested)
        done.append(item)
    return done


def _branches(done: Sequence[Item], ends: Sequence[str]) -> tuple[str, list[list[Item]]] | None:
    """Return where the branches with these ends begin, and their steps; None if the last steps are not branches."""
    position, fork = len(done), ""
    branches: list[list[Item]] = []
    for end in reversed(ends):
        start = position
        if start and end != fork and done[start - 1].end == end:
            start = _start(done, start - 1, {fork} if fork else {*ends} - {end})
            main = done[start].sources[0] if start >= 0 and done[start].sources else ""
            if start < 0 or not main or (fork and main != fork):
                return None
            fork = main
        elif fork and end != fork:
            return None
        fork = fork or end
        branches.insert(0, list(done[start:position]))
        position = start
    inside = done[position:]
    if not inside or len(inside) > MAX_ITEMS or any(item.nested >= MAX_NESTED for item in inside):
        return None
    return (fork, branches) if _is_closed(branches, fork) else None


def _start(done: Sequence[Item], last: int, forks: set[str]) -> int:
    """Return where the chain of steps to ``last`` begins: at one that takes a fork or not what is before it."""
    position = last
    while position > 0 and last - position <= MAX_ITEMS:
        sources = done[position].sources
        if not sources or not done[position].end:
            return -1
        if sources[0] in forks or sources[0] != done[position - 1].end:
            return position
        position -= 1
    return position if position == 0 else -1


def _is_closed(branches: Sequence[Sequence[Item]], fork: str) -> bool:
    """True if no branch takes the output of another."""
    for branch in branches:
        inside = {layer.name for item in branch for layer in item.layers()}
        others = {layer.name for other in branches if other is not branch for item in other for layer in item.layers()}
        if any(source in others - inside for item in branch for source in item.sources):
            return False
    return True
