"""The style `blocks`: a box for each stage with the number of its blocks, and each kind of block once, enlarged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing.colors import mix
from archcalc.render.drawing.labels import LABELS, cut, lines, operation
from archcalc.render.drawing.picture import Cluster, DrawingNode, Item, Picture, scope_of
from archcalc.render.figures.column import ColumnStyle
from archcalc.render.figures.flow import flow_of, nodes_in
from archcalc.render.figures.labels import text_box
from archcalc.render.figures.look import SMALL, TEXT, Look, Page
from archcalc.render.figures.scene import Scene
from archcalc.render.figures.solids import stage_size

PITCH, PADDING, GAP = TEXT * 1.35, 5.0, 11.0
PANEL = 9.0
"""Inside a panel, around the block."""
ASIDE = 34.0
MOST_PANELS = 4
LONGEST_INPUTS = 48
"""Letters of what all inputs are called together."""
MOST_INSIDE = 24
"""A block with more boxes is not enlarged."""


@dataclass
class Stage:
    """One box: a layer, or equal kinds of blocks in a row."""

    path: str
    """Of its first block, or of its layer."""
    parent: str
    """The group around it."""
    block: str = ""
    follows: bool = True
    """True if it takes the output of the stage before it."""
    blocks: list[list[DrawingNode]] = field(default_factory=list)
    """The nodes of each block."""

    @property
    def typical(self) -> list[DrawingNode]:
        """The block to enlarge: the last that adds its input, as most do."""
        return _with_join(self.blocks[::-1])

    @property
    def last(self) -> DrawingNode:
        """The node that computes its output."""
        return self.blocks[-1][-1]

    @property
    def place(self) -> tuple[int, ...]:
        """The size of its output's maps; nothing for a vector."""
        return stage_size(self.last)


def stages_of(picture: Picture) -> list[Stage]:
    """Return the stages of a network in the order of execution; side outputs are left out."""
    stages: list[Stage] = []
    taken = _taken(picture)
    for path, block, nodes in _units(picture.root):
        nodes = [node for node in nodes if not node.auxiliary]
        if not nodes or (not block and len(nodes) == 1 and nodes[0].category == "shape"):
            continue
        parent = path.rpartition(".")[0]
        pairs = [(source, node) for source in stages[-1].blocks[-1] for node in nodes] if stages else []
        follows = not taken.isdisjoint(pairs)
        alike = follows and (stages[-1].parent, stages[-1].block) == (parent, block)
        if alike and _goes_on(stages[-1], nodes[-1]):
            stages[-1].blocks.append(nodes)
        else:
            stages.append(Stage(path, parent, block, follows or not stages, [nodes]))
    return stages


def _taken(picture: Picture) -> set[tuple[Item, DrawingNode]]:
    """Return which node takes which; what only changes a shape is passed over."""
    passes: dict[Item, Item] = {edge.target: edge.source for edge in picture.edges if edge.target.category == "shape"}

    def origin(node: Item) -> Item:
        while node in passes:
            node = passes[node]
        return node

    return {(source, edge.target) for edge in picture.edges for source in (edge.source, origin(edge.source))}


def _goes_on(stage: Stage, after: DrawingNode) -> bool:
    """True if a layer or block is like those of a stage: of the same output, or with channels that a concat adds."""
    before = stage.last
    if not stage.block and operation(before) != operation(after):
        return False
    return before.form == after.form if after.concatenates else before.output_shape == after.output_shape


def _units(cluster: Cluster) -> Iterator[tuple[str, str, list[DrawingNode]]]:
    """Yield layers and blocks; of a group, what is in it, and of a block that only holds blocks of one kind too."""
    for child in cluster.children:
        if isinstance(child, DrawingNode):
            yield child.name, "", [child]
            continue
        kinds = [inner.block for inner in child.children if isinstance(inner, Cluster)]
        holds_blocks = len(kinds) > 1 and len(kinds) == len(child.children) and len(set(kinds)) == 1 and kinds[0]
        if not child.block or holds_blocks:
            yield from _units(child)
        else:
            yield child.path, child.block, list(child.nodes())


def draw_blocks(
    picture: Picture, stages: Sequence[Stage], labels: tuple[str, ...] | None, look: Look, page: Page, scene: Scene
) -> None:
    """Add the stages from top to bottom, and panels with what is inside their blocks."""
    words = [_words(stage, labels) for stage in stages]
    width = (
        max(scene.measure(text, TEXT, index == 0) for each in words for index, text in enumerate(each)) + 3 * PADDING
    )
    places = list(dict.fromkeys(stage.place for stage in stages))
    inputs = ", ".join(f"{name} {shape_text(entry.output_shape)}" for name, entry in picture.inputs.items())
    input_words = cut(inputs, LONGEST_INPUTS)
    width = max(width, scene.measure(input_words, TEXT) + 3 * PADDING)
    y = _box(scene, 0.0, [input_words], width, look.paper, look)
    sides: dict[str, tuple[float, float]] = {}
    for stage, said in zip(stages, words, strict=True):
        if stage.follows:
            scene.arrow(((0, y), (0, y + GAP)), look.line)
        plain = not stage.block and stage.last.category in ("pooling", "merge", "normalization")
        fill = look.paper if plain else look.stages[places.index(stage.place) % len(look.stages)]
        with scene.showing(stage.last.shown_layer):
            bottom = _box(scene, y + GAP, said, width, fill, look)
        if len(stage.blocks) > 1:
            for step in (2.0, 4.0):
                left, right, top, low = step - width / 2, step + width / 2, y + GAP + step, bottom + step
                points = ((width / 2, top), (right, top), (right, low), (left, low), (left, bottom))
                scene.line(points, look.line, width=0.6)
        sides.setdefault(stage.block, (y + GAP, bottom))
        y = bottom + (4.0 if len(stage.blocks) > 1 else 0.0)
    _panels(picture, stages, sides, width / 2 + 4, look, page, scene)


