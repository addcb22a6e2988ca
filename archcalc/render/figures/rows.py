"""A network as a row of tensors: what the style `volumes` draws, with what repeats, shortcuts and side heads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest

from archcalc.analysis.rows import FOLDED
from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing.labels import cut, operation
from archcalc.render.drawing.picture import DrawingNode, InputNode, Item, Picture, category_of, scope_of
from archcalc.render.figures.flow import FlowStep, Fork, MainPath, Part, Tangle, nodes_in
from archcalc.render.figures.solids import DrawnTensor, Solid, maps, tensor
from archcalc.render.figures.unrolling import unrolled

NOTHING = Solid(0, 0, 0)
MOST_ALIKE = 8
"""A longer run of equal volumes is drawn once."""
MOST_BESIDE = 8
"""A side input with more layers is not drawn layer by layer."""
LONGEST_NAME = 20
"""Letters of a side head's name."""


@dataclass(eq=False)
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
    x: float = 0.0
    solid: Solid = NOTHING

    @property
    def kind(self) -> str:
        """The category that colors it."""
        if len(self.module) > 1:
            return category_of(row for node in self.module for row in node.layers)
        return (self.module or (self.node,))[0].category

    @property
    def thin(self) -> bool:
        """True if it is a slab: it does not change channels or have weights."""
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
    hides: bool = False
    """True if a volume hides paths that cross."""

    @property
    def all_volumes(self) -> list[Volume]:
        """Its volumes, and those of side heads."""
        return [*self.volumes, *(volume for head in self.heads for volume in head.volumes)]

    def places_of(self, volumes: Iterable[Volume]) -> dict[int, Volume]:
        """Return some of its volumes by their places."""
        place = {volume: index for index, volume in enumerate(self.volumes)}
        return {place[volume]: volume for volume in volumes}


def row_of(picture: Picture, flow: MainPath) -> Row:
    """Return the volumes of a flow: where paths part, the longest, or one volume for all if several have layers."""
    builder = _RowBuilder(picture, flow)
    builder.add(flow.parts, None)
    return _folded(builder.finished())


