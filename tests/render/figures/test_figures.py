"""Figures: measured as they are drawn, and compared with the papers' own figures."""

from __future__ import annotations

import io
import itertools
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.language.library import loads
from archcalc.render.drawing import engine
from archcalc.render.drawing.drawing import DrawingOptions
from archcalc.render.drawing.picture import compose
from archcalc.render.figures.figure import FigureOptions, figure, write_figure
from archcalc.render.figures.flow import flow_of
from archcalc.render.figures.fonts import VERA, open_font
from archcalc.render.figures.graph import draw_graph
from archcalc.render.figures.lanes import lanes
from archcalc.render.figures.look import LOOKS, PAGES, open_page
from archcalc.render.figures.scene import Path, TextLine, extent
from archcalc.render.figures.solids import DrawingScale, DrawnTensor

SVG = "{http://www.w3.org/2000/svg}"
OWN = """
name: own
title: 'A <&"> network \\end{document} of our own'
input: [3, 96, 96]
layers:
  - {conv: 16, kernel: 3, padding: 1, name: 'first<&"_layer_with_a_name_that_is_far_too_long_for_any_box_of_a_figure'}
  - relu
  - name: body
    layers:
      - for: {w: [16, 32, 64, 96, 128, 160, 192]}
        layers:
          - concat:
              - - {conv: w, kernel: 3, padding: 1}
                - {conv: w, kernel: 3, padding: 1}
              - - {conv: w, kernel: 1}
                - {conv: w, kernel: 5, padding: 2}
  - {global_avg_pool}
  - flatten
  - {linear: 10, name: last}
"""
NETWORKS = [
    "lenet5",
    "alexnet",
    "vgg16",
    "googlenet",
    "resnet34",
    "densenet121",
    "unet",
    "mobilenet_v2",
    "vit_b_16",
    "own",
]
STYLES = ["volumes", "paper", "blocks"]


def analyzed(name: str):
    return (loads(OWN) if name == "own" else archcalc.load(name)).analyze()


def drawn(name: str, style: str, **options):
    return figure(analyzed(name), FigureOptions(style=style, **options))


def labels(scene) -> list[TextLine]:
    return [item for item in scene.items if isinstance(item, TextLine)]


def words(scene) -> list[str]:
    return [text.text for text in labels(scene)]


def boxes(scene, role="box") -> list[Path]:
    return [item for item in scene.items if isinstance(item, Path) and item.role == role]


def overlap(first, other) -> bool:
    """True if two convex polygons overlap: no side of either separates them."""
    for polygon in (first, other):
        for (x, y), (next_x, next_y) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
            across = (y - next_y, next_x - x)
            shadows = [[a * across[0] + b * across[1] for a, b in points] for points in (first, other)]
            if max(shadows[0]) <= min(shadows[1]) + 0.05 or max(shadows[1]) <= min(shadows[0]) + 0.05:
                return False
    return True


def rectangle(points) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


@pytest.fixture(scope="module")
def figures():
    return {(name, style): drawn(name, style) for name in NETWORKS for style in STYLES}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_collides_nothing_is_cut_and_everything_can_be_read(figures, name, style):
    scene = figures[name, style]
    texts = labels(scene)
    assert texts
    for first, other in itertools.combinations(texts, 2):
        assert not overlap(first.corners(VERA), other.corners(VERA)), (first.text, other.text)
    page = PAGES["a4"]
    assert scene.width <= page.width + 10.01
    assert scene.height <= page.height + 10.01
    for item in scene.items:
        left, top, right, bottom = rectangle(extent(item, VERA))
        assert left >= 0
        assert top >= 0
        assert right <= scene.width + 0.01
        assert bottom <= scene.height + 0.01
    assert min(text.size for text in texts) >= 6


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_label_is_in_a_box_or_beside_it(figures, name, style):
    scene = figures[name, style]
    for text in labels(scene):
        left, top, right, bottom = rectangle(text.corners(VERA))
        for box in [*boxes(scene), *boxes(scene, "panel"), *boxes(scene, "front"), *boxes(scene, "side")]:
            if overlap(text.corners(VERA), box.points):
                box_left, box_top, box_right, box_bottom = rectangle(box.points)
                assert box_left <= left, text.text
                assert box_right >= right, text.text
                assert box_top <= top + 0.5, text.text
                assert box_bottom >= bottom - 0.5, text.text


