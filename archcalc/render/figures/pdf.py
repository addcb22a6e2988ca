"""A scene as PDF, by reportlab, with its font embedded; and as PNG, by resvg."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path as File
from typing import Any

from archcalc.errors import UserError
from archcalc.render.figures.fonts import Font
from archcalc.render.figures.scene import Path, Scene, TextLine
from archcalc.render.figures.svg import to_svg
from archcalc.words import printable

PNG_ZOOM = 3.0
"""Pixels of a PNG for each point: 216 dpi."""
MOST_PIXELS = 60_000_000
POINTS, METERS_PER_INCH = 72, 0.0254
"""Points of an inch, and its length."""
HEADER = 33
"""Bytes of a PNG before its second chunk."""


def to_pdf(scene: Scene) -> bytes:
    """Return the scene as a PDF page of its size; the same bytes each time."""
    from reportlab.lib.colors import HexColor
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    _check_letters(scene)
    names = {}
    for bold, file in ((False, scene.font.regular), (True, scene.font.bold)):
        names[bold] = f"figure-{File(file).stem}"
        pdfmetrics.registerFont(TTFont(names[bold], file))
    target = io.BytesIO()
    size = (scene.width, scene.height)
    canvas = Canvas(target, pagesize=size, invariant=1, initialFontName=names[False], pageCompression=1)
    canvas.setTitle(printable(scene.title))
    canvas.setLineJoin(1)
    if scene.paper:
        canvas.setFillColor(HexColor(scene.paper))
        canvas.rect(0, 0, scene.width, scene.height, stroke=0, fill=1)
    for item in scene.items:
        if isinstance(item, TextLine):
            canvas.setFont(names[item.bold], item.size)
            _add_text(canvas, item, scene.height)
        else:
            _add_path(canvas, item, scene.height)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _add_text(canvas: Any, item: TextLine, height: float) -> None:
    from reportlab.lib.colors import HexColor

    canvas.saveState()
    canvas.translate(item.x, height - item.y)
    canvas.rotate(item.angle)
    canvas.setFillColor(HexColor(item.color))
    draw = {"start": canvas.drawString, "middle": canvas.drawCentredString, "end": canvas.drawRightString}
    draw[item.anchor](0, 0, printable(item.text))
    canvas.restoreState()


def _add_path(canvas: Any, item: Path, height: float) -> None:
    from reportlab.lib.colors import HexColor

    path = canvas.beginPath()
    points = [(x, height - y) for x, y in item.points]
    path.moveTo(*points[0])
    if item.curved:
        for index in range(1, len(points) - 2, 3):
            path.curveTo(*points[index], *points[index + 1], *points[index + 2])
    else:
        for point in points[1:]:
            path.lineTo(*point)
    if item.closed:
        path.close()
    if item.fill:
        canvas.setFillColor(HexColor(item.fill))
    if item.stroke:
        canvas.setStrokeColor(HexColor(item.stroke))
        canvas.setLineWidth(item.width)
    canvas.setDash(*((2, 1.6) if item.dashed else ()))
    canvas.drawPath(path, stroke=int(bool(item.stroke)), fill=int(bool(item.fill)))


def to_png(scene: Scene) -> bytes:
    """Return the scene as PNG of its real size: three pixels for a point, fewer in a very large figure."""
    import resvg_py

    _check_letters(scene)
    zoom = min(PNG_ZOOM, (MOST_PIXELS / max(scene.width * scene.height, 1)) ** 0.5)
    svg = to_svg(scene).replace(f'font-family="{scene.font.family}"', f'font-family="{_family(scene.font)}"', 1)
    files = [str(_file(scene.font.regular)), str(_file(scene.font.bold))]
    png = bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            width=round(scene.width * zoom),
            dpi=POINTS,
            skip_system_fonts=True,
            font_files=list(dict.fromkeys(files)),
        )
    )
    return _sized(png, zoom)


def _sized(png: bytes, zoom: float) -> bytes:
    """Return a PNG that says how large its pixels are, for whoever puts it on paper."""
    dots = round(POINTS * zoom / METERS_PER_INCH)
    body = b"pHYs" + struct.pack(">IIB", dots, dots, 1)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:HEADER] + chunk + png[HEADER:]


def _check_letters(scene: Scene) -> None:
    """Raise `UserError` if the font lacks a character: the figure would have boxes in its place."""
    text = "".join(printable(item.text) for item in scene.items if isinstance(item, TextLine))
    missing = scene.font.missing(text)
    if missing:
        raise UserError(
            f"the figure's font has no {' '.join(missing[:10])}: give one that has with --font FILE.ttf, or write svg"
        )


def _file(name: str) -> File:
    """Return the path of a font file; reportlab's own are in its folder."""
    import reportlab

    return File(name) if File(name).is_file() else File(reportlab.__file__).parent / "fonts" / name


def _family(font: Font) -> str:
    return "Bitstream Vera Sans" if font.regular == "Vera.ttf" else font.family.partition(",")[0]