def _words(stage: Stage, labels: tuple[str, ...] | None) -> list[str]:
    times = f" ×{len(stage.blocks)}" if len(stage.blocks) > 1 else ""
    name = (stage.block or operation(stage.last)) + times
    own = cut((stage.parent or stage.path) if times else stage.path) if stage.block else ""
    if labels is None:
        return [name, " · ".join(filter(None, (own, shape_text(stage.last.output_shape))))]
    whole = replace(stage.last, layers=[row for nodes in stage.blocks for node in nodes for row in node.layers], head=0)
    said = {"name": own or cut(stage.path), "op": name}
    texts = (said.get(label) or "".join(lines(whole, (label,))) for label in LABELS if label in labels)
    return [text for text in texts if text] or [" "]


def _box(scene: Scene, y: float, texts: Sequence[str], width: float, fill: str, look: Look) -> float:
    """Add a box below a height; return its lower end."""
    return y + text_box(scene, (0.0, y), width, texts, PITCH, PADDING, fill, look, bold=len(texts) > 1)


def _panels(
    picture: Picture,
    stages: Sequence[Stage],
    sides: dict[str, tuple[float, float]],
    edge: float,
    look: Look,
    page: Page,
    scene: Scene,
) -> None:
    """Add a panel for each kind of block that fits the page, those that occur most first."""
    counts = Counter(stage.block for stage in stages if stage.block for _ in stage.blocks)
    often = {block for block, _ in counts.most_common(MOST_PANELS)}
    left, _, _, bottom = scene.bounds()
    x, y = edge + ASIDE, 0.0
    widest = 0.0
    for block in (name for name in counts if name in often):
        panel = _panel(
            picture, block, _with_join([stage.typical for stage in stages if stage.block == block]), look, scene
        )
        if panel is None:
            continue
        if y and y + panel.height > max(bottom, page.height * 0.6):
            x, y, widest = x + widest + ASIDE / 2, 0.0, 0.0
        if x + panel.width - left > page.width:
            continue
        scene.add(panel, x, y)
        if x == edge + ASIDE:
            begin, end = sides[block]
            scene.line(((edge, begin), (x, y)), look.faint, dashed=True, width=0.6)
            scene.line(((edge, end), (x, y + panel.height)), look.faint, dashed=True, width=0.6)
        y += panel.height + GAP
        widest = max(widest, panel.width)


def _panel(picture: Picture, block: str, nodes: Sequence[DrawingNode], look: Look, empty: Scene) -> Scene | None:
    """Return a panel with the layers of a block; None if they are too many, or none is drawn."""
    flow = flow_of(picture, nodes)
    if len(nodes) > MOST_INSIDE or not any(isinstance(node, DrawingNode) for node in nodes_in(flow.parts)):
        return None
    column = ColumnStyle(picture, flow, ("op",), look, empty)
    column.in_one_stage = True  # So that all panels have the colors of operators.
    inside, panel, path = column.sequence(flow.parts), column.new(), cut(scope_of(nodes))
    titles = max(panel.measure(text, TEXT, True) for text in (block, path))
    panel.width = max(inside.left + inside.right, titles) + 2 * PANEL
    panel.height = inside.height + 2 * PANEL + 2 * PITCH + GAP
    panel.box(0, 0, panel.width, panel.height, mix(look.faint, look.paper, 0.88), look.faint, "panel")
    panel.text(PANEL, PANEL + TEXT * 0.7, block, TEXT, look.ink, bold=True, anchor="start")
    panel.text(PANEL, PANEL + TEXT * 0.7 + PITCH, path, SMALL, look.ink, anchor="start")
    middle, top = (panel.width + inside.left - inside.right) / 2, PANEL + 2 * PITCH
    panel.add(inside.scene, middle, top)
    panel.arrow(((middle, top + inside.height), (middle, top + inside.height + GAP)), look.line)
    return panel


def _with_join(blocks: Sequence[list[DrawingNode]]) -> list[DrawingNode]:
    """Return the first block with a join; without one, the first."""
    return next((nodes for nodes in blocks if any(node.joins for node in nodes)), blocks[0])