def test_boxes_keep_the_scale():
    """Heights follow the square root of a size, widths the cube root of the channels, and nothing vanishes."""
    tensors = [
        DrawnTensor(channels, size, size, False) for channels, size in ((3, 224), (64, 112), (512, 14), (8, 1), (64, 2))
    ]
    scale = DrawingScale.of(tensors)
    large, small = scale.solid(DrawnTensor(64, 200, 200, False)), scale.solid(DrawnTensor(512, 50, 50, False))
    assert large.up / small.up == pytest.approx(2)
    assert large.back / small.back == pytest.approx(2)
    assert small.across / large.across == pytest.approx(2)
    assert min(min(solid.up, solid.across, solid.back) for solid in map(scale.solid, tensors)) >= 3


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg16"])
def test_equal_shapes_are_equal_boxes_and_larger_ones_are_larger(figures, name):
    fronts = [rectangle(box.points) for box in boxes(figures[name, "volumes"], "front")]
    heights = [bottom - top for _, top, _, bottom in fronts]
    analysis = analyzed(name)
    rows = [row for row in analysis.rows if row.layer.op.category in ("convolution", "pooling")]
    # VGG's adaptive pool changes nothing, and is not drawn.
    layers = [row.output_shape for row in rows if not row.layer.op.kind.startswith("adaptive")]
    sizes = [analysis.network.inputs["input"][-1], *(shape[-1] for shape in layers)]
    for (size, height), (other, other_height) in itertools.combinations(zip(sizes, heights, strict=False), 2):
        if size >= other:
            assert height >= other_height - 0.01


def test_resnet34_is_the_papers_figure(figures):
    """He et al. 2016, figure 3: 33 convolutions and a linear layer, 16 shortcuts, three of them dotted."""
    scene = figures["resnet34", "paper"]
    kinds = [text.split()[0] for text in words(scene)]
    assert kinds.count("conv") == 33
    assert kinds.count("linear,") == 1
    arcs = [item for item in scene.items if isinstance(item, Path) and item.role == "arc"]
    assert (len(arcs), sum(arc.dashed for arc in arcs)) == (16, 3)
    assert {"112×112", "56×56", "28×28", "14×14", "7×7"} <= set(words(scene))


def test_googlenet_is_the_papers_figure(figures):
    """Szegedy et al. 2015, figure 3: 57 convolutions, one more in each of two side heads, and nine concatenations."""
    kinds = [text.split()[0] for text in words(figures["googlenet", "paper"])]
    assert kinds.count("conv") == 57 + 2
    assert kinds.count("concat") == 9
    assert kinds.count("max_pool") == 4 + 9


def test_unet_is_the_papers_figure(figures):
    """Ronneberger et al. 2015, figure 1: the sizes and channels of every map, and four copies across."""
    scene = figures["unet", "volumes"]
    sizes = [572, 570, 568, 284, 282, 280, 140, 138, 136, 68, 66, 64, 32, 30, 28]
    sizes += [56, 54, 52, 104, 102, 100, 200, 198, 196, 392, 390, 388]
    assert [text for text in words(scene) if text.endswith("²")] == [f"{size}²" for size in sizes]
    channels = [1, 64, 64, 64, 128, 128, 128, 256, 256, 256, 512, 512, 512, 1024, 1024]
    channels += [1024, 512, 512, 512, 256, 256, 256, 128, 128, 128, 64, 64, 2]
    assert [text for text in words(scene) if text.isdecimal()] == list(map(str, channels))
    whites = [box for box in boxes(scene) if box.fill == LOOKS["light"].paper]
    assert len(whites) == 4 + 1  # four copies, and the input


def test_mobilenet_v2_is_the_papers_table(figures):
    """Sandler et al. 2018, table 2: the number n of bottlenecks in each row, and their channels c."""
    said = words(figures["mobilenet_v2", "blocks"])
    counts = [text for text in said if text.startswith("inverted_residual")][:-1]
    numbers = [int(text.rpartition("×")[2]) if "×" in text else 1 for text in counts]
    assert sorted(numbers) == sorted([1, 2, 3, 4, 3, 3, 1])
    assert {f"features · {channels}" for channels in (24, 32, 64, 96, 160)} <= {text.partition("×")[0] for text in said}


def test_densenets_layers_are_drawn_once(figures):
    """Huang et al. 2017, table 1: 6, 12, 24 and 16 layers."""
    assert [text for text in words(figures["densenet121", "paper"]) if text[0] == "×"] == ["×6", "×12", "×24", "×16"]


