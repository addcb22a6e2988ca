"""Drawings: what is in them, against the network's own graph, and as the engines really draw them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth

import archcalc
from archcalc.language.library import loads
from archcalc.render.drawing import engine
from archcalc.render.drawing.colors import DARK_STYLE, HEAT, THEMES, contrast, luminance, text_on
from archcalc.render.drawing.courses import beside, climbing, crossings
from archcalc.render.drawing.curves import on_curves
from archcalc.render.drawing.drawing import MOST_NODES, DrawingOptions, draw, picture_of, size
from archcalc.render.drawing.paint import by_category, by_cost
from archcalc.render.drawing.picture import compose
from archcalc.render.drawing.repetition import collapse
from archcalc.render.drawing.words import run

SVG = "{http://www.w3.org/2000/svg}"
NETWORKS = ["alexnet", "googlenet", "resnet50", "densenet121", "inception_v4", "nasnet_a_large", "swin_t", "vit_b_16"]


def analyzed(name: str):
    return archcalc.load(name).analyze()


def texts(svg: bytes) -> list[str]:
    return ["".join(one.itertext()).strip() for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_and_every_tensor_is_drawn(name):
    analysis = analyzed(name)
    graph = analysis.network.graph
    picture = compose(analysis, every_layer=True)
    assert {node.name for node in picture.root.nodes()} | set(analysis.network.inputs) == set(graph.nodes)
    edges = {(getattr(edge.source, "name", edge.source), edge.target.name) for edge in picture.edges}
    assert edges == set(graph.edges)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_collapsed_or_not_every_layer_stands_in_one_box(name, depth):
    analysis = analyzed(name)
    for picture in (compose(analysis, depth=depth), collapse(compose(analysis, depth=depth))):
        layers = [row.name for node in picture.root.nodes() for same in node.everything() for row in same.layers]
        assert sorted(layers) == sorted(layer.name for layer in analysis.network.layers)
        drawn = {*picture.root.nodes(), *picture.inputs.values()}
        assert all({edge.source, edge.target} <= drawn for edge in picture.edges)


def clusters(cluster):
    yield cluster
    for child in cluster.children:
        if hasattr(child, "children"):
            yield from clusters(child)


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        # Blocks of a stage after its first, whose shortcut is a projection: He et al. 2016, Table 1: 3, 8, 36, 3.
        ("resnet152", [2, 7, 35, 2]),
        # Layers of the four dense blocks: Huang et al. 2017, Table 1.
        ("densenet201", [6, 12, 48, 32]),
        # Inception-A, -B and -C: Szegedy et al. 2017, Figure 9: 4, 7, 3.
        ("inception_v4", [4, 7, 3]),
        # All of GoogLeNet's modules have their own widths: Szegedy et al. 2015, Table 1.
        ("googlenet", []),
    ],
)
def test_equal_blocks_are_drawn_once(name, runs):
    picture = picture_of(analyzed(name), DrawingOptions(collapsed=True))
    assert [cluster.count for cluster in clusters(picture.root) if cluster.count > 1] == runs


@pytest.mark.parametrize(
    "name", ["resnet152", "densenet201", "nasnet_a_large", "inception_resnet_v2", "efficientnet_b7"]
)
def test_a_long_network_gives_a_page_that_a_person_can_read(name):
    assert size(picture_of(analyzed(name), DrawingOptions())) <= 250


def test_blocks_with_other_inputs_are_not_collapsed():
    network = loads(
        "input: [4, 8, 8]\nblocks:\n  b: {params: {c: 4}, layers: [{conv: c, kernel: 1}]}\n"
        "layers:\n  - {b: 4, name: x}\n"
        "  - add: [[{b: 4, name: y, from: input}, {b: 4, name: z}], []]\n  - {b: 8, name: w}\n"
    )
    picture = collapse(compose(network.analyze()))
    assert [(one.path, one.last) for one in clusters(picture.root)][1:] == [("x", ""), ("y", "z"), ("w", "")]


@pytest.mark.parametrize("name", ["<script>", '"]; x [', "a&b;<b>", "\\n\\N", "x|y", "×…↦"])
def test_names_are_drawn_as_they_are(spec_file, name):
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    network = archcalc.load(
        spec_file(f'name: n\ntitle: "{quoted}"\ninput: [3, 8, 8]\nlayers: [{{conv: 4, kernel: 3, name: "{quoted}"}}]\n')
    )
    svg = draw(network.analyze(), "svg")
    tree = ElementTree.fromstring(svg)
    assert name in texts(svg)
    assert not list(tree.iter(f"{SVG}script"))
    assert len([one for one in tree.iter(f"{SVG}g") if one.get("class") == "node"]) == 2
    mermaid = draw(network.analyze(), "mermaid").decode()
    assert "<script" not in mermaid
    assert mermaid.count('"') == 4  # two boxes


def test_an_svg_follows_its_reader_into_the_dark():
    assert DARK_STYLE in draw(analyzed("alexnet"), "svg").decode()
    assert DARK_STYLE not in draw(analyzed("alexnet"), "svg", DrawingOptions(theme="dark")).decode()


def test_the_drawing_in_the_docs_is_of_today():
    docs = Path(__file__).resolve().parents[3] / "docs" / "images"
    for name, style in (("resnet50", DrawingOptions(depth=2, direction="LR", heat="macs")),):
        drawn = (docs / f"{name}.svg").read_bytes()
        assert sorted(texts(drawn)) == sorted(texts(draw(analyzed(name), "svg", style)))


def test_what_leaves_a_collapsed_run_has_the_shape_of_its_last_block():
    """DenseNet-121's first block ends with 256 maps (64 + 6·32, table 1 of the paper), whatever it begins with."""
    words = texts(draw(analyzed("densenet121"), "svg", DrawingOptions(collapsed=True)))
    assert "concat → 96 … 256×56×56" in words
    assert "96×56×56" not in words


