"""A scene as TikZ: a file that compiles alone with pdfLaTeX, and that another document can `\\input`.

It needs the package tikz only. A document that has begun sees the picture alone, because the first line asks whether
`\\document` has been used.
"""

from __future__ import annotations

from archcalc.render.figures.scene import Path, Scene, TextLine
from archcalc.render.figures.svg import number
from archcalc.words import printable

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{character: f"\\{character}" for character in "&%$#_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': "{''}",
    "|": r"\textbar{}",
    "²": r"\ensuremath{^2}",
    "×": r"\ensuremath{\times}",
    "·": r"\ensuremath{\cdot}",
    "−": r"\ensuremath{-}",
    "…": r"\dots{}",
}
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def to_tikz(scene: Scene) -> str:
    """Return the scene in the language of TikZ."""
    colors = sorted(
        {color for item in scene.items for color in _colors(item)} | ({scene.paper} if scene.paper else set())
    )
    names = {color: f"archcalc{color[1:]}" for color in colors}
    lines = [
        "% Compile this file alone, or write \\input{this file} in a document that loads tikz.",
        "\\makeatletter",
        "\\ifx\\@nodocument\\relax\\def\\archcalcend{}\\else",
        "\\RequirePackage{fix-cm}",
        "\\documentclass{article}",
        "\\usepackage{tikz}",
        # The picture is as large as the page: a little more room keeps TeX from adding a page.
        f"\\usepackage[paperwidth={number(scene.width)}bp,paperheight={number(scene.height)}bp,"
        "left=0bp,top=0bp,right=-20bp,bottom=-20bp,noheadfoot]{geometry}",
        "\\pagestyle{empty}\\parindent0pt",
        "\\begin{document}\\def\\archcalcend{\\end{document}}\\fi",
        "\\makeatother",
        *(f"\\definecolor{{{names[color]}}}{{HTML}}{{{color[1:].upper()}}}" for color in colors),
        "\\begin{tikzpicture}[x=1bp,y=-1bp,line join=round,inner sep=0,outer sep=0]",
    ]
    if scene.paper:
        lines.append(f"\\fill[{names[scene.paper]}] (0,0) rectangle ({number(scene.width)},{number(scene.height)});")
    lines += [_item(item, names) for item in scene.items]
    return "\n".join([*lines, "\\end{tikzpicture}", "\\archcalcend", ""])


def _colors(item: Path | TextLine) -> list[str]:
    return [item.color] if isinstance(item, TextLine) else [color for color in (item.fill, item.stroke) if color]


def _item(item: Path | TextLine, names: dict[str, str]) -> str:
    if isinstance(item, TextLine):
        size, skip = number(item.size), number(item.size * 1.2)
        face = "\\bfseries" if item.bold else "\\mdseries"
        turn = f",rotate={number(item.angle)}" if item.angle else ""
        text = "".join(_ESCAPES.get(character, character) for character in printable(item.text))
        return (
            f"\\node[anchor={_ANCHORS[item.anchor]},text={names[item.color]}{turn}] at ({number(item.x)},"
            f"{number(item.y)}) {{\\fontsize{{{size}bp}}{{{skip}bp}}\\selectfont\\sffamily{face} {text}}};"
        )
    look = []
    if item.fill:
        look.append(f"fill={names[item.fill]}")
    if item.stroke:
        look += [f"draw={names[item.stroke]}", f"line width={number(item.width)}bp"]
    if item.dashed:
        look.append("dash pattern=on 2bp off 1.6bp")
    points = [f"({number(x)},{number(y)})" for x, y in item.points]
    if item.curved:
        path = points[0] + "".join(
            f" .. controls {points[index]} and {points[index + 1]} .. {points[index + 2]}"
            for index in range(1, len(points) - 2, 3)
        )
    else:
        path = " -- ".join(points)
    return f"\\path[{','.join(look)}] {path}{' -- cycle' if item.closed else ''};"
