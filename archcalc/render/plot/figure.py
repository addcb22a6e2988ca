"""A figure of matplotlib without a display, and its bytes in any format."""

from __future__ import annotations

import io
from typing import Any

from archcalc.requirements import need
from archcalc.words import printable

FORMATS = ("svg", "png", "pdf")
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#777777", "#B8A500")
"""Colors for the color-blind: Okabe and Ito, Color Universal Design, 2008; its black and yellow toned down."""
OUTLINES = ("-", "--", ":")


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure of a size in inches.

    Raises `MissingExtra` if matplotlib is not installed.
    """
    need("matplotlib", "plot")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, format: str) -> bytes:
    """Return the figure in one of `FORMATS`; the same figure gives the same bytes."""
    import matplotlib

    stream = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[format]
    with matplotlib.rc_context({"svg.hashsalt": "archcalc", "svg.fonttype": "none"}):
        figure.savefig(stream, format=format, dpi=150, metadata=metadata)
    return stream.getvalue()


def label(text: str) -> str:
    """Return a text that matplotlib shows as it is: `$` would begin a formula."""
    return printable(text).replace("$", r"\$")
