"""An analysis as a figure for a paper or a slide, in any format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from archcalc.analysis import Analysis
from archcalc.errors import UserError
from archcalc.render.drawing.drawing import LONG, TooLarge
from archcalc.render.drawing.part import PictureOptions, part_of
from archcalc.render.drawing.picture import Picture, compose, group_depths
from archcalc.render.drawing.repetition import collapse
from archcalc.render.figures.arithmetic import draw_frames, frames, parse
from archcalc.render.figures.blocks import draw_blocks, stages_of
from archcalc.render.figures.channels import channel_frames
from archcalc.render.figures.columns import draw_column
from archcalc.render.figures.flow import MainPath, flow_of, nodes_in
from archcalc.render.figures.fonts import open_font
from archcalc.render.figures.look import LOOKS, SMALL, Look, Page, open_page
from archcalc.render.figures.moving import to_moving
from archcalc.render.figures.pdf import to_pdf, to_png
from archcalc.render.figures.rows import row_of
from archcalc.render.figures.scene import Scene, TextLine
from archcalc.render.figures.sheets import FlatScale
from archcalc.render.figures.solids import DrawingScale
from archcalc.render.figures.svg import to_svg
from archcalc.render.figures.tikz import to_tikz
from archcalc.render.figures.ushape import draw_u, is_u
from archcalc.render.figures.volumes import draw_row
from archcalc.structs import Struct
from archcalc.words import quote

FORMATS = ("svg", "pdf", "png", "tikz")
MOVING = ("gif", "apng", "moving svg")
"""How an operator is animated."""
LEAST_TEXT = 6.0
"""No text of a figure on its page is smaller, in points."""
MOST_VOLUMES = 40
MOST_BOXES = 160
MOST_LAYERS = 4_000
"""A network with more layers is drawn by its groups only."""


class FigureOptions(PictureOptions):
    """The options of a figure."""

    style: str = "volumes"
    page: str = "a4"
    font: str | None = None
    """A TrueType file; None for the font of figures."""
    flat: bool = False
    """True to draw feature maps as stacks of flat sheets; for volumes."""
    orient: str = "down"
    """`down`, or `right`; for columns of layers."""


class Canvas(Struct):
    """An empty scene, and what all figures of a call have in common."""

    empty: Scene
    look: Look
    page: Page

    def draw(self, draw: Callable[[Look, Page, Scene], None]) -> Scene:
        """Return a new scene that ``draw`` has filled."""
        scene = Scene(self.empty.font, self.empty.paper, self.empty.title)
        draw(self.look, self.page, scene)
        return scene


def figure(analysis: Analysis, options: FigureOptions) -> Scene:
    """Return the figure of a network, in points, within its page.

    Raises `TooLarge` where its text would have to be smaller than 6 pt.
    """
    page, look = open_page(options.page), LOOKS[options.theme]
    empty = Scene(open_font(options.font), look.paper, analysis.network.about.title or analysis.network.name)
    return fit(_STYLES[options.style](analysis, options, Canvas(empty, look, page)), page, analysis.network.name)


def fit(scenes: Iterable[Scene], page: Page, name: str) -> Scene:
    """Return the first scene that fits a page with text of at least 6 pt, at its size there.

    Raises `TooLarge` if none does.
    """
    fitted = next(filter(None, (_fitted(scene, page) for scene in scenes)), None)
    if fitted is not None:
        return fitted
    raise TooLarge(
        f"the figure of {name} does not fit its page with text of {LEAST_TEXT:g} pt: try --depth 1, "
        f"a larger --page, or a part of the network with --from and --to"
    )


def arithmetic(
    text: str, sizes: tuple[int, ...] | None, with_numbers: bool, format: str, options: FigureOptions
) -> bytes:
    """Return the figure of an operator's window that slides over its input, in one of `FORMATS` or `MOVING`."""
    sliding = parse(text, sizes)
    page, look, font = open_page(options.page), LOOKS[options.theme], open_font(options.font)
    several = max(sliding.channels, sliding.filters) > 1
    if several and with_numbers:
        raise UserError("--numbers is for one map: leave out groups, filters and channels")
    scenes = channel_frames(sliding, look, font, text) if several else frames(sliding, with_numbers, look, font, text)
    if format in MOVING:
        return to_moving(scenes, format)
    scene = Scene(font, look.paper, text)
    draw_frames(scenes, page, scene)
    fitted = _fitted(scene, page)
    if fitted is None:
        raise TooLarge(f"the frames of {quote(text)} do not fit the page: write a gif, or choose a larger --page")
    return write_figure(fitted, format)