class _RowBuilder:
    """Puts the parts of a flow into a row."""

    def __init__(self, picture: Picture, flow: MainPath) -> None:
        self.picture = picture
        self.flow = flow
        self.row = Row()
        self.places: dict[Item, int] = {}
        """Each node to the volume that shows its output, or the last before it."""
        self.arrows: list[tuple[int, Item, bool]] = []
        """As `Row.skips`, to nodes that may have no place yet."""
        self.inputs: list[tuple[Sequence[Item], Sequence[Item]]] = []
        """Side inputs: the nodes that take each, and its nodes."""
        self.outputs: list[tuple[tuple[int, ...], Sequence[Item]]] = []
        """Side outputs: the places of the volumes that each takes, and its nodes."""

    @property
    def last(self) -> int:
        """The place of the last volume."""
        return max(len(self.row.volumes) - 1, 0)

    def finished(self) -> Row:
        """Return the row with its arrows and side heads."""
        places, flow = self.places, self.flow
        arrows = [(start, places[end], projects) for start, end, projects in self.arrows if end in places]
        # A projection beside a single volume is not drawn.
        shown = [(start, end, projects) for start, end, projects in arrows if end > start + projects]
        self.row.skips = [*dict.fromkeys(shown)]  # a sum in place of its volume has the same place
        outputs = [((places[start],), nodes) for start, nodes in flow.heads if start in places] + self.outputs
        self.row.heads = [_side_head(starts, nodes) for starts, nodes in outputs]
        taken = [(takers, nodes) for takers, nodes in self.inputs if places.keys() >= {*takers}]
        inputs = [(tuple(sorted({places[node] for node in takers})), nodes) for takers, nodes in taken]
        self.row.heads += [replace(_side_head(takers, nodes), enters=True) for takers, nodes in inputs]
        return self.row

    def add(self, parts: Sequence[Part], join: Item | None) -> None:
        """Add parts; ``join`` is the node that they lead to, None at the end of the network."""
        for part, after in zip_longest(parts, parts[1:]):
            following = after.node if isinstance(after, FlowStep) else join
            if isinstance(part, FlowStep):
                self.add_node(part.node)
            elif isinstance(part, Tangle):
                if not self.add_tangle(part, following):
                    self.row.hides = True
                    self.add_module(part, following)
            elif not self.add_fork(part, following):
                self.add_module(part, following)

    def add_node(self, node: Item) -> None:
        """Add a node as a volume, except a pooling or a join that does not change the shape."""
        volume = _volume(node)
        is_shown = not self.row.volumes or self.row.volumes[-1].tensor != volume.tensor
        if is_shown or not (node.joins or volume.kind == "pooling"):
            self.row.volumes.append(volume)
        self.places[node] = self.last

    def add_tangle(self, tangle: Tangle, join: Item | None) -> bool:
        """Add a tangle as a row with arrows and side heads; return False if it is none."""
        path = unrolled(tangle, join)
        if path is None or any(len(side.nodes) > MOST_BESIDE for side in (*path.inputs, *path.outputs)):
            return False
        before = self.last
        for node in path.main:
            self.add_node(node)
        self.arrows += [(self.places.get(start, before), end, projects) for start, end, projects in path.arrows]
        self.inputs += [(side.links, side.nodes) for side in path.inputs]
        for side in path.outputs:
            self.outputs.append((tuple(sorted({self.places.get(node, before) for node in side.links})), side.nodes))
        return True

    def add_fork(self, fork: Fork, join: Item | None) -> bool:
        """Add the branch that has layers of its own; return False if several have, and are not side heads."""
        main, others = _longest(fork.branches)
        is_short = all(len(nodes) <= MOST_BESIDE for nodes in others) and not fork.direct
        if is_short and join is not None and not self.row.volumes:
            self.add(main, join)
            self.inputs += [((join,), nodes) for nodes in others]
            return True
        if is_short and join is None and self.row.volumes:
            self.outputs += [((self.last,), nodes) for nodes in others]
            self.add(main, join)
            return True
        long = [branch for branch in fork.branches if _works(branch, fork.adds)]
        if len(long) > 1 or not self.row.volumes:
            return False
        start = self.last
        main = long[0] if long else max(fork.branches, key=len)
        self.add(main, join)
        if join is not None:
            beside = [nodes_in(branch) for branch in fork.branches if branch is not main]
            self.arrows += [(start, join, any(node.has_weights for node in nodes)) for nodes in beside]
            self.arrows += [(start, join, False)] * fork.direct
        return True

    def add_module(self, part: Fork | Tangle, join: Item | None) -> None:
        """Add one volume for all nodes of a part, after the inputs among them."""
        nodes = [node for node in nodes_in((part,)) if isinstance(node, DrawingNode)]
        inputs = [node for node in nodes_in((part,)) if isinstance(node, InputNode)]
        if inputs and not self.row.volumes:
            self.add_node(inputs.pop(0))
        self.inputs += [(nodes[:1], [node]) for node in inputs]
        scope = scope_of(nodes)
        name = self.picture.network.groups.get(scope, "") or scope.rpartition(".")[2] or "module"
        shown = join if isinstance(join, DrawingNode) else nodes[-1]
        self.row.volumes.append(replace(_volume(shown), words=name, inside=scope, module=tuple(nodes)))
        self.places |= dict.fromkeys(nodes, self.last)


def _longest(branches: Sequence[tuple[Part, ...]]) -> tuple[tuple[Part, ...], list[list[Item]]]:
    """Return the branch with the most nodes, and the nodes of each other one."""
    main = max(branches, key=lambda branch: sum(1 for _ in nodes_in(branch)))
    return main, [list(nodes_in(branch)) for branch in branches if branch is not main]


def _volume(node: Item) -> Volume:
    """Return the volume of a node; of equal blocks drawn once, that of the last."""
    return Volume(node, tensor(node.latest), maps=maps(node.latest))


def _side_head(places: tuple[int, ...], nodes: Sequence[Item]) -> SideHead:
    first, last = nodes[0], nodes[-1]
    layers = [node for node in nodes if isinstance(node, DrawingNode)]
    name = first.name if isinstance(first, InputNode) else (len(layers) > 1 and scope_of(layers)) or layers[-1].name
    volumes = [_volume(node) for node in nodes if node is last or node.group or node.category != "shape"]
    shape = (first if isinstance(first, InputNode) else last.latest).output_shape
    return SideHead(places, f"{cut(name, LONGEST_NAME)}, {shape_text(shape)}", volumes)


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
        for index in range(len(run)):
            new_place[place + index] = len(folded.volumes) + min(index, len(kept) - 1)
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


def _works(branch: Sequence[Part], adds: bool) -> bool:
    """True for a path with layers; where paths are added, beyond one projection. It is not drawn as an arrow."""
    return sum(1 for node in nodes_in(branch) if node.category not in ("shape", "input")) > adds