def test_side_outputs_are_dashed():
    svg = draw(analyzed("googlenet"), "svg")
    assert "aux1 (training only)" in texts(svg)
    dashed = [one for one in ElementTree.fromstring(svg).iter(f"{SVG}path") if one.get("stroke-dasharray")]
    assert dashed


def test_heat_has_a_legend_up_to_the_costliest_box():
    analysis = analyzed("alexnet")
    svg = draw(analysis, "svg", DrawingOptions(heat="macs"))
    assert {"multiply-adds", "0", "224 M"} <= set(texts(svg))  # conv2: 27·27·192·64·25 = 223,948,800


@pytest.mark.parametrize(("format", "start"), [("svg", b"<?xml"), ("dot", b"digraph"), ("mermaid", b"flowchart TB")])
def test_formats(format, start):
    assert draw(analyzed("alexnet"), format).startswith(start)


def test_without_graphviz_the_pure_engine_draws(monkeypatch):
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)
    assert engine.pure_program().is_file()
    assert "<svg" in engine.lay_out("digraph { a -> b }")


def test_the_systems_dot_goes_first(monkeypatch, tmp_path):
    dot = tmp_path / "dot"
    dot.write_text('#!/bin/sh\necho "$1 from here"\n')
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert engine.lay_out("digraph {}") == "-Tsvg from here\n"


def test_an_engine_that_fails_is_an_error_in_words():
    with pytest.raises(ValueError, match="could not lay out the drawing"):
        engine.lay_out("digraph {")


def test_too_much_to_draw():
    network = loads(f"input: [3, 8, 8]\nlayers:\n  - {{repeat: {MOST_NODES + 1}, conv: 3, kernel: 1}}\n")
    with pytest.raises(ValueError, match="the most is 4,000"):
        draw(network.analyze(), "svg")


def densely(layers: int) -> str:
    """Every layer takes all before it."""
    steps = [
        f"{{add: , from: [d0, {', '.join(f'd{at}' for at in range(to))}], name: d{to}}}" for to in range(1, layers)
    ]
    return f"input: [3, 8, 8]\nlayers: [{{conv: 3, kernel: 1, name: d0}}, {', '.join(steps)}]\n"


def test_very_many_lines_are_drawn_straight():
    """An engine that looks for the best curves takes minutes for them."""
    analysis = loads(densely(34)).analyze()
    picture = picture_of(analysis, DrawingOptions())
    # Each takes d0 twice, and all others once: from as many rows up as its number, down to the row before.
    assert crossings(picture) == 1 + sum(to + to * (to + 1) / 2 for to in range(1, 34))
    assert b"splines=line" in draw(analysis, "dot")
    titles = [one.text for one in ElementTree.fromstring(draw(analysis, "svg")).iter(f"{SVG}title")]
    assert {f"layer_{at}" for at in range(34)} <= set(titles)
    assert b"splines=line" not in draw(
        analyzed("nasnet_a_large"), "dot", DrawingOptions(every_layer=True, collapsed=False)
    )


