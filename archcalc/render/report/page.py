"""The report as one HTML file: it fetches nothing when opened, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from importlib.resources import files
from typing import Any

from archcalc.analysis import Analysis
from archcalc.errors import UserError
from archcalc.render.drawing.colors import DARK_RULES
from archcalc.render.drawing.dot import node_ids
from archcalc.render.drawing.drawing import PLAIN, TooLarge, picture_of, transparent_dot
from archcalc.render.drawing.engine import lay_out
from archcalc.render.figures.figure import FigureOptions, figure, write_figure
from archcalc.render.report.data import report_data


def report(analysis: Analysis) -> str:
    """Return the page."""
    svg, drawn = _drawing(analysis)
    data = {**report_data(analysis), "drawn": drawn}
    script, style = _asset("report.js"), _asset("report.css").replace("/* drawing in the dark */", DARK_RULES)
    parts = {
        "title": escape(data["network"]),
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src '{_digest(script)}'",
        "style": style,
        "drawing": svg,
        "figure": _figure(analysis),
        "data": _embedded(data),
        "script": script,
    }
    page = _asset("report.html")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match.group(1)], page)


def _figure(analysis: Analysis) -> str:
    """Return the figure of a paper for light and for dark, as a section; empty if none fits a page.

    Feature maps are volumes; a network without convolutions is drawn by its blocks.
    """
    has_maps = any(layer.op.category == "convolution" for layer in analysis.network.layers)
    try:
        light, dark = (
            write_figure(figure(analysis, FigureOptions(style="volumes" if has_maps else "blocks", theme=theme)), "svg")
            for theme in ("light", "dark")
        )
    except UserError:
        return ""
    return (
        '<section aria-labelledby="figure-title">\n<h2 id="figure-title">Figure</h2>\n'
        f'<div class="figure">{light.decode()}</div>\n'
        f'<div class="figure dark" aria-hidden="true">{dark.decode()}</div>\n</section>'
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _embedded(data: dict[str, Any]) -> str:
    """Return JSON that cannot end the element around it."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _digest(script: str) -> str:
    """Return a script's hash for the content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _drawing(analysis: Analysis) -> tuple[str, dict[str, list[int]]]:
    """Return the drawing as an svg element, and the layers of each node by index.

    For a network that is too large to be drawn, the element says so.
    """
    drawn: dict[str, list[int]] = {}
    try:
        picture = picture_of(analysis, PLAIN)
        svg = lay_out(transparent_dot(picture, PLAIN))
    except TooLarge as error:
        return f'<svg viewBox="0 0 900 40"><text x="8" y="24">{escape(str(error))}</text></svg>', drawn
    position = {layer.name: number for number, layer in enumerate(analysis.network.layers)}
    for node, name in node_ids(picture).items():
        drawn[name] = [position[row.name] for same in node.everything() for row in same.layers]
        drawn[name].insert(0, drawn[name].pop(node.head))
    return svg[svg.index("<svg") :], drawn
