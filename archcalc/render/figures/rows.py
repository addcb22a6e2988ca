"""A network as a row of tensors: what the style `volumes` draws, with what repeats, shortcuts and side heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from archcalc.analysis.rows import FOLDED
from archcalc.render.drawing.labels import category, cut, operation
from archcalc.render.drawing.picture import DrawingNode, Picture
from archcalc.render.figures.flow import FlowStep, Fork, Item, MainPath, Part, Tangle, nodes_in
from archcalc.render.figures.labels import size_text
from archcalc.render.figures.solids import DrawnTensor, Solid, maps, shape_and_axes, tensor
from archcalc.render.figures.unrolling import unrolled

NOTHING = Solid(0, 0, 0)
MOST_ALIKE = 8
"""A longer run of equal volumes is drawn once."""
MOST_BESIDE = 8
"""A side input with more layers is not drawn layer by layer."""
LONGEST_NAME = 20
"""Letters of a side head's name."""


@dataclass
class Volume:
    """One solid of the row."""

    node: Item
    tensor: DrawnTensor
    words: str = ""
    """What a module does, if it is one."""
    inside: str = ""
    module: tuple[DrawingNode, ...] = ()
    """The nodes of a module."""
    count: int = 1
    """The number of equal volumes that it represents."""
    maps: tuple[int, ...] = ()
    """The sizes of its maps, all of them."""
    shape: tuple[int, ...] = ()
    """The shape of its tensor, as the network has it."""
    x: float = 0.0
    solid: Solid = NOTHING

    @property
    def kind(self) -> str:
        """The category that colors it."""
        return category(*self.module or (self.node,)) if isinstance(self.node, DrawingNode) else "input"

    @property
    def thin(self) -> bool:
        """True if it is a slab: what changes no channels and has no weights."""
        return self.kind in (*FOLDED, "pooling")


@dataclass
class SideHead:
    """A side output, or a side input: its volumes, and the places of the volumes that it takes, or that take it."""

    places: tuple[int, ...]
    words: str
    volumes: list[Volume]
    enters: bool = False
    """True for a side input."""


@dataclass
class Row:
    """Volumes in order, the arrows around them, and side heads."""

    volumes: list[Volume] = field(default_factory=list)
    skips: list[tuple[int, int, bool]] = field(default_factory=list)
    """From one volume to another, and whether layers on the way change the tensor."""
    heads: list[SideHead] = field(default_factory=list)
    entries: list[tuple[Item, list[Item]]] = field(default_factory=list)
    """Side inputs: the node that takes each, and its nodes."""
    exits: list[tuple[tuple[int, ...], list[Item]]] = field(default_factory=list)
    """Side outputs where the network ends in several: the places of the volumes that each takes, and its nodes."""
    hides: bool = False
    """True if a volume hides paths that cross."""
    passing: list[tuple[int, Item, bool]] = field(default_factory=list)
    """Arrows as `skips`, to a node."""
    places: dict[Item, int] = field(default_factory=dict)
    """Each node to the volume that shows its output, or the last before it."""


def row_of(picture: Picture, flow: MainPath) -> Row:
    """Return the volumes of a flow: where paths part, the longest, or one volume for all if several have layers."""
    row = Row()
    _collect(picture, flow, flow.parts, row)
    row.skips += [(start, row.places[end], projects) for start, end, projects in row.passing if end in row.places]
    row.heads = [_side_head((row.places[start],), nodes, flow) for start, nodes in flow.heads if start in row.places]
    row.heads += [_side_head(starts, nodes, flow) for starts, nodes in row.exits]
    for taker, nodes in row.entries:
        if taker in row.places:
            row.heads.append(_side_head((row.places[taker],), nodes, flow))
            row.heads[-1].enters = True
    return _folded(row)


def _volume(node: Item, flow: MainPath) -> Volume:
    shape, axes = shape_and_axes(node, flow)
    return Volume(node, tensor(shape, axes), shape=shape, maps=maps(shape, axes))


def _side_head(places: tuple[int, ...], nodes: Sequence[Item], flow: MainPath) -> SideHead:
    first, last = nodes[0], nodes[-1]
    layers = [node for node in nodes if isinstance(node, DrawingNode)]
    name = first if isinstance(first, str) else (len(layers) > 1 and _common(layers)) or layers[-1].name
    volumes = [_volume(node, flow) for node in nodes if node is last or _shows(node)]
    shape = shape_and_axes(first if isinstance(first, str) else last, flow)[0]
    return SideHead(places, f"{cut(name, LONGEST_NAME)}, {size_text(shape)}", volumes)


def _shows(node: Item) -> bool:
    return isinstance(node, str) or bool(node.group) or category(node) != "shape"


def _folded(row: Row) -> Row:
    """Return the row with long runs of equal volumes drawn once, with their number."""
    folded, new_place = Row(heads=row.heads, hides=row.hides), {}
    inner = {start for start, _, _ in row.skips} | {end for _, end, _ in row.skips}
    place = 0
    for _, group in groupby(row.volumes, key=_likeness):
        run = list(group)
        if len(run) > MOST_ALIKE and not inner.intersection(range(place, place + len(run))):
            run[0].count, kept = len(run), run[:1]
        else:
            kept = run
        for at in range(len(run)):
            new_place[place + at] = len(folded.volumes) + min(at, len(kept) - 1)
        folded.volumes += kept
        place += len(run)
    for head in folded.heads:
        head.places = tuple(new_place[place] for place in head.places)
    folded.skips = [(new_place[start], new_place[end], projects) for start, end, projects in row.skips]
    return folded


