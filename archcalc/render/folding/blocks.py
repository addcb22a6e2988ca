"""Blocks: groups that differ only in numbers, and in steps that some of them lack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from string import digits
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.language.language import VARIANT_KEYS
from archcalc.network import Network
from archcalc.ops import registry, words
from archcalc.render.folding.items import GroupPart, Item, Join, Leaf
from archcalc.render.folding.loops import folded, turn_key
from archcalc.render.folding.lowering import Frame, NotClosed, with_names
from archcalc.render.folding.numbers import numbered_name, variables_in
from archcalc.render.folding.parameters import BlockParameter, Parameters
from archcalc.render.folding.shares import shared_arguments
from archcalc.render.folding.steps import TAKEN, Naming, Slot, WrittenStep, is_number, keys_of, lines_in
from archcalc.render.folding.text import SpecText
from archcalc.render.folding.turns import pattern
from archcalc.render.folding.unify import Unifier, Unlike, filled_step

INPUTS = ("input", "other", "third", "fourth")
"""Names of a block's inputs."""
MAX_OPTIONAL, MAX_VARIANTS, MAX_FAMILY, MAX_REPEATED, LEAST = 4, 8, 16, 5, 4
MAX_NAMED = 4
_SHORT = {"batch_norm": "bn", "layer_norm": "ln", "max_pool": "pool", "avg_pool": "pool"}


@dataclass
class FoldedBlock:
    """A block of the spec."""

    name: str
    inputs: tuple[str, ...]
    params: list[BlockParameter]
    body: list[WrittenStep]
    numbered: bool


@dataclass
class _Kind:
    """Groups that may be one block."""

    clusters: list[list[GroupPart]]
    """Groups that differ only in numbers, together."""
    plain: bool = False
    """True if only some of them have a join around their steps, so that it is written with `from`."""
    parts: list[GroupPart] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = [part for cluster in self.clusters for part in cluster]

    def items(self, part: GroupPart) -> Sequence[Item]:
        """Return the steps of one of the groups."""
        return part.plain if self.plain else part.items

    @property
    def size(self) -> int:
        """Layers of the largest."""
        return max(part.size for part in self.parts)


