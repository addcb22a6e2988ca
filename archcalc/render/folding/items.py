"""The steps of each group, in which residual blocks and other branches are found from the inputs of the joins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archcalc.network import Layer
from archcalc.render.spec import SpecGroup

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


@dataclass
class GroupPart:
    """A group, or a part of one."""

    path: str
    """Its full name; empty for the network."""
    plain: list[Item]
    """Its steps, joins with the names of their inputs."""
    items: list[Item]
    """Its steps, joins with branches where it has them."""
    sources: tuple[str, ...]
    whole: bool = True
    """False if other parts of the group come before or after it."""
    side: bool = False
    nested = 0
    size: int = field(default=0)
    """Number of layers."""

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


def part_of(group: SpecGroup, sides: frozenset[str], parts: dict[str, int]) -> GroupPart:
    """Return a group with its steps; ``parts`` counts the parts of each group."""
    plain: list[Item] = []
    for item in group.items:
        if isinstance(item, Layer):
            plain.append(Leaf(item, tuple(dict.fromkeys(item.inputs))))
        else:
            plain.append(part_of(item, sides, parts))
    path = group.path[:-1]
    size = sum(item.size if isinstance(item, GroupPart) else 1 for item in plain)
    return GroupPart(path, plain, _joined(plain), _sources(plain), parts.get(path, 1) == 1, path in sides, size)


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
    """Return where the branches with these ends begin, and their steps; None if the last steps are no branches."""
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