def test_more_lines_than_can_be_laid_out():
    analysis = loads(densely(70)).analyze()
    for theme in ("light", "print"):
        with pytest.raises(ValueError, match="the most that is laid out is 40,000: draw --format mermaid"):
            draw(analysis, "svg", DrawingOptions(theme=theme))
    assert draw(analysis, "mermaid").count(b"-->") == 70 * 71 / 2


def test_what_sees_everything_is_the_darkest():
    """AlexNet's pool5 sees the most that has a size, 195 pixels; its linear layers see the whole image."""
    picture = compose(analyzed("alexnet"))
    paint = by_cost(picture, "rf", THEMES["light"])
    nodes = {node.name: node for node in picture.root.nodes()}
    fills = [luminance(paint.fill(nodes[name])) for name in ("conv1", "conv3", "conv5", "pool5", "fc6", "fc8")]
    assert fills == sorted(fills, reverse=True)
    assert paint.fill(nodes["fc6"]) == paint.fill(nodes["pool5"]) == HEAT[-1]
    assert (paint.says(nodes["conv1"]), paint.says(nodes["fc8"])) == ("11", "all")
    assert paint.legend[-1] == (HEAT[-1], "195 or all")


def test_a_gate_makes_all_after_it_the_darkest():
    """After a squeeze-and-excitation, every position depends on the whole input."""
    picture = compose(analyzed("efficientnet_b0"))
    paint = by_cost(picture, "rf", THEMES["light"])
    fills = {node.name: paint.fill(node) for node in picture.root.nodes()}
    assert fills["features.1.0.block.1.mul1"] == fills["features.4.0.block.0.0"] == HEAT[-1]
    assert fills["features.0.0"] != HEAT[-1]


def test_a_shape_is_said_once():
    """Only the box of what computes a tensor says its shape: VGG-16's conv1_1 and conv1_2 give 64×224×224."""
    for format in ("svg", "mermaid"):
        assert draw(analyzed("vgg16"), format).decode().count("64×224×224") == 2


def test_shortcuts_leave_and_enter_at_the_side():
    """He et al. 2016, figure 3: each of ResNet-34's 16 sums has a shortcut; three of them project, in a box."""
    picture = picture_of(analyzed("resnet34"), DrawingOptions(collapsed=False))
    assert len(beside(picture)) == 16 - 3
    assert draw(analyzed("resnet34"), "dot", DrawingOptions(collapsed=False)).count(b"headport=e") == 16 - 3
    assert draw(analyzed("resnet34"), "dot", DrawingOptions(collapsed=False, direction="LR")).count(b"headport=s") == 13


def places(svg: bytes) -> dict[str, tuple[float, float]]:
    """The upper left corner of each node's first text."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if group.get("class") == "node":
            text = next(group.iter(f"{SVG}text"))
            found[group.get("id")] = (float(text.get("x")), float(text.get("y")))
    return found


def test_a_u_net_looks_like_a_u():
    """Ronneberger et al. 2015, figure 1: down at the left, up at the right, copies across at equal heights."""
    analysis = analyzed("unet")
    names = [layer.name for layer in analysis.network.layers]
    at = dict(zip(names, range(len(names)), strict=True))
    found = places(draw(analysis, "svg"))

    def place(name):
        return found[f"layer_{at[name]}"]

    for level in range(1, 5):
        down, crop = place(f"down{level}.conv2"), place(f"up{level}.crop")
        assert abs(down[1] - crop[1]) < 60  # a row of boxes is 60 pt high
        assert crop[0] - down[0] > 60
    assert place("down1.conv1")[1] < place("down4.conv1")[1] < place("bottom.conv1")[1]
    assert place("bottom.conv1")[1] > place("up4.convs.conv1")[1] > place("up1.convs.conv1")[1] > place("head")[1]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "alexnet"])
def test_other_networks_are_no_us(name):
    assert not climbing(compose(analyzed(name)))


@pytest.mark.parametrize(
    ("name", "theme"), [("googlenet", "dark"), ("resnet50", "light"), ("unet", "light"), ("inception_v4", "dark")]
)
@pytest.mark.parametrize("program", [engine.layout_program(), str(engine.pure_program())])
def test_no_edge_runs_through_a_title(name, theme, program, monkeypatch):
    """Every point of an edge is outside the titles, or is drawn before the title's background."""
    monkeypatch.setattr(engine, "layout_program", lambda: program)
    svg = ElementTree.fromstring(draw(analyzed(name), "svg", DrawingOptions(theme=theme)))
    titles, points = 0, []
    for group in svg.iter(f"{SVG}g"):
        if group.get("class") == "edge":
            for path in group.iter(f"{SVG}path"):
                numbers = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", path.get("d"))]
                points += on_curves(list(zip(numbers[::2], numbers[1::2], strict=True)), 64)
    for group in svg.iter(f"{SVG}g"):
        text = next((each for each in group.iter(f"{SVG}text")), None) if group.get("class") == "cluster" else None
        if text is None:
            continue
        titles += 1
        x, y, size = (float(text.get(key)) for key in ("x", "y", "font-size"))
        width = stringWidth(text.text, "Helvetica", size)
        assert not [at for at in points if x <= at[0] <= x + width and y - 0.7 * size <= at[1] <= y], text.text
    assert titles  # the others are in front of what passes there