class Blocks:
    """The blocks of a network."""

    def __init__(self, network: Network, root: GroupPart) -> None:
        self.network = network
        self.instead = shared_arguments(network)
        self.found: list[FoldedBlock] = []
        self.calls: dict[str, WrittenStep] = {}
        """Path of a group to the step that it is as a block."""
        self._find(root)

    def call(self, part: GroupPart) -> WrittenStep | None:
        """Return the step that a group is as a block; None if it is not a block."""
        step = self.calls.get(part.path) if part.whole else None
        return None if step is None else replace(step, args=dict(step.args))

    def _find(self, root: GroupPart) -> None:
        clusters: dict[Any, list[GroupPart]] = {}
        for part in root.walk():
            if part.path and part.whole and not part.side and part.size > 1:
                try:
                    steps, numbered = self._lowered(part, part.items, no_block)
                except NotClosed:
                    continue
                clusters.setdefault((numbered, len(part.sources), keys_of(steps)), []).append(part)
        kinds = self._longer(self._kinds(list(clusters.values())))
        for kind in sorted(kinds, key=lambda kind: kind.size):
            if not self._block(kind) and len(kind.clusters) > 1:
                for cluster in kind.clusters:
                    self._block(_Kind([cluster]))

    def _lowered(self, part: GroupPart, items: Sequence[Item], call: Any) -> tuple[list[WrittenStep], bool]:
        """Return the steps of a group with names of its own."""
        if not 0 < len(part.sources) <= len(INPUTS):
            raise NotClosed
        given = dict(zip(part.sources, INPUTS, strict=False))
        if any(item.end.removeprefix(f"{part.path}.").split(".")[0] in INPUTS for item in part.plain):
            raise NotClosed
        return Frame(self.network, f"{part.path}.", given, call, self.instead).steps(items, f"{part.path}.")

    # -- groups that belong together

    def _kinds(self, clusters: Sequence[list[GroupPart]]) -> Iterator[_Kind]:
        """Yield clusters, those of groups with like names together if they differ only in steps that some lack."""
        families: dict[Any, list[list[GroupPart]]] = {}
        for cluster in clusters:
            families.setdefault(_family(cluster[0]), []).append(cluster)
        for family in families.values():
            common = sorted(family, key=lambda cluster: -len(cluster))
            yield from (_Kind([cluster]) for cluster in common[MAX_FAMILY:])
            waiting = sorted(common[:MAX_FAMILY], key=lambda cluster: -cluster[0].size)
            while waiting:
                kind = _Kind([waiting[0]])
                rest = []
                for cluster in waiting[1:]:
                    wider = self._wider(kind, cluster) if len(kind.clusters) < MAX_VARIANTS else None
                    if wider is None:
                        rest.append(cluster)
                    kind = wider or kind
                yield kind
                waiting = rest

    def _longer(self, kinds: Iterable[_Kind]) -> list[_Kind]:
        """Return kinds, as one those that differ only in how often their steps repeat."""
        found: dict[Any, _Kind] = {}
        for kind in kinds:
            part = kind.parts[0]
            steps, numbered = self._lowered(part, kind.items(part), no_block)
            turns = tuple(key for key, _ in groupby(steps, key=turn_key))
            alone = part.path if len(turns) == 1 else ""  # a loop and nothing else, which needs no block
            key = (_family(part), numbered, kind.plain, len(part.sources), turns, alone)
            found[key] = _Kind([*found[key].clusters, *kind.clusters], kind.plain) if key in found else kind
        return list(found.values())

    def _wider(self, kind: _Kind, cluster: list[GroupPart]) -> _Kind | None:
        """Return a kind with one more cluster; None if it does not fit."""
        for plain in (False, True):
            if kind.plain and not plain:
                continue
            wider = _Kind([*kind.clusters, cluster], plain)
            ones = [own[0] for own in wider.clusters]
            if len({len(part.sources) for part in ones}) > 1:
                return None
            try:
                lists = [self._lowered(part, wider.items(part), no_block) for part in ones]
                if len({numbered for _, numbered in lists}) == 1:
                    check_options(Unifier().steps([steps for steps, _ in lists], "", False))
                    return wider
            except (NotClosed, Unlike):
                continue
        return None

    # -- one block

    def _block(self, kind: _Kind) -> bool:
        """Make a block of groups if that is shorter; return False if it is not possible."""
        places = {_family(part) for part in kind.parts}
        parents = [part.path.rpartition(".")[0] for part in kind.parts]
        numbers = {part.path.rpartition(".")[2] for part in kind.parts}
        moves = len(numbers) > 1 and all(map(str.isdigit, numbers))
        if len(kind.parts) < 2 or (len(places) == 1 and len(set(parents)) == len(parents) and not moves):
            return True
        try:
            lists = [self._lowered(part, kind.items(part), self.call) for part in kind.parts]
            if len({numbered for _, numbered in lists}) > 1:
                return False
            named = [with_names(steps) for steps, _ in lists]
            whole = list(map(folded, named))
            shapes = [self.network.shape_of(part.sources[0]) for part in kind.parts]
            body, params = _merged(named, whole, shapes, {block.name for block in self.found})
        except (NotClosed, Unlike):
            return False
        if len(body) == 1 and lines_in(body) == 1:
            return True
        if sum(map(lines_in, whole)) <= lines_in(body) + 2 + bool(params) + len(kind.parts):
            return True
        inputs = INPUTS[: len(kind.parts[0].sources)]
        block = FoldedBlock(self._named(kind.parts), inputs, params, body, lists[0][1])
        self.found.append(block)
        self._call(block, kind.parts)
        return True

    def _call(self, block: FoldedBlock, parts: Sequence[GroupPart]) -> None:
        defaults = {own.name: own.default for own in block.params if is_number(own.default)}
        kinds = {own.name: own.slot.argument for own in block.params}
        for number, part in enumerate(parts):
            given = {own.name: own.given(number) for own in block.params}
            args = {name: value for name, value in given.items() if value is not None}
            principal = block.params[0].name if block.params and block.params[0].default is None else None
            self.calls[part.path] = WrittenStep(
                block.name, principal=principal, args=args, defaults=defaults, kinds=kinds
            )

    def _named(self, parts: Sequence[GroupPart]) -> str:
        """Return a name for a block: that of the block or of the groups it was, without numbers."""
        own = [self.network.groups.get(part.path, "") for part in parts]
        hint = _plain(max(own, key=own.count))
        inside = [_singular(_plain(word)) for word in reversed(parts[0].path.split("."))]
        names = [name for name in (hint or _by_content(parts[0]), *inside) if name] or ["block"]
        taken = {*TAKEN, *words(), *registry(), *VARIANT_KEYS, *(block.name for block in self.found), "input", "i"}
        longer = (f"{name}_block" for name in names if not name.endswith("block"))
        for name in (*names[:1], *longer, *names[1:]):
            if name not in taken:
                return name
        return numbered_name(names[0], taken)