def test_vgg16_says_channels_and_sizes_once_a_stage(figures):
    """Simonyan and Zisserman 2015, table 1, configuration D."""
    said = words(figures["vgg16", "volumes"])
    assert {"64 ×2", "128 ×2", "256 ×3", "512 ×3", "224×224", "112×112", "4096 ×2, 1000"} <= set(said)
    assert said.count("512 ×3") == 2


def test_a_figure_is_the_same_each_time_and_its_pdf_has_its_fonts():
    first, again = (drawn("lenet5", "volumes") for _ in range(2))
    for format in ("svg", "pdf", "png", "tikz"):
        assert write_figure(first, format) == write_figure(again, format)
    pdf = write_figure(first, "pdf")
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/FontFile2") == pdf.count(b"/Type /FontDescriptor") == 2
    assert b"Helvetica" not in pdf
    assert write_figure(first, "png").startswith(b"\x89PNG")


def test_text_stays_text_and_names_are_only_text():
    svg = write_figure(drawn("own", "paper", labels=("name", "op")), "svg")
    texts = ["".join(one.itertext()) for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert any(text.startswith('first<&"_layer') and "…" in text for text in texts)
    assert ElementTree.fromstring(svg).find(f"{SVG}title").text == 'A <&"> network \\end{document} of our own'


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize(("name", "style"), [("own", "paper"), ("unet", "volumes")])
def test_tikz_compiles_alone_and_inside_a_document(tmp_path, name, style):
    scene = drawn(name, style, labels=("name", "op", "shape") if name == "own" else None)
    (tmp_path / "figure.tex").write_bytes(write_figure(scene, "tikz"))
    (tmp_path / "host.tex").write_text(
        "\\documentclass{article}\\usepackage{tikz}\\begin{document}Before. \\input{figure} After.\\end{document}"
    )
    for file in ("figure", "host"):
        ran = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", file],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "tikz.sty' not found" in ran.stdout:
            pytest.skip("TikZ is not installed")
        assert ran.returncode == 0, ran.stdout[-2000:]
        assert file == "host" or "(1 page," in ran.stdout


@pytest.mark.parametrize("orient", ["down", "right"])
@pytest.mark.parametrize("page", ["letter", "16:9", "85x200mm", "7x9in"])
def test_pages(orient, page):
    scene = drawn("resnet34", "paper", page=page, orient=orient)
    room = open_page(page)
    assert scene.width <= room.width * room.scale + 10 * room.scale + 0.01
    assert scene.height <= room.height * room.scale + 10 * room.scale + 0.01
    assert min(text.size for text in labels(scene)) >= 6


@pytest.mark.parametrize("theme", list(LOOKS))
def test_words_can_be_read_in_every_theme(theme):
    from archcalc.render.drawing.colors import contrast

    scene = drawn("googlenet", "paper", theme=theme)
    fills = {box.fill for box in boxes(scene)} | {scene.paper}
    assert min(contrast(text.color, fill) for text in labels(scene) for fill in fills) >= 4.5


@pytest.mark.parametrize("name", ["vgg16", "unet", "googlenet"])
def test_print_needs_no_color(name):
    for style in STYLES:
        for item in drawn(name, style, theme="print").items:
            for color in (item.color,) if isinstance(item, TextLine) else (item.fill, item.stroke):
                assert not color or color[1:3] == color[3:5] == color[5:7]


def test_a_part_of_a_network():
    scene = drawn("resnet34", "paper", first="layer2.1", last="layer2.2")
    assert [text for text in words(scene) if text.startswith("conv")] == ["conv 3×3, 128"] * 4
    assert "input 128×28×28" in words(scene)
    assert len([item for item in scene.items if isinstance(item, Path) and item.role == "arc"]) == 2
    assert not any(text.startswith("max_pool") for text in words(drawn("vgg16", "paper", hide=("pooling",))))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first": "layer9"}, "--from: no layer or group is called 'layer9'"),
        ({"first": "layer3", "last": "layer1"}, "comes after"),
        ({"page": "a5x"}, "--page takes"),
        ({"page": "nanx20"}, "--page takes"),
        ({"page": "40x40mm"}, "does not fit its page"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(UserError, match=message):
        drawn("resnet34", "paper", **options)


def test_a_font_that_is_none(tmp_path):
    file = tmp_path / "broken.ttf"
    file.write_bytes(b"\0\1\0\0" + b"x" * 200)
    with pytest.raises(UserError, match=r"cannot use 'broken\.ttf' as a font"):
        open_font(str(file))


def test_letters_that_the_font_lacks():
    analysis = loads("input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, name: 卷积}]\n").analyze()
    scene = figure(analysis, FigureOptions(labels=("name",)))
    assert "卷积" in write_figure(scene, "svg").decode()
    for format in ("pdf", "png"):
        with pytest.raises(UserError, match="font has no 卷 积: give one that has with --font"):
            write_figure(scene, format)


def test_a_network_that_no_page_holds():
    analysis = loads("input: [3, 8, 8]\nlayers:\n  - {repeat: 3000, conv: 3, kernel: 1}\n").analyze()
    with pytest.raises(UserError, match="does not fit its page"):
        figure(analysis, FigureOptions(style="paper"))
    assert "×3000" in words(figure(analysis, FigureOptions(style="volumes")))


def test_lanes():
    spans = [(0, 3), (3, 5), (1, 2), (0, 9), (6, 8)]
    chosen = lanes(spans)
    assert chosen == [1, 0, 0, 2, 0]
    for (first, lane), (other, other_lane) in itertools.combinations(zip(spans, chosen, strict=True), 2):
        assert lane != other_lane or first[1] <= other[0] or other[1] <= first[0]


def test_a_text_turned_takes_its_room_upwards():
    text = TextLine(10, 20, "wide words", 8, "#000000", anchor="start", angle=90)
    left, top, right, bottom = rectangle(text.corners(VERA))
    assert bottom - top == pytest.approx(VERA.width("wide words", 8))
    assert right - left == pytest.approx(8)
    assert math.isclose(bottom, 20)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_graph_is_written_as_pdf_and_tikz_without_graphviz(monkeypatch, theme):
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)
    pdf, tikz = (draw_graph(analyzed("googlenet"), format, DrawingOptions(theme=theme)) for format in ("pdf", "tikz"))
    assert pdf.startswith(b"%PDF")
    assert b"Helvetica" not in pdf
    # Szegedy et al. 2015, figure 3: 57 convolutions, and one in each side head.
    assert tikz.count(b" conv ") == 57 + 2


def test_forks_inside_forks_without_end():
    """Each layer's input is added again after all layers inside: forks nested far deeper than Python's stack."""
    depth = 1500
    layers = [f"{{conv: 3, kernel: 1, name: d{at}}}" for at in range(depth)]
    last = f"d{depth - 1}"
    for at in range(depth - 2, -1, -1):
        layers.append(f"{{add, from: [{last}, d{at}], name: u{at}}}")
        last = f"u{at}"
    analysis = loads(f"input: [3, 8, 8]\nlayers: [{', '.join(layers)}]\n").analyze()
    with pytest.raises(UserError, match="does not fit its page"):
        figure(analysis, FigureOptions(style="paper"))


def test_a_branch_of_one_layer_is_drawn_where_branches_are_concatenated():
    """Szegedy et al. 2017, figure 3: Inception-v4's stem has a pooling beside a convolution, twice."""
    said = words(drawn("inception_v4", "paper"))
    assert said.count("max_pool 3×3 / 2") == 4  # two in the stem, one in each reduction
    spec = "input: [3, 8, 8]\nlayers: [{concat: [[{conv: 4, kernel: 1}], [{conv: 8, kernel: 1}]]}, {linear: 2}]\n"
    scene = figure(loads(spec).analyze(), FigureOptions(style="paper"))
    assert {"conv 1×1, 4", "conv 1×1, 8"} <= set(words(scene))


def test_blocks_has_no_arrow_between_stages_that_are_side_by_side():
    """GPT-2 adds the embeddings of tokens and positions: neither takes the other."""
    said = words(drawn("gpt2", "blocks"))
    assert "embedding ×2" not in said
    assert said.count("embedding") == 2
    # LeNet-5: a box for the input and for each of seven layers, flatten left out, and an arrow to each layer.
    assert len(boxes(drawn("lenet5", "blocks"), "head")) == 7


def test_flat_lenet_is_the_papers_figure():
    """LeCun et al. 1998, figure 2: 6 maps of 28×28 as six squares, then 6 of 14×14, 16 of 10×10, 16 of 5×5."""
    scene = drawn("lenet5", "volumes", flat=True)
    sides = [(box[2] - box[0], box[3] - box[1]) for box in (rectangle(each.points) for each in boxes(scene, "front"))]
    squares = [round(wide, 2) for wide, tall in sides if abs(wide - tall) < 0.01]
    runs = [(side, len(list(group))) for side, group in itertools.groupby(squares)]
    assert [count for _, count in runs[:3]] == [1, 6, 6]
    assert [side for side, _ in runs] == sorted((side for side, _ in runs), reverse=True)
    assert runs[1][0] / runs[2][0] == pytest.approx(math.sqrt(28 / 14), rel=0.01)
    assert len(boxes(scene, "window")) == 5  # C1, S2, C3, S4, C5
    texts = labels(scene)
    for first, other in itertools.combinations(texts, 2):
        assert not overlap(first.corners(VERA), other.corners(VERA)), (first.text, other.text)


@pytest.mark.parametrize("flat", [False, True])
def test_side_heads_of_volumes(flat):
    """Szegedy et al. 2015, figure 3: after modules 4a and 4d, each average pooling, a convolution, and two vectors."""
    scene = drawn("googlenet", "volumes", flat=flat)
    assert [text for text in words(scene) if text.startswith("aux")] == ["aux2, 1000", "aux1, 1000"]
    dashed = [item for item in scene.items if isinstance(item, Path) and item.role == "arrow" and item.dashed]
    assert len(dashed) == 2
    fronts = boxes(scene, "front")
    for arrow, head in zip(dashed, ("aux2", "aux1"), strict=True):
        (x, y), (right, high) = arrow.points[0], arrow.points[-1]
        assert high < y
        assert right > x
        assert len({box.of for box in fronts if box.of.startswith(head)}) == 4
    for first, other in itertools.combinations(labels(scene), 2):
        assert not overlap(first.corners(VERA), other.corners(VERA)), (first.text, other.text)


def test_many_side_heads_are_above_each_other():
    heads = "".join(
        f"  - {{conv: 8, kernel: 3, padding: 1}}\n"
        f"  - {{name: exit{at}, side: [{{conv: 64, kernel: 1}}, global_avg_pool, flatten, {{linear: 10}}]}}\n"
        for at in range(6)
    )
    scene = figure(
        loads(f"input: [3, 32, 32]\nlayers:\n{heads}  - {{conv: 1, kernel: 1}}\n").analyze(), FigureOptions()
    )
    said = [text for text in labels(scene) if text.text.startswith("exit")]
    assert len(said) == 6
    areas = [rectangle(box.points) for box in boxes(scene, "front") if box.of.startswith("exit")]
    for first, other in itertools.combinations(areas, 2):
        assert first[2] <= other[0] or other[2] <= first[0] or first[3] <= other[1] or other[3] <= first[1]


@pytest.mark.parametrize("flat", [False, True])
def test_side_inputs_of_volumes(flat):
    """The longest way from an input is the row; the others come from above, each to where it is joined."""
    spec = """
inputs: {image: [3, 64, 64], depth: [1, 64, 64], meta: [12]}
layers:
  - {conv: 16, kernel: 3, from: image, name: a}
  - {conv: 32, kernel: 3, from: depth, name: b}
  - {concat, from: [a, b], name: c}
  - global_avg_pool
  - flatten
  - {linear: 16, name: f}
  - {linear: 16, from: meta, name: m}
  - {add, from: [f, m]}
  - {linear: 2}
"""
    scene = figure(loads(spec).analyze(), FigureOptions(flat=flat))
    assert {"depth, 1×64×64", "meta, 12", "image"} <= set(words(scene))
    fronts = {box.of: rectangle(box.points) for box in boxes(scene, "front") if box.of}
    assert fronts["b"][3] < fronts["c"][1]
    assert fronts["m"][3] < fronts["f"][1]
    assert fronts["a"][0] < fronts["c"][0] < fronts["f"][0]
    for first, other in itertools.combinations(labels(scene), 2):
        assert not overlap(first.corners(VERA), other.corners(VERA)), (first.text, other.text)


def test_a_network_that_ends_in_two_outputs():
    """The longer way is the row, and the other a side head, clear of the volume that it leaves."""
    spec = """
input: [3, 32, 32]
layers:
  - {conv: 8, kernel: 3, padding: 1, name: a}
  - {conv: 4, kernel: 1, name: b}
  - {conv: 32, kernel: 3, stride: 2, from: a, name: c}
  - flatten
  - {linear: 4, name: d}
outputs: [b, d]
"""
    scene = figure(loads(spec).analyze(), FigureOptions())
    assert "b, 4×32×32" in words(scene)
    solids = [*boxes(scene, "front"), *boxes(scene, "side"), *boxes(scene, "top")]
    areas = {name: [rectangle(box.points) for box in solids if box.of == name] for name in "abcd"}
    assert areas["a"][0][0] < areas["c"][0][0] < areas["d"][0][0]
    assert max(area[3] for area in areas["b"]) < min(area[1] for area in areas["a"])


def test_blocks_name_every_input():
    spec = (
        "inputs: {image: [3, 8, 8], depth: [1, 8, 8]}\nlayers: [{concat, from: [image, depth]}, {conv: 4, kernel: 1}]\n"
    )
    assert words(figure(loads(spec).analyze(), FigureOptions(style="blocks")))[0] == "image 3×8×8, depth 1×8×8"


def test_only_equal_layers_are_drawn_once():
    """GPT-2 (Radford et al. 2019) has 12 blocks after an embedding of the same size."""
    said = words(drawn("gpt2", "volumes"))
    assert "×12" in said
    assert "×13" not in said


LAYER_SCALE = """
input: [8, 8, 8]
layers:
  - {conv: 8, kernel: 1, name: first}
  - {conv: 8, kernel: 3, padding: 1, name: branch}
  - {parameter: [8, 1, 1], from: input, name: gamma}
  - {mul, from: [branch, gamma], name: scaled}
  - {add, from: [first, scaled]}
  - global_avg_pool
  - flatten
  - {linear: 2}
"""


def test_weights_that_scale_are_no_branch():
    """LayerScale of ConvNeXt (Liu et al. 2022) multiplies a branch by a vector of weights: no arrow from the input."""
    scene = figure(loads(LAYER_SCALE).analyze(), FigureOptions(style="paper"))
    assert words(scene)[1:5] == ["conv 1×1, 8", "conv 3×3, 8", "global_avg_pool 8×8", "linear, 2"]
    assert len([item for item in scene.items if isinstance(item, Path) and item.role == "arc"]) == 1
    edges = compose(loads(LAYER_SCALE).analyze()).edges
    assert {edge.target.name for edge in edges if edge.source.name == "input"} == {"first"}


def test_nothing_to_draw_is_refused():
    reshapes = loads("input: [3, 8, 8]\nlayers: [flatten]\n").analyze()
    for style in STYLES:
        with pytest.raises(UserError, match="leaves nothing to draw"):
            drawn("alexnet", style, hide=("convolution", "linear", "pooling", "shape"))
        with pytest.raises(UserError, match="no layers that only change a shape"):
            drawn("alexnet", style, hide=("convolution", "linear", "pooling"))
        with pytest.raises(UserError, match="no layers that only change a shape"):
            figure(reshapes, FigureOptions(style=style))


def test_lines_of_a_wrapped_row_are_about_as_wide():
    """VGG-16 as stacks of maps needs two lines; neither is a leftover."""
    scene = drawn("vgg16", "volumes", flat=True)
    lines = [text for text in labels(scene) if "×" in text.text and text.anchor == "middle"]
    lowest = max(text.y for text in lines)
    last = [box for box in boxes(scene, "front") if rectangle(box.points)[3] > lowest - 60]
    assert max(rectangle(box.points)[2] for box in last) > scene.width / 2


def test_tokens_have_no_stack():
    """ViT-B/16: 197 tokens of 768 features are a matrix, one sheet (Dosovitskiy et al. 2021)."""
    scene = drawn("vit_b_16", "volumes", flat=True)
    assert len([box for box in boxes(scene, "front") if box.of == "encoder.pos_embedding"]) == 1
    assert len([box for box in boxes(scene, "front") if box.of == "conv_proj"]) > 6


def test_files_are_of_real_size():
    """A figure 300 pt wide is 300 / 72 inches wide in every format."""
    from PIL import Image

    scene = drawn("lenet5", "volumes")
    svg = ElementTree.fromstring(write_figure(scene, "svg"))
    assert float(svg.get("width").removesuffix("pt")) == pytest.approx(scene.width, abs=0.01)
    png = Image.open(io.BytesIO(write_figure(scene, "png")))
    assert png.width / png.info["dpi"][0] * 72 == pytest.approx(scene.width, rel=0.002)
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", write_figure(scene, "pdf"))
    assert float(box[1]) == pytest.approx(scene.width, abs=0.01)


def test_concatenations_are_bundles():
    """Huang et al. 2017, figure 1: a layer takes all before it. A sum (He et al. 2016) and a gate have one line."""
    # Four dense blocks, each layer drawn once; 3 + 4 + 6 + 3 basic blocks in runs, the first of three apart. In Howard
    # et al. 2019, table 2, 9 blocks have a gate, and 6 have a sum; of each, two are drawn once for two.
    for name, arcs, lines in (("densenet121", 4, 3), ("resnet34", 7, 1), ("mobilenet_v3_small", 7 + 4, 1)):
        scene = drawn(name, "paper", collapsed=True)
        assert len([item for item in boxes(scene, "arc") if item.curved]) == arcs * lines


def passing(scene) -> list[Path]:
    """The arrows above a row, from one volume past others."""
    return [item for item in scene.items if isinstance(item, Path) and item.role == "arrow" and len(item.points) >= 4]


def test_paths_that_cross_are_a_row_with_arrows_around_it():
    """YOLOv3-tiny: the map of 26×26 is used again after the upsampling, and the coarse output leaves at the side."""
    scene = drawn("yolov3_tiny", "volumes")
    assert "module" not in words(scene)
    assert "side, 255×13×13" not in words(scene)
    assert any(text.endswith("255×13×13") for text in words(scene))
    assert len(passing(scene)) == 1
    fronts = {box.of: rectangle(box.points) for box in boxes(scene, "front") if box.of}
    assert fronts["coarse"][3] < fronts["deepest.conv"][1]


def test_every_map_of_ssd_leads_to_both_heads():
    """Liu et al. 2016, figure 2: six maps lead to the detections."""
    scene = drawn("ssd300_vgg16", "volumes")
    dashed = [item for item in scene.items if isinstance(item, Path) and item.role in ("line", "arrow") and item.dashed]
    feet = {round(item.points[0][0]) for item in dashed if item.points[0][0] == item.points[1][0]}
    assert len(feet) >= 6
    assert len(passing(scene)) >= 4


def test_a_feature_pyramid_is_a_u_with_outputs_at_the_right():
    """Lin et al. 2017, figure 3: sums with the maps across, and an output at each level."""
    scene = drawn("fpn_resnet50", "volumes")
    assert {"256, 100²", "256, 50²", "256, 13²", "added"} <= set(words(scene))
    assert "copy" not in words(scene)


SMALL_U = """
input: [3, 64, 64]
layers:
  - {conv: 16, kernel: 3, padding: 1, name: e0}
  - {conv: 16, kernel: 3, padding: 1, name: f0}
  - {conv: 32, kernel: 3, stride: 2, padding: 1, name: e1}
  - {conv: 64, kernel: 3, stride: 2, padding: 1, name: e2}
  - {upsample: 2, from: e1, name: larger}
  - {conv_transpose: 32, kernel: 2, stride: 2, from: e2, name: u1}
  - {concat, from: [e1, u1], name: k1}
  - {conv: 32, kernel: 3, padding: 1, name: d1}
  - {conv_transpose: 16, kernel: 2, stride: 2, name: u0}
  - {concat, from: [f0, u0, OTHER], name: k0}
  - {conv: 2, kernel: 1, name: out}
"""


@pytest.mark.parametrize("other", ["e0", "larger"])
def test_no_u_hides_an_arrow(other):
    """Two copies to one map, or a path between levels, have no place in a U: the network is a row."""
    scene = figure(loads(SMALL_U.replace("OTHER", other)).analyze(), FigureOptions())
    assert "copy" not in words(scene)
    assert len(passing(scene)) == 3


def test_one_arrow_leads_to_a_volume_that_also_shows_a_sum():
    """`f` has the shape of `d` and no volume of its own: what `a` leads to through `c` and through `e` is one place."""
    spec = """
input: [3, 64, 64]
layers:
  - {conv: 16, kernel: 3, padding: 1, name: a}
  - {conv: 32, kernel: 3, stride: 2, padding: 1, name: b}
  - {conv: 16, kernel: 3, stride: 2, padding: 1, from: a, name: c}
  - {concat, from: [b, c], name: d}
  - {conv: 48, kernel: 1, from: c, name: e}
  - {add, from: [d, e], name: f}
  - {conv: 10, kernel: 1, name: g}
"""
    assert len(passing(figure(loads(spec).analyze(), FigureOptions()))) == 1


def test_a_group_with_weights_is_no_plain_shortcut():
    """The group begins with an activation; its convolution makes the arrow past `b` a dashed one."""
    spec = """
input: [16, 32, 32]
layers:
  - {conv: 16, kernel: 3, padding: 1, name: a}
  - {conv: 16, kernel: 3, padding: 1, name: b}
  - {name: gate, from: a, layers: [tanh, {conv: 16, kernel: 1}, sigmoid]}
  - {mul, from: [b, gate], name: m}
  - {conv: 16, kernel: 1, from: gate, name: q}
  - {conv: 16, kernel: 1, from: m, name: r}
  - {add, from: [q, r], name: t}
  - {conv: 4, kernel: 1, name: z}
"""
    around = passing(figure(loads(spec).analyze(), FigureOptions(depth=1)))
    assert around
    assert all(arrow.dashed for arrow in around)


def test_outputs_that_are_apart_have_one_height():
    """An output stands over the arrows, not over an output far from it."""
    spec = """
input: [3, 64, 64]
layers:
  - {conv: 16, kernel: 3, padding: 1, name: a}
  - {conv: 32, kernel: 3, stride: 2, padding: 1, name: b}
  - {conv: 64, kernel: 3, stride: 2, padding: 1, name: c}
  - {conv: 8, kernel: 1, from: b, name: lb}
  - {conv: 8, kernel: 1, from: c, name: lc}
  - {upsample: 2, name: uc}
  - {add, from: [lb, uc], name: m}
  - {conv: 8, kernel: 3, padding: 1, name: pb}
  - {conv: 4, kernel: 1, from: lc, name: oc}
  - {conv: 4, kernel: 1, from: a, name: oa}
outputs: [pb, oc, oa]
"""
    scene = figure(loads(spec).analyze(), FigureOptions())
    fronts = {box.of: rectangle(box.points) for box in boxes(scene, "front")}
    assert fronts["oa"][3] == pytest.approx(fronts["oc"][3])


def test_a_panel_has_the_path_of_its_block():
    """Also if a convolution with its normalization and activation is all of it."""
    said = words(drawn("mobilenet_v2", "blocks"))
    assert {"features.0", "features.3"} <= set(said)
    assert "features.0.0" not in said


def test_layers_of_groups_that_are_taken_up_again_are_in_their_order():
    """Res2Net calls its layers convs.0, bns.0, convs.1, …: the first volume is the input nevertheless."""
    flow = flow_of(compose(analyzed("res2net50")))
    assert [part.node.name for part in flow.parts[:3]] == [
        "input",
        "conv1",
        "maxpool",
    ]


@pytest.mark.parametrize("style", STYLES)
def test_a_network_of_a_free_tensor_alone(style):
    spec = "input: [3, 4, 4]\nlayers:\n  - {parameter: [3, 4, 4], name: p}\n  - {sigmoid, name: s}\n"
    assert boxes(figure(loads(spec).analyze(), FigureOptions(style=style)), "box" if style != "volumes" else "front")


def test_a_side_input_that_is_taken_twice_has_two_arrows():
    spec = """
inputs: {map: [3, 64, 64], guide: [3, 64, 64]}
layers:
  - {conv: 3, kernel: 3, padding: 1, from: map, name: a1}
  - {add, from: [a1, guide], name: f1}
  - {conv: 3, kernel: 3, padding: 1, name: a2}
  - {add, from: [a2, guide], name: f2}
  - {conv: 3, kernel: 3, padding: 1, name: a3}
"""
    scene = figure(loads(spec).analyze(), FigureOptions())
    arrows = [item for item in scene.items if isinstance(item, Path) and item.role == "arrow" and len(item.points) == 3]
    assert len({arrow.points[0] for arrow in arrows}) == 1
    assert len({arrow.points[-1] for arrow in arrows}) == 2


def test_a_module_of_inputs_that_cross_shows_them():
    """Each of two paths takes from the other: no row says that, but the inputs are there."""
    spec = """
inputs: {rgb: [3, 64, 64], depth: [1, 64, 64]}
layers:
  - {conv: 16, kernel: 3, padding: 1, from: rgb, name: a1}
  - {conv: 16, kernel: 3, padding: 1, from: depth, name: b1}
  - {add, from: [a1, b1], name: f1}
  - {conv: 32, kernel: 3, padding: 1, stride: 2, from: f1, name: a2}
  - {conv: 32, kernel: 3, padding: 1, stride: 2, from: b1, name: b2}
  - {add, from: [a2, b2], name: f2}
"""
    assert {"rgb", "depth, 1×64×64", "module"} <= set(words(figure(loads(spec).analyze(), FigureOptions())))