@pytest.mark.parametrize("program", [engine.layout_program(), str(engine.pure_program())])
def test_texts_are_in_the_middle_of_their_boxes(program, monkeypatch):
    """So that they are there in a font of any width."""
    monkeypatch.setattr(engine, "layout_program", lambda: program)
    svg = ElementTree.fromstring(draw(analyzed("alexnet"), "svg"))
    nodes = [group for group in svg.iter(f"{SVG}g") if group.get("class") == "node"]
    assert len(nodes) == 13
    for node in nodes:
        numbers = [
            float(each)
            for shape in (*node.iter(f"{SVG}path"), *node.iter(f"{SVG}polygon"))
            for each in re.findall(r"-?\d+(?:\.\d+)?", shape.get("d") or shape.get("points"))
        ]
        centers = [float(each.get("cx")) for each in node.iter(f"{SVG}ellipse")]
        middle = centers[0] if centers else (min(numbers[::2]) + max(numbers[::2])) / 2
        for text in node.iter(f"{SVG}text"):
            assert text.get("text-anchor") == "middle"
            assert float(text.get("x")) == pytest.approx(middle, abs=0.01)


def test_a_long_range_of_names_says_once_what_they_share():
    assert run("layers.encoder_layer_0", "layers.encoder_layer_11") == "layers.encoder_layer_0 … 11"
    assert run("denselayer2", "denselayer6") == "denselayer2 … denselayer6"
    assert (
        run("a_rather_long_name.left", "a_rather_long_name.less") == "a_rather_long_name.left … a_rather_long_name.less"
    )


def test_kinds_of_convolutions_are_told_apart():
    kinds = ("", ", groups: 8", ", groups: 2", ", dilation: 2")
    layers = "".join(f"  - {{conv: 8, kernel: 3{kind}}}\n" for kind in kinds)
    network = loads(f"input: [8, 32, 32]\nlayers:\n{layers}")
    for name, theme in THEMES.items():
        paint = by_category(compose(network.analyze()), theme)
        assert len({fill for fill, _ in paint.legend}) == 4, name
        assert [words for _, words in paint.legend] == [
            "convolution",
            "depthwise convolution",
            "dilated convolution",
            "grouped convolution",
        ]
        assert all(contrast(fill, text_on(fill)) >= 4.5 for fill, _ in paint.legend)


def test_a_part_of_a_network():
    options = DrawingOptions(first="layer2", last="layer3.0", hide=("merge", "pooling"), labels=("op", "shape"))
    picture = picture_of(analyzed("resnet34"), options)
    names = [node.name for node in picture.root.nodes()]
    assert names[0] == "layer2.0.conv1"
    assert all(name.startswith(("layer2.", "layer3.0.")) for name in names)
    assert picture.inputs["input"].output_shape == (64, 56, 56)
    said = texts(draw(analyzed("resnet34"), "svg", options))
    assert "conv1" not in said
    assert {"conv 3×3 / 2, 128", "128×28×28"} <= set(said)
