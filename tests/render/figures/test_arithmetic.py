"""The style `arithmetic`: what a frame shows, against PyTorch and the numbers of textbooks."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

import pytest

from archcalc.errors import UserError
from archcalc.render.figures.arithmetic import frames, numbers, parse
from archcalc.render.figures.channels import channel_frames
from archcalc.render.figures.figure import FigureOptions, arithmetic
from archcalc.render.figures.fonts import VERA
from archcalc.render.figures.look import LOOKS
from archcalc.render.figures.scene import Path, TextLine

SVG = "{http://www.w3.org/2000/svg}"
OPERATORS = [
    ("conv 2x2", (3, 3)),
    ("conv 3x3 s2 p1", (5, 5)),
    ("conv 3x2 s2 p1 d2", (7, 6)),
    ("conv_transpose 2x2", (2, 2)),
    ("conv_transpose 3x3 s2 p1", (3, 2)),
    ("max_pool 2x2", (4, 5)),
    ("max_pool 3x3 s2 p1", (5, 5)),
    ("avg_pool 3x3 s1 p1", (4, 4)),
    ("avg_pool 2x3", (4, 6)),
]


def test_the_sums_are_the_textbooks():
    """Zhang et al., Dive into Deep Learning (2023), section 7.2: 0·0 + 1·1 + 3·2 + 4·3 = 19, then 25, 37 and 43."""
    _, results, said = numbers(parse("conv 2x2", (3, 3)))
    assert said[0] == "0·0+1·1+3·2+4·3 = 19"
    assert list(results.values()) == [19, 25, 37, 43]


@pytest.mark.parametrize(("text", "sizes"), OPERATORS)
def test_results_are_pytorchs(text, sizes):
    torch = pytest.importorskip("torch")
    sliding = parse(text, sizes)
    image = torch.arange(sizes[0] * sizes[1], dtype=torch.float64).reshape(1, 1, *sizes)
    height, width = sliding.window
    kernel = torch.arange(height * width, dtype=torch.float64).reshape(1, 1, height, width)
    settings = {"stride": sliding.stride, "padding": sliding.padding}
    functional = torch.nn.functional
    expected = {
        "conv": lambda: functional.conv2d(image, kernel, dilation=sliding.dilation, **settings),
        "conv_transpose": lambda: functional.conv_transpose2d(image, kernel, dilation=sliding.dilation, **settings),
        "max_pool": lambda: functional.max_pool2d(image, sliding.window, **settings),
        "avg_pool": lambda: functional.avg_pool2d(image, sliding.window, **settings),
    }[sliding.kind]()
    _, results, _ = numbers(sliding)
    assert [float(value) for value in results.values()] == pytest.approx(expected.flatten().tolist())
    assert sliding.output == tuple(expected.shape[2:])


@pytest.mark.parametrize(("text", "sizes"), OPERATORS)
def test_a_frame_has_every_cell_once_and_numbers_inside_them(text, sizes):
    sliding = parse(text, sizes)
    scenes = frames(sliding, True, LOOKS["light"], VERA, text)
    assert len(scenes) == len(sliding.places)
    under, over = (sliding.output, sliding.size) if sliding.spreads else (sliding.size, sliding.output)
    padded = [size + 2 * sliding.padding for size in under]
    for scene in scenes:
        cells = [item for item in scene.items if isinstance(item, Path) and item.role == "cell"]
        assert len(cells) == padded[0] * padded[1] + over[0] * over[1]
        kernel = [item for item in scene.items if isinstance(item, Path) and item.role == "kernel"]
        assert len(kernel) == (sliding.window[0] * sliding.window[1] if "conv" in text else 0)
        widest = max(x for x, _ in cells[0].points) - min(x for x, _ in cells[0].points)
        texts = [item for item in scene.items if isinstance(item, TextLine)][:-1]
        assert all(VERA.width(item.text, item.size) < widest for item in texts)


def test_a_figure_and_an_animation():
    from PIL import Image

    options = FigureOptions()
    for size in (5, 7):  # the 16 frames of 7×7 fit in three columns, not in two
        assert arithmetic("conv 3x3 s2 p1", (size, size), False, "svg", options).startswith(b"<svg")
    animation = Image.open(io.BytesIO(arithmetic("conv 3x3 s2 p1", (5, 5), False, "gif", options)))
    assert animation.n_frames == 9


@pytest.mark.parametrize(
    ("text", "sizes", "message"),
    [
        ("conv", (5, 5), "takes an operator such as"),
        ("linear 3x3", (5, 5), "takes an operator such as"),
        ("conv 3x3 q1", (5, 5), "takes an operator such as"),
        ("conv 3x3", None, "needs the sizes of its input"),
        ("conv 3x3", (5,), "needs the sizes of its input"),
        ("conv 9x9", (5, 5), "the kernel spans 9"),
        ("conv 3x3 s0", (5, 5), "stride must be an integer above 0"),
        ("conv 3x3", (10**9, 10**9), "at most 64 places"),
    ],
)
def test_mistakes(text, sizes, message):
    with pytest.raises(UserError, match=message):
        parse(text, sizes)


def marked(scene) -> int:
    """The number of dark cells: those of the window and of what it computes."""
    fills = [item.fill for item in scene.items if isinstance(item, Path) and item.role == "cell"]
    dark = {LOOKS["light"].stages[group] for group in range(4)} | {LOOKS["light"].fill("linear")}
    return sum(fill in dark for fill in fills)


def test_each_group_sees_its_own_maps():
    """PyTorch, Conv2d: with groups=2, each half of the input channels gives a half of the output channels."""
    sliding = parse("conv 3x3 g2", (4, 4, 4))
    scenes = channel_frames(sliding, LOOKS["light"], VERA, "")
    assert len(scenes) == 2 * 2 * 2
    assert {marked(scene) for scene in scenes} == {2 * 9 + 2}
    assert {text.text for scene in scenes for text in scene.items if isinstance(text, TextLine)} == {
        "group 1",
        "group 2",
    }


def test_separable_is_depthwise_and_then_across_the_maps():
    """Howard et al., MobileNets, 2017, figure 2."""
    sliding = parse("separable 3x3 f2", (3, 4, 4))
    assert (sliding.groups, sliding.filters, sliding.output) == (3, 2, (2, 2))
    scenes = channel_frames(sliding, LOOKS["light"], VERA, "")
    assert [marked(scene) for scene in scenes] == [3 * 9 + 3] * 4 + [3 + 2] * 4


@pytest.mark.parametrize(
    ("text", "sizes", "said"),
    [
        ("conv 3x3 g2", (3, 4, 4), "groups"),
        ("max_pool 2x2 g2", (4, 4), "max_pool does the same on every map"),
        ("conv_transpose 2x2 f2", (2, 2), "drawn on one map"),
        ("conv 3x3 f9", (4, 4), "8 maps"),
    ],
)
def test_maps_that_are_not_drawn(text, sizes, said):
    with pytest.raises(UserError, match=said):
        parse(text, sizes)


def test_an_animation_has_a_frame_for_each_place():
    from PIL import Image

    for format, kind in (("gif", "GIF"), ("apng", "PNG")):
        image = Image.open(io.BytesIO(arithmetic("conv 2x2", (3, 4), True, format, FigureOptions())))
        assert (image.format, image.n_frames) == (kind, 6)
    svg = ElementTree.fromstring(arithmetic("conv 2x2", (3, 4), True, "moving svg", FigureOptions()))
    frames = [group for group in svg.iter(f"{SVG}g") if "frame" in group.get("class", "")]
    assert [frame.get("style") for frame in frames] == [f"animation-delay:{700 * at}ms" for at in range(6)]
    # Where nothing moves, the first is seen, and only that.
    style = next(svg.iter(f"{SVG}style")).text
    assert "prefers-reduced-motion" in style
    assert [frame.get("class") for frame in frames] == ["frame first", *["frame"] * 5]


def test_numbers_are_for_one_map():
    with pytest.raises(UserError, match="--numbers is for one map"):
        arithmetic("conv 2x2 g2", (3, 3), True, "svg", FigureOptions())