def _likeness(volume: Volume) -> tuple[object, ...]:
    """Return what equal volumes have in common; a group's name does not matter."""
    node = volume.node
    is_layer = isinstance(node, DrawingNode) and not node.group and not volume.module
    return volume.tensor, volume.kind, operation(node) if is_layer and isinstance(node, DrawingNode) else ""


def _collect(picture: Picture, flow: MainPath, parts: Sequence[Part], row: Row) -> None:
    for at, part in enumerate(parts):
        if isinstance(part, FlowStep):
            joined = isinstance(part.node, DrawingNode) and part.node.joins
            volume = _volume(part.node, flow)
            same = bool(row.volumes) and row.volumes[-1].tensor == volume.tensor
            if not (same and (joined or volume.kind == "pooling")):
                row.volumes.append(volume)
            row.places[part.node] = len(row.volumes) - 1
            continue
        after = parts[at + 1] if at + 1 < len(parts) else None
        if isinstance(part, Fork) and not part.direct and (longest := _longest(part)):
            main, beside = longest
            if not row.volumes and isinstance(after, FlowStep):
                _collect(picture, flow, main, row)
                row.entries += [(after.node, nodes) for nodes in beside]
                continue
            if row.volumes and after is None and parts is flow.parts:
                row.exits += [((len(row.volumes) - 1,), nodes) for nodes in beside]
                _collect(picture, flow, main, row)
                continue
        join = after.node if isinstance(after, FlowStep) else None
        if isinstance(part, Tangle) and _add_row(picture, flow, part, join, row):
            continue
        long = [] if isinstance(part, Tangle) else [one for one in part.branches if _works(one, part.adds)]
        if isinstance(part, Fork) and len(long) <= 1 and row.volumes:
            start = len(row.volumes) - 1
            main = long[0] if long else max(part.branches, key=len)
            others = [one for one in part.branches if one is not main]
            _collect(picture, flow, main, row)
            joined = isinstance(after, FlowStep) and isinstance(after.node, DrawingNode)
            end = len(row.volumes) - 1
            if (
                joined
                and isinstance(after, FlowStep)
                and tensor(*shape_and_axes(after.node, flow)) != row.volumes[-1].tensor
            ):
                end += 1
            if end > start + 1 or (end > start and part.direct):
                row.skips += [(start, end, any(map(_projects, nodes_in(other)))) for other in others]
                row.skips += [(start, end, False)] * part.direct
            continue
        row.hides |= isinstance(part, Tangle)
        nodes = [node for node in nodes_in((part,)) if isinstance(node, DrawingNode)]
        node = after.node if isinstance(after, FlowStep) and isinstance(after.node, DrawingNode) else nodes[-1]
        scope = _common(nodes)
        block = picture.network.groups.get(scope, "")
        name = block or scope.rpartition(".")[2] or "module"
        row.volumes.append(replace(_volume(node, flow), words=name, inside=scope, module=tuple(nodes)))
        row.places |= dict.fromkeys(nodes, len(row.volumes) - 1)


def _add_row(picture: Picture, flow: MainPath, tangle: Tangle, join: Item | None, row: Row) -> bool:
    """Add a tangle as a row with arrows and side heads; return False if it is none."""
    path = unrolled(tangle, join)
    if path is None or any(len(side.nodes) > MOST_BESIDE for side in (*path.inputs, *path.outputs)):
        return False
    before = max(len(row.volumes) - 1, 0)
    _collect(picture, flow, [FlowStep(node) for node in path.main], row)
    row.passing += [(row.places.get(start, before), end, projects) for start, end, projects in path.arrows]
    row.entries += [(side.links[0], [*side.nodes]) for side in path.inputs]
    for side in path.outputs:
        row.exits.append((tuple(sorted({row.places.get(start, before) for start in side.links})), [*side.nodes]))
    return True


def _longest(fork: Fork) -> tuple[Sequence[Part], list[list[Item]]] | None:
    """Return the branch with the most layers, and the layers of each other one; None if one of these has many."""
    main = max(fork.branches, key=lambda branch: sum(1 for _ in nodes_in(branch)))
    beside = [list(nodes_in(branch)) for branch in fork.branches if branch is not main]
    return (main, beside) if all(len(nodes) <= MOST_BESIDE for nodes in beside) else None


def _projects(node: Item) -> bool:
    return isinstance(node, DrawingNode) and bool(node.main.params)


def _works(branch: Sequence[Part], adds: bool) -> bool:
    """True for a path with layers; where paths are added, beyond one projection. It is not drawn as an arrow."""
    return sum(1 for node in nodes_in(branch) if isinstance(node, DrawingNode) and category(node) != "shape") > adds


def _common(nodes: Sequence[DrawingNode]) -> str:
    paths = [node.name.split(".")[:-1] for node in nodes]
    common = paths[0]
    for path in paths[1:]:
        same = [a == b for a, b in zip(common, path, strict=False)]
        common = common[: same.index(False) if False in same else len(same)]
    return ".".join(common)
