"""What is shown beside the table: the documents and drawings of the commands, as HTML or DOT."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from archcalc.errors import SpecError, UserError
from archcalc.render.document import Chart, Document
from archcalc.render.drawing.colors import DARK, LIGHT
from archcalc.render.writers import write_document
from archcalc.requirements import MissingExtra
from archcalc.serve.exercises import exercise_document
from archcalc.serve.opened import OPEN_SIZE, Opened
from archcalc.serve.view import View
from archcalc.words import quote

Panel = dict[str, Any]
"""`html`, or `dot` with the layer of each node, and what is said about it."""


def panel(opened: Opened, kept: Opened | None) -> Panel:
    """Return the panel that a view has chosen. Raises `UserError`."""
    return _PANELS[opened.view.panel](opened, kept)


def page_html(document: Document) -> str:
    """Return a document as HTML, with its charts of characters."""
    from html import escape

    charts = [f"<pre>{escape(block.text)}</pre>" for block in document.blocks if isinstance(block, Chart)]
    return str(write_document(document, "html")) + "".join(charts)


def _drawing(opened: Opened, kept: Opened | None) -> Panel:
    if opened.view.style != "graph":
        return {"svg": _figure(opened, "svg", "dark" if opened.view.dark else "light").decode(), "nodes": {}}
    from archcalc.render.drawing.dot import node_ids
    from archcalc.render.drawing.drawing import picture_of, transparent_dot

    style = _drawing_options(opened.view)
    picture = picture_of(opened.analysis, style)
    nodes = {name: node.main.name for node, name in node_ids(picture).items()}
    return {"dot": transparent_dot(picture, style), "nodes": nodes}


def _figure(opened: Opened, format: str, theme: str = "light") -> bytes:
    """Return the figure in the style of a view. Raises `UserError`."""
    from archcalc.render.figures.figure import FigureOptions, figure, write_figure

    orient = "right" if opened.view.direction in ("LR", "RL") else "down"
    options = FigureOptions(**_shown(opened.view), theme=theme, style=opened.view.style, orient=orient)
    return write_figure(figure(opened.analysis, options), format)


def _shown(view: View) -> dict[str, Any]:
    """Return the options of drawings and figures alike."""
    return {
        "depth": view.draw_depth,
        "every_layer": view.draw_all,
        "collapsed": False if view.unfolded else None,
    }


def _drawing_options(view: View) -> Any:
    """Return the options of a drawing. Raises `UserError` for an unknown quantity."""
    from archcalc.quantities.table import HEAT, choose
    from archcalc.render.drawing.drawing import DrawingOptions

    heat = choose([view.heat], HEAT)[0] if view.heat else None
    return DrawingOptions(**_shown(view), direction=view.direction, heat=heat)


def layer_html(opened: Opened) -> str:
    """Return the derivations of the chosen layer, and its receptive field. Raises `UserError`."""
    from archcalc.receptive.regions import RegionTracer
    from archcalc.render.mathematics import explanations_document
    from archcalc.render.receptive import fields_document
    from archcalc.render.receptive_report import Report
    from archcalc.symbolic.derivations import DERIVED, explain

    name, network = opened.view.layer, opened.network
    tracer = RegionTracer(network)
    steps = explain(network, name, DERIVED, opened.analysis.counting, propagation=tracer.propagation)
    report = Report(network, tracer, (network[name],), tracer.middle(name))
    return page_html(explanations_document(steps)) + page_html(fields_document(report))


def field_image(opened: Opened) -> str:
    """Return the input region that the middle of the chosen layer sees, as an image; empty without matplotlib."""
    from archcalc.receptive.regions import RegionTracer
    from archcalc.render.plot.boxes import draw_boxes

    tracer = RegionTracer(opened.network)
    try:
        figure = draw_boxes(opened.network, tracer, [(opened.view.layer, tracer.middle(opened.view.layer))])
    except UserError:
        return ""
    return _image(figure, opened.view)


def _image(chart: Any, view: View) -> str:
    """Return a chart in the colors of the page."""
    from archcalc.render.plot.figure import save

    svg = save(chart, "svg", DARK if view.dark else LIGHT)
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _memory(opened: Opened, kept: Opened | None) -> Panel:
    from archcalc.memory.summary import memory
    from archcalc.render.memory import memory_document
    from archcalc.render.plot.memory import memory_chart

    found = memory(opened.analysis, opened.view.mode, opened.view.optimizer)
    panel = {"html": page_html(memory_document(found))}
    try:
        panel["image"] = _image(memory_chart(found), opened.view)
    except MissingExtra:
        return panel
    return {**panel, "says": "The memory of live tensors, over the order of execution"}


def _roofline(opened: Opened, kept: Opened | None) -> Panel:
    from archcalc.render.benchmarks import benchmarks_document
    from archcalc.runtime.benchmark import predict_only
    from archcalc.runtime.device_profile import find_profile, profile_names

    device, view = opened.view.device, opened.view
    if device not in profile_names():  # a name could be that of a file
        raise UserError(f"there is no bundled device profile {quote(device)}")
    profile = find_profile(device)
    predicted = predict_only(opened.network, view.batch, view.dtype, profile)
    return {"html": page_html(benchmarks_document([predicted], profile))}


def _costs(opened: Opened, kept: Opened | None) -> Panel:
    from archcalc.quantities.table import COSTS, choose
    from archcalc.render.plot.bars import bars

    chart = bars([opened.analysis], choose([opened.view.metric], COSTS), opened.view.depth)
    return {"image": _image(chart, opened.view), "says": f"{opened.view.metric} of each layer"}


def _compare(opened: Opened, kept: Opened | None) -> Panel:
    from archcalc.analysis import analyze
    from archcalc.language.library import bundled, find, plain
    from archcalc.quantities.compare import compare
    from archcalc.render.comparison import comparison_document

    if opened.view.other:
        if plain(opened.view.other) not in bundled():
            raise SpecError(f"there is no bundled network {quote(opened.view.other)}")
        spec, variant = find(opened.view.other)
        sizes = dict.fromkeys(spec.free_dimensions(variant), int(OPEN_SIZE))
        other = analyze(spec.network(variant, sizes), opened.analysis.counting)
    elif kept is not None:
        other = kept.analysis
    else:
        return {"html": "<p>Choose a network to compare with, or keep this point and change it.</p>"}
    analyses = [other, opened.analysis]
    return {"html": page_html(comparison_document(compare(analyses), analyses))}


def _formula(opened: Opened, kept: Opened | None) -> Panel:
    from archcalc.language.family import SpecFamily
    from archcalc.render.mathematics import formulas_document
    from archcalc.symbolic.formulas import formulas

    if not opened.view.lets.strip():
        return {"html": "<p>Name what is left open, such as H=32*h, or a parameter.</p>"}
    parts = [part.partition("=") for part in opened.view.lets.split(",") if part.strip()]
    lets = {name.strip(): (text if equals else name).strip() for name, equals, text in parts}
    family = SpecFamily(opened.spec, opened.variant, opened.settings, opened.shapes or None, lets)
    found = formulas(family, ("params", "macs"), opened.analysis.counting)
    return {"html": page_html(formulas_document(found, opened.view.convention))}


def _budget(opened: Opened, kept: Opened | None) -> Panel:
    from archcalc.budget.assertions import check_budget, read_assertions
    from archcalc.budget.document import budgets_document, facts_document

    texts = [line.strip() for line in opened.view.assertions.splitlines() if line.strip()]
    if not texts:
        return {"html": page_html(facts_document([opened.analysis]))}
    checked = check_budget(opened.network.name, opened.analysis, read_assertions(texts))
    return {"html": page_html(budgets_document([checked])), "passed": checked.passed}


def _exercise(opened: Opened, kept: Opened | None) -> Panel:
    document, asked = exercise_document(opened)
    return {"html": page_html(document), "exercise": opened.view.exercise, "asked": asked}


_PANELS: dict[str, Callable[[Opened, Opened | None], Panel]] = {
    "drawing": _drawing,
    "memory": _memory,
    "roofline": _roofline,
    "costs": _costs,
    "compare": _compare,
    "formula": _formula,
    "budget": _budget,
    "exercise": _exercise,
}


def download(opened: Opened, format: str) -> tuple[str, bytes]:
    """Return a file's suffix and content, in a format of tables or drawings, or as a report or PyTorch source.

    Raises `UserError` for an unknown format, or one that needs a package that is not installed.
    """
    from archcalc.render.figures.graph import draw_graph
    from archcalc.render.writers import formats
    from archcalc.serve.tables import table_of

    if format in ("svg", "png", "pdf", "tikz"):
        suffix = ".tex" if format == "tikz" else f".{format}"
        if opened.view.style != "graph":
            return suffix, _figure(opened, format)
        return suffix, draw_graph(opened.analysis, format, _drawing_options(opened.view))
    if format == "report":
        from archcalc.render.report.page import report

        return ".html", report(opened.analysis).encode()
    if format == "torch":
        from archcalc.requirements import need_torch

        need_torch()
        from archcalc.runtime.export.source import torch_source

        return ".py", torch_source(opened.network).encode()
    known = formats()
    if format not in known:
        raise UserError(f"unknown format {quote(format)}")
    written = write_document(table_of(opened), format)
    return known[format].suffixes[0], written.encode() if isinstance(written, str) else written