def write_figure(scene: Scene, format: str) -> bytes:
    """Return a figure in one of `FORMATS`."""
    if format == "pdf":
        return to_pdf(scene)
    if format == "png":
        return to_png(scene)
    return (to_tikz(scene) if format == "tikz" else to_svg(scene)).encode()


def _fitted(scene: Scene, page: Page) -> Scene | None:
    """Return a figure at the size at which it fits the page, at most its own; None if its text would be too small."""
    left, top, right, bottom = scene.bounds()
    part = min(1.0, page.width / max(right - left, 1), page.height / max(bottom - top, 1))
    if part * page.scale * smallest(scene) < LEAST_TEXT - 0.005:
        return None
    return scene.cut(margin=5 * page.scale, scale=part * page.scale)


def smallest(scene: Scene) -> float:
    """Return the size of the smallest text."""
    return min((item.size for item in scene.items if isinstance(item, TextLine)), default=SMALL)


def _volumes(analysis: Analysis, options: FigureOptions, canvas: Canvas) -> Iterator[Scene]:
    """Yield figures with volumes for layers, then for groups; those that hide paths that cross come last."""
    hiding = []
    for picture in _pictures(analysis, options):
        shown = _part_drawn(picture, options)
        row = row_of(shown, _flow(shown, options))
        if len(row.volumes) > MOST_VOLUMES:
            continue
        draw = partial(draw_row, row, options.labels, FlatScale if options.flat else DrawingScale)
        if options.labels is None and is_u(row):
            yield canvas.draw(partial(draw_u, row))
        elif row.hides:
            hiding.append(draw)
        else:
            yield canvas.draw(draw)
    yield from map(canvas.draw, hiding)


def _paper(analysis: Analysis, options: FigureOptions, canvas: Canvas) -> Iterator[Scene]:
    """Yield figures with a box for each layer, then with equal blocks drawn once, then with boxes for groups."""
    for picture in _pictures(analysis, options):
        for collapsed in (False, True) if options.collapsed is None else (options.collapsed,):
            shown = _part_drawn(collapse(picture) if collapsed else picture, options)
            flow = _flow(shown, options)
            boxes = sum(1 for node in nodes_in(flow.parts) if not node.joins)
            if boxes <= (LONG if options.collapsed is None and not collapsed else MOST_BOXES):
                yield canvas.draw(partial(draw_column, shown, flow, options.labels, options.orient == "right"))


def _blocks(analysis: Analysis, options: FigureOptions, canvas: Canvas) -> Iterator[Scene]:
    """Yield figures with a box for each stage, then with boxes for groups."""
    for picture in _pictures(analysis, options):
        shown = _part_drawn(picture, options)
        stages = stages_of(shown)
        if len(stages) <= MOST_BOXES:
            yield canvas.draw(partial(draw_blocks, shown, stages, options.labels))


def _pictures(analysis: Analysis, options: FigureOptions) -> Iterator[Picture]:
    """Yield what to try to draw: every layer, then groups, each less deep than the last; or the depth asked for."""
    depths: list[int | None] = [*group_depths(analysis)]
    if options.depth is not None:
        depths = [options.depth]
    elif not depths or len(analysis.network.layers) <= MOST_LAYERS:
        depths.insert(0, None)
    for depth in depths:
        yield compose(analysis, depth=depth, every_layer=options.every_layer)


def _part_drawn(picture: Picture, options: FigureOptions) -> Picture:
    """Return the part that is drawn. Raises `UserError` if it has nothing but layers that change a shape."""
    shown = part_of(picture, options)
    if all(node.category == "shape" for node in shown.root.nodes() if not node.auxiliary):
        raise _nothing(options)
    return shown


def _flow(shown: Picture, options: FigureOptions) -> MainPath:
    """Return the flow of what is drawn. Raises `UserError` if nothing is left of it."""
    flow = flow_of(shown)
    if not flow.parts:
        raise _nothing(options)
    return flow


def _nothing(options: FigureOptions) -> UserError:
    return UserError(f"the style {options.style} draws no layers that only change a shape, and there are no others")


_STYLES: dict[str, Callable[[Analysis, FigureOptions, Canvas], Iterator[Scene]]] = {
    "volumes": _volumes,
    "paper": _paper,
    "blocks": _blocks,
}
STYLES = tuple(_STYLES)
"""What `--style` may name, beside the graph."""
