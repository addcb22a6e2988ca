"""What is done to a finished layout: texts centered in their boxes, and titles beside the edges.

Graphviz says where a text starts, by the widths of a font that a reader may not have. A centered text stays in the
middle of its box whatever the font.
"""

from __future__ import annotations

import re

from archcalc.render.drawing.titles import NUMBER, clear_titles

INSIDE = r"(?P<outline><(?:path|polygon|ellipse) [^>]*/>\n)(?P<texts>(?:<text [^>]*>[^<]*</text>\n)+)"
NODE = re.compile(r'(?P<before>class="node">\n<title>[^<]*</title>\n(?:<g[^>]*><a[^>]*>\n)?)' + INSIDE)
CELL = re.compile(r'(?P<before>)(?=<polygon fill="#[0-9a-f]{6}" stroke="(?:none|transparent)")' + INSIDE)
"""A cell of the legend, which is before all nodes and clusters."""
FIRST = re.compile(r'class="(?:node|cluster)"')
POINTS = re.compile(r' (?:d|points)="([^"]*)"| cx="([-.\d]+)"')
START = re.compile(r'text-anchor="start" x="[-.\d]+"')


def finish(svg: str) -> str:
    """Return a drawing by Graphviz as archcalc shows it."""
    first = FIRST.search(svg)
    start = first.start() if first else len(svg)
    title = svg.find("</text>", 0, start) + 1  # in the page's own polygon, and at its left
    return clear_titles(svg[:title] + CELL.sub(_centered, svg[title:start]) + NODE.sub(_centered, svg[start:]))


def _centered(found: re.Match[str]) -> str:
    points = POINTS.search(found["outline"])
    if points is None:
        return found[0]
    across = [float(number) for number in NUMBER.findall(points[1] or points[2])][:: 2 if points[1] else 1]
    middle = f'text-anchor="middle" x="{(min(across) + max(across)) / 2:.2f}"'
    return found["before"] + found["outline"] + START.sub(middle, found["texts"])
