"""The parts of a flow as slim boxes below each other, one for a layer, as the papers of ResNet and GoogLeNet do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing.labels import lines
from archcalc.render.drawing.picture import Cluster, DrawingNode, InputNode, Item, Picture
from archcalc.render.figures.flow import FlowStep, Fork, MainPath, Part, Tangle, nodes_in
from archcalc.render.figures.labels import text_box
from archcalc.render.figures.lanes import lanes
from archcalc.render.figures.look import TEXT, Look
from archcalc.render.figures.scene import HEAD, Scene
from archcalc.render.figures.solids import stage_size

PITCH = TEXT * 1.3
"""From one line of a label to the next."""
SIDES = 10.0
"""Of a box, left and right of its text together."""
GAPS = ((10.0, 4.0), (7.0, 4.0), (5.5, 2.5))
"""Between boxes, where the arrow is, and inside them: the usual, and those of columns that would not fit otherwise."""
ASIDE = 8.0
"""Between branches, and between a column and what is beside it."""
REACH, LANE = 10.0, 7.0
BUNDLE = (-1.3, 0.0, 1.3)
"""Where the lines of a bundle are, beside its middle."""
MOST_ALIKE = 0.7
"""If a larger part of the layers is of one stage, boxes are colored by operator."""
ALIKE = 1.5
"""Maps whose sides differ by less than this factor are of one stage: convolutions without padding take off a few."""


@dataclass
class ColumnBlock:
    """Something laid out: its entry at (0, 0), its exit below it at (0, height)."""

    scene: Scene
    left: float
    right: float
    height: float
    spine: dict[Item, tuple[float, float]] = field(default_factory=dict)
    """Upper and lower end of each box that is right below the entry."""


class ColumnStyle:
    """Lays out parts of a flow as boxes below each other."""

    def __init__(self, picture: Picture, flow: MainPath, labels: tuple[str, ...], look: Look, empty: Scene) -> None:
        self.flow, self.labels, self.look, self.empty = flow, labels, look, empty
        self.gap, self.padding = GAPS[0]
        self.counted = dict(_counted(picture.root))
        nodes = list(nodes_in(flow.parts))
        self.stages: dict[tuple[int, ...], int] = {}
        for node in nodes:
            self._note_stage(self.place(node))
        counts: Counter[int] = Counter()
        for node in nodes:
            times = sum(1 for _ in node.everything()) if isinstance(node, DrawingNode) else 1
            counts[self.stages[self.place(node)]] += times
        self.in_one_stage = max(counts.values(), default=0) > MOST_ALIKE * sum(counts.values())
        self.sizes = Counter(self.counted[node] for node in nodes if node in self.counted)
        self.widths: dict[Item, float] = {}
        heads = [node for _, group in flow.heads for node in group]
        self._note_widths(flow.parts, [*self._spine(flow.parts), *heads])

    def _note_stage(self, place: tuple[int, ...]) -> None:
        for other, stage in self.stages.items():
            near = len(place) == len(other) and all(
                max(pair) < ALIKE * min(pair) for pair in zip(place, other, strict=True)
            )
            if near:
                self.stages.setdefault(place, stage)
                return
        self.stages[place] = max(self.stages.values(), default=-1) + 1

    def _spine(self, parts: Sequence[Part]) -> Iterator[Item]:
        """Yield the nodes that are drawn below each other."""
        for part in parts:
            if isinstance(part, Fork):
                if self.is_arcs(part):
                    yield from self._spine(self._main(part))
            else:
                yield from nodes_in((part,))

    def _note_widths(self, parts: Sequence[Part], alike: Sequence[Item]) -> None:
        """Give nodes below each other one width."""
        texts = [text for node in alike for text in self.words(node)]
        width = max((self.empty.measure(text, TEXT) for text in texts), default=0.0) + SIDES
        self.widths |= dict.fromkeys(alike, width)
        for part in parts:
            if isinstance(part, Fork):
                for branch in [self._main(part)] if self.is_arcs(part) else part.branches:
                    inner = [node for node in self._spine(branch) if node not in self.widths]
                    self._note_widths(branch, inner)

    def place(self, node: Item) -> tuple[int, ...]:
        """Return the size that layers of a node's stage share; of equal blocks drawn once, that of the last."""
        return stage_size(node.latest)

    def words(self, node: Item) -> list[str]:
        """Return the lines of a node's label."""
        if isinstance(node, InputNode):
            return [f"{node.name} {shape_text(node.output_shape)}"]
        words = lines(node, self.labels) or [" "]
        if node.run:
            words[0] += f" ×{node.run[2]}"
        return words

    def new(self) -> Scene:
        """Return an empty scene with the figure's font."""
        return Scene(self.empty.font, self.empty.paper, self.empty.title)

    def box(self, node: Item) -> ColumnBlock:
        """Return one box."""
        scene, width = self.new(), self.widths[node]
        with scene.showing(node.shown_layer):
            height = text_box(
                scene, (0.0, 0.0), width, self.words(node), PITCH, self.padding, self.fill(node), self.look
            )
        return ColumnBlock(scene, width / 2, width / 2, height, {node: (0.0, height)})

    def fill(self, node: Item) -> str:
        """Return the color of a node's stage; white for what does not have weights, if there are several."""
        if isinstance(node, InputNode):
            return self.look.paper
        if self.in_one_stage:
            return self.look.fill(node.category)
        if node.category in ("pooling", "merge") or node.auxiliary:
            return self.look.paper
        return self.look.stages[self.stages[self.place(node)] % len(self.look.stages)]

    def sequence(self, parts: Sequence[Part]) -> ColumnBlock:
        """Return parts below each other, with arrows between them, and brackets around what is repeated."""
        scene, y, left, right = self.new(), 0.0, 0.0, 0.0
        spans: list[tuple[float, float]] = []
        spine: dict[Item, tuple[float, float]] = {}
        for index, part in enumerate(parts):
            before = parts[index - 1] if index else None
            block = self.part(part, before)
            if index and block.height:
                if isinstance(before, Fork) and not self.is_arcs(before):
                    y += 2
                else:
                    scene.arrow(((0, y), (0, y + self.gap)), self.look.line)
                    y += self.gap
            scene.add(block.scene, 0.0, y)
            spans.append((y, y + block.height))
            spine |= {node: (y + top, y + bottom) for node, (top, bottom) in block.spine.items()}
            y += block.height
            left, right = max(left, block.left), max(right, block.right)
        right = self._brackets(parts, spans, scene, right)
        return ColumnBlock(scene, left, right, y, spine)

    def part(self, part: Part, before: Part | None = None) -> ColumnBlock:
        """Return one part."""
        if isinstance(part, FlowStep):
            if isinstance(before, Fork) and self.is_arcs(before) and _is_plain_sum(part.node):
                return ColumnBlock(self.new(), 0.0, 0.0, 0.0)
            return self.box(part.node)
        if isinstance(part, Tangle):
            return self.tangle(part)
        return self.arcs(part) if self.is_arcs(part) else self.branches(part)

    def is_arcs(self, fork: Fork) -> bool:
        """True if all paths but one are shortcuts: empty, or one projection."""
        return len(self._long(fork)) <= 1

    def _long(self, fork: Fork) -> list[tuple[Part, ...]]:
        return [branch for branch in fork.branches if not (fork.adds and _is_shortcut(branch))]

    def _main(self, fork: Fork) -> tuple[Part, ...]:
        return (self._long(fork) or [max(fork.branches, key=len)])[0]

    def arcs(self, fork: Fork) -> ColumnBlock:
        """Return the one path with layers, and the others as arcs at its right, dashed where they project."""
        main = self._main(fork)
        block = self.sequence(main)
        others = [branch for branch in fork.branches if branch is not main]
        scene = block.scene
        shortcuts = [any(node.has_weights for node in nodes_in(branch)) for branch in others] + [False] * fork.direct
        for dashed in shortcuts:
            start, end, edge = -self.gap * 0.4, block.height + self.gap * 0.25, block.right + 2
            far = edge + REACH + min(block.height / 12, 10)
            # What is concatenated is a bundle of all outputs before it.
            for aside in BUNDLE if fork.concatenates else (0.0,):
                out, back, over = start + aside, end + aside, far - 2 * aside
                scene.line(((0, out), (edge - 4, out)), self.look.skip, dashed)
                scene.curve(((edge - 4, out), (over, out), (over, back), (edge - 4, back)), self.look.skip, dashed)
                if aside:
                    scene.line(((edge - 4, back), (HEAD, back)), self.look.skip, dashed)
            scene.arrow(((edge - 4, end), (0.5, end)), self.look.skip, dashed)
            block.right = edge - 4 + (far + 2 * max(BUNDLE) - edge + 4) * 0.75
        return block

    def branches(self, fork: Fork) -> ColumnBlock:
        """Return paths side by side; one that is empty is a line at the right."""
        blocks = [self.sequence(branch) for branch in fork.branches]
        height = max(block.height for block in blocks)
        total = sum(block.left + block.right for block in blocks) + ASIDE * (len(blocks) - 1)
        scene, x = self.new(), -total / 2
        bottom = height + 2 * self.gap
        for block in blocks:
            x += block.left
            # Like the papers: what is shorter ends where the longest ends.
            top = self.gap + height - block.height
            scene.arrow(((0, 0), (x, 0), (x, top)), self.look.line)
            scene.add(block.scene, x, top)
            scene.line(
                ((x, top + block.height), (x, bottom - self.gap / 2), (0, bottom - self.gap / 2)), self.look.line
            )
            x += block.right + ASIDE
        side = total / 2
        if fork.direct:
            side += ASIDE
            path = ((0, 0), (side, 0), (side, bottom - self.gap / 2), (0, bottom - self.gap / 2))
            scene.line(path, self.look.skip)
        scene.arrow(((0, bottom - self.gap / 2), (0, bottom + 2)), self.look.line)
        return ColumnBlock(scene, total / 2, side, bottom)

    def tangle(self, part: Tangle) -> ColumnBlock:
        """Return nodes in the order of execution, with an arc for each tensor that passes over others."""
        scene, y, middle = self.new(), 0.0, []
        inside = {node: index for index, node in enumerate(part.nodes)}
        for index, node in enumerate(part.nodes):
            block = self.box(node)
            if index:
                if part.nodes[index - 1] in part.sources[index]:
                    scene.arrow(((0, y), (0, y + self.gap)), self.look.line)
                y += self.gap
            scene.add(block.scene, 0.0, y)
            middle.append(y + block.height / 2)
            y += block.height
        spans = [
            (inside.get(source, -1), index)
            for index, taken in enumerate(part.sources)
            for source in taken
            if inside.get(source, -1) < index - 1 or (index == 0 and source not in inside)
        ]
        spans = [span for span in spans if span != (-1, 0)]
        half = self.widths[part.nodes[0]] / 2
        right = half
        for (start, end), lane in zip(spans, lanes(spans), strict=True):
            begin = middle[start] + 2.0 if start >= 0 else -self.gap * 0.4
            reach = REACH + LANE * lane
            if start < 0:
                scene.line(((0, begin), (half, begin)), self.look.skip)
            scene.arc((half, begin), (half, middle[end] - 2.0), reach, self.look.skip)
            right = max(right, half + HEAD + reach)
        return ColumnBlock(scene, half, right, y)

    def _brackets(self, parts: Sequence[Part], spans: list[tuple[float, float]], scene: Scene, right: float) -> float:
        """Add a bracket at the right of each run of equal blocks, with their number; return the right end."""
        places: dict[Cluster, list[int]] = {}
        drawn: Counter[Cluster] = Counter()
        for index, part in enumerate(parts):
            block = self.block_of(part)
            if block is not None:
                places.setdefault(block, []).append(index)
                drawn[block] += len(list(nodes_in((part,))))
        far = right
        for block, run in places.items():
            if drawn[block] < self.sizes[block]:
                continue
            top, bottom = spans[run[0]][0], spans[run[-1]][1]
            x = right + 5
            scene.line(((x - 3, top), (x, top), (x, bottom), (x - 3, bottom)), self.look.ink, width=0.7)
            text = f"×{block.count}"
            scene.text(x + 3, (top + bottom) / 2 + TEXT * 0.35, text, TEXT, self.look.ink, bold=True, anchor="start")
            far = max(far, x + 3 + scene.measure(text, TEXT, True))
        return far

    def block_of(self, part: Part) -> Cluster | None:
        """Return the repeated block that all nodes of a part are in."""
        blocks = {self.counted.get(node) for node in nodes_in((part,))}
        return blocks.pop() if len(blocks) == 1 else None


def _counted(cluster: Cluster) -> Iterator[tuple[Item, Cluster]]:
    """Yield every node of a repeated block with the outermost such block."""
    for child in cluster.children:
        if isinstance(child, Cluster):
            if child.count > 1:
                yield from ((node, child) for node in child.nodes())
            else:
                yield from _counted(child)


def _is_shortcut(branch: Sequence[Part]) -> bool:
    """True for a path of one layer, such as a projection."""
    nodes = list(nodes_in(branch))
    return len(nodes) == 1 and isinstance(nodes[0], DrawingNode) and not nodes[0].group


def _is_plain_sum(node: Item) -> bool:
    """True for a sum with at most one layer after it, which arrows into the next box show."""
    return isinstance(node, DrawingNode) and node.joins and node.adds and len(node.layers) <= 2