def _merged(
    lists: Sequence[Sequence[WrittenStep]],
    loops: Sequence[Sequence[WrittenStep]],
    shapes: Sequence[Shape],
    blocks: set[str],
) -> tuple[list[WrittenStep], list[BlockParameter]]:
    """Return steps as those of a block, with its parameters; of the steps with loops if the others are unlike."""
    taken = blocks | {name for steps in loops for name in variables_in(steps)}
    ways = [lists, loops]
    if len(set(map(keys_of, loops))) < len(set(map(keys_of, lists))):  # they differ in how often steps repeat
        ways.reverse()
    for steps in ways:
        unifier = Unifier()
        try:
            body = unifier.steps(steps, "", False)
            check_options(body)
        except Unlike:
            continue
        params = Parameters(unifier.slots, shapes, taken).solve()
        return folded([filled_step(step) for step in body]), params
    raise Unlike


def no_block(part: GroupPart) -> None:
    """Return that a group is not a block."""


def _family(part: GroupPart) -> str:
    """Return the path of a group with its numbers as one."""
    return pattern(part.path)


def _plain(word: str) -> str:
    """Return a name as a block has it: `BasicBlock` as `basic_block`, `layer1` as `layer`; empty if it is a number."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
    name = re.sub(r"\W+", "_", name.rstrip(digits)).strip("_")
    return name if name.isidentifier() and name.isascii() else ""


def _by_content(part: GroupPart) -> str:
    """Return a name such as `conv_bn_relu` for a few layers one after another, `gate` for a product; else empty."""
    if all(isinstance(item, Leaf) for item in part.items) and len(part.items) <= MAX_NAMED:
        return "_".join(_SHORT.get(layer.op.kind, layer.op.kind) for layer in part.layers())
    [item, *others] = part.items
    return "gate" if isinstance(item, Join) and item.layer.op.sign == "×" and not others else ""


def _singular(word: str) -> str:
    return word[:-1] if re.search(r"[^s]s$", word) else word


def check_options(steps: Sequence[WrittenStep]) -> None:
    """Raise `Unlike` if steps that some lack are many, or are repeats, or have names that are taken elsewhere."""
    optional = [step for step, _ in _walk(steps) if isinstance(step.when, Slot)]
    if not optional:
        return
    if len(optional) > MAX_OPTIONAL or lines_in(optional) * 3 > lines_in(steps) * 2 or lines_in(steps) < LEAST:
        raise Unlike
    names = {step.name for step in optional if step.naming is Naming.GIVEN}
    for step, around in _walk(steps):
        if any(set(source.split(".")) & names or isinstance(source, SpecText) for source in step.sources):
            raise Unlike
        if isinstance(step.when, Slot):
            like = [other for other in around if _same(other, step)]
            if len(like) > 2 or (len(like) > 1 and lines_in([step]) > MAX_REPEATED):
                raise Unlike


def _walk(steps: Sequence[WrittenStep]) -> Iterator[tuple[WrittenStep, Sequence[WrittenStep]]]:
    """Yield each step with the list that it is in."""
    for step in steps:
        yield step, steps
        for inner in step.inner():
            yield from _walk(inner)


def _same(step: WrittenStep, other: WrittenStep) -> bool:
    first, second = (replace(own, name="", when=None, naming=Naming.GIVEN, sources=()) for own in (step, other))
    return keys_of([first]) == keys_of([second]) and (bool(step.body) or step.branches is not None)


def nesting(steps: Sequence[WrittenStep], blocks: Sequence[FoldedBlock]) -> int:
    """Return how deep steps are nested; blocks come before those that use them."""
    depths: dict[str, int] = {}
    for block in blocks:
        depths[block.name] = _depth(block.body, depths)
    return _depth(steps, depths)


def _depth(steps: Sequence[WrittenStep], depths: Mapping[str, int]) -> int:
    deepest = 1
    for step in steps:
        inside = [_depth(branch, depths) + 1 for branch in step.branches or ()]
        deepest = max(
            deepest, 1 + max([_depth(step.body, depths) if step.body else 0, depths.get(step.head, 0), *inside])
        )
    return deepest
