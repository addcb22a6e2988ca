"""Graphs on pages, measured as they are drawn."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections import Counter

import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.render.drawing.drawing import DrawingOptions
from archcalc.render.figures.figure import LEAST_TEXT, fit
from archcalc.render.figures.fonts import VERA
from archcalc.render.figures.graph import _scenes, draw_graph, on_page
from archcalc.render.figures.look import PAGES
from archcalc.render.figures.scene import Path, TextLine, extent
from archcalc.render.figures.strips import Strip
from tests.render.figures.test_figures import NETWORKS, analyzed, overlap

PLAIN = DrawingOptions()


@pytest.mark.parametrize("name", ["alexnet", "own", "vit_b_16"])
def test_texts_of_boxes_have_one_size_and_are_inside(name):
    graph, _ = _scenes(analyzed(name), PLAIN, None)
    sizes = set()
    for before, item in itertools.pairwise(graph.items):
        if isinstance(before, Path) and before.role == "node":
            outline = [x for x, _ in before.points]
        if isinstance(item, TextLine) and item.anchor == "middle" and len(item.text) > 1:
            left, right = (extent(item, VERA)[at][0] for at in (0, 1))
            assert min(outline) + 4 <= left
            assert right <= max(outline) - 4
            sizes.add(round(item.size, 3))
    assert len(sizes) == 1
    assert min(sizes) > 7.5


@pytest.mark.parametrize(("direction", "page"), [("TB", "a4"), ("LR", "16:9")])
@pytest.mark.parametrize(
    "name", [name if name in ("own", "vgg16") else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]
)
def test_a_graph_fits_its_page(name, direction, page):
    options = DrawingOptions(direction=direction)
    scene = fit(on_page(analyzed(name), options, PAGES[page]), PAGES[page], name)
    room = PAGES[page]
    assert scene.width <= (room.width + 10) * room.scale + 0.1
    assert scene.height <= (room.height + 10) * room.scale + 0.1
    for item in scene.items:
        assert all(-0.1 <= x <= scene.width + 0.1 and -0.1 <= y <= scene.height + 0.1 for x, y in extent(item, VERA))
    texts = [item for item in scene.items if isinstance(item, TextLine)]
    assert min(text.size for text in texts) >= LEAST_TEXT - 0.01
    for first, other in itertools.combinations(texts, 2):
        assert not overlap(first.corners(VERA), other.corners(VERA)), (first.text, other.text)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_a_strip_in_pieces_has_all_that_it_has(direction, count):
    """Each text is in one piece; each edge that is cut has its letter at two ends."""
    options = DrawingOptions(direction=direction, collapsed=False)
    graph, heading = _scenes(analyzed("resnet34"), options, None)
    strip = Strip(graph, heading, 1 if direction == "TB" else 0)
    wrapped = list(itertools.islice(strip.wraps(), count))[-1]
    said = Counter(item.text for item in wrapped.items if isinstance(item, TextLine))
    whole = Counter(item.text for scene in (graph, heading) for item in scene.items if isinstance(item, TextLine))
    letters = said - whole
    assert whole - said == Counter()
    assert letters
    assert set(letters.values()) == {2}


def test_what_no_page_holds_is_refused():
    with pytest.raises(UserError, match="does not fit its page"):
        draw_graph(archcalc.load("nasnet_a_large").analyze(), "svg", PLAIN, "36x36mm")


def test_a_font_of_ones_own():
    import reportlab

    file = f"{reportlab.__path__[0]}/fonts/VeraIt.ttf"
    pdf = draw_graph(analyzed("lenet5"), "pdf", PLAIN, None, file)
    assert b"BitstreamVeraSans-Oblique" in pdf


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_a_wrapped_graph_compiles_as_tikz(tmp_path):
    (tmp_path / "graph.tex").write_bytes(draw_graph(analyzed("own"), "tikz", PLAIN, "a4"))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "graph.tex"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert "Output written on graph.pdf (1 page" in ran.stdout
