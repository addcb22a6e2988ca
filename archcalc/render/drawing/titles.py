"""Titles of clusters, moved in a finished layout to where no edge runs through them.

Graphviz puts a cluster's title at its upper left corner, whatever passes there. `dot` writes clusters at least twice as
wide as their titles, so that there is room beside an edge. Where there still is none, the edge passes behind the title.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

from archcalc.render.drawing.curves import on_curves

CLUSTER = re.compile(
    r'class="cluster">\n<title>[^<]*</title>\n(?:<g[^>]*><a[^>]*>\n)?<path [^>]* d="(?P<outline>[^"]*)"/>\n'
    r'(?P<title><text (?:xml:space="preserve" )?text-anchor="start" x="(?P<x>[-.\d]+)" y="(?P<y>[-.\d]+)"[^>]*'
    r'font-size="(?P<size>[.\d]+)"[^>]*>(?P<text>[^<]*)</text>)'
)
EDGE = re.compile(r'class="edge">\n<title>[^<]*</title>\n(?:<g[^>]*><a[^>]*>\n)?<path fill="none"[^>]* d="([^"]*)"')
HEAD = re.compile(r'/>\n<polygon fill="[^"]*" stroke="[^"]*" points="([^"]*)"')
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
TALL = 20.0
"""No title is as high."""
PADDING, CLEAR = 8.0, 2.5
"""Between a title and its cluster's outline, and between a title and an edge."""
Piece = tuple[float, float, float, float]
"""A straight piece of an edge: its upper and lower end, and where it is across at both."""
THIN = " .,:;·'|!()[]{}ijlItfr/"
"""Letters less than 0.34 of the size wide."""
STEPS = 8
"""Straight pieces that approximate one cubic curve."""
BACKGROUND = re.compile(
    r'class="graph"[^>]*>\n<title>[^<]*</title>\n<polygon fill="(#[0-9a-f]{6})" stroke="(?:none|transparent)"'
)
PAPER = "#ffffff"
"""What is behind a title of a transparent drawing; the style of `colors` makes it dark where the drawing is."""


def clear_titles(svg: str) -> str:
    """Return a drawing by Graphviz with every title beside the edges, or without room before them."""
    tops = sorted(float(found["y"]) - float(found["size"]) for found in CLUSTER.finditer(svg))
    pieces = sorted(_pieces(svg, tops))
    starts = [piece[0] for piece in pieces]
    tallest = max((low - high for high, low, _, _ in pieces), default=0.0)

    def moved(found: re.Match[str]) -> str:
        outline = [float(number) for number in NUMBER.findall(found["outline"])]
        left, right = min(outline[::2]) + PADDING, max(outline[::2]) - PADDING
        x, y, size = float(found["x"]), float(found["y"]), float(found["size"])
        top, bottom = y - 0.8 * size, y + 0.25 * size
        near = pieces[bisect_left(starts, top - tallest) : bisect_right(starts, bottom)]
        across = [_across(piece, top, bottom) for piece in near if piece[1] >= top]
        taken = sorted((start - CLEAR, end + CLEAR) for start, end in across)
        width = _width(found["text"], size)
        place = _place(taken, left, right, width)
        start, end = found.start("x") - found.start(), found.end("x") - found.start()
        if place is not None:
            return f"{found[0][:start]}{place:.2f}{found[0][end:]}"
        corners = ((x - CLEAR, top), (x + width, top), (x + width, bottom), (x - CLEAR, bottom))
        points = " ".join(f"{across:.2f},{down:.2f}" for across, down in corners)
        clear = f'<polygon class="clear" fill="{paper}" stroke="none" points="{points}"/>'
        before.append(f'<g class="title">{clear}\n{found["title"]}</g>\n')
        return found[0][: found.start("title") - found.start()]

    background = BACKGROUND.search(svg)
    paper = background[1] if background else PAPER
    before: list[str] = []
    moved_svg = CLUSTER.sub(moved, svg)
    body, end, rest = moved_svg.rpartition("</g>\n</svg>")
    return body + "".join(before) + end + rest


def _pieces(svg: str, tops: list[float]) -> Iterator[Piece]:
    """Yield the straight pieces of edges, and arrowheads; curves far from all titles are left out."""
    for found in EDGE.finditer(svg):
        numbers = [float(number) for number in NUMBER.findall(found[1])]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        for start in range(0, len(points) - 3, 3):
            curve = points[start : start + 4]
            heights = [y for _, y in curve]
            if bisect_left(tops, min(heights) - TALL) == bisect_right(tops, max(heights)):
                continue
            for ends in pairwise(on_curves(curve, STEPS)):
                (high, from_x), (low, to_x) = sorted((y, x) for x, y in ends)
                yield high, low, from_x, to_x
    for found in HEAD.finditer(svg):
        numbers = [float(number) for number in NUMBER.findall(found[1])]
        xs, ys = numbers[::2], numbers[1::2]
        yield min(ys), max(ys), min(xs), max(xs)


def _across(piece: Piece, top: float, bottom: float) -> tuple[float, float]:
    """Return where a piece is between two heights, from left to right."""
    high, low, start, end = piece
    if low - high > 0.01:
        slope = (end - start) / (low - high)
        start, end = start + slope * (max(top, high) - high), start + slope * (min(bottom, low) - high)
    return min(start, end), max(start, end)


def _place(taken: list[tuple[float, float]], left: float, right: float, width: float) -> float | None:
    """Return the leftmost place for a title between what is taken; None without one."""
    place = left
    for start, end in taken:
        if place + width <= start:
            break
        place = max(place, end)
    return place if place + width <= right + PADDING - CLEAR else None


def _width(text: str, size: float) -> float:
    """Return the width of a title in Helvetica."""
    letters = re.sub(r"&[^&;]*;", "x", text)
    return size * sum(
        0.3 if each in THIN else 0.83 if each in "mwMW" else 0.7 if each.isupper() else 0.556 for each in letters
    )
