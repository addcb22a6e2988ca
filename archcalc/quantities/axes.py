"""The axes that quantities are the sizes of: channels, sides, tokens, features."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.ops.naming import CHANNELS, LINES, SIDES, AxisNames, places


def along(shape: tuple[int, ...], axes: AxisNames, names: Collection[str]) -> Any:
    """Return the sizes along the axes of some names: a number, a tuple of several, or None if there is none."""
    sizes = tuple([shape[axis] for axis in places(axes, names)])
    return sizes if len(sizes) > 1 else sizes[0] if sizes else None


def input_size(names: Collection[str]) -> Callable[[TableRow], Any]:
    """Return a reader of the first input's sizes along some axes."""
    return lambda row: along(row.input_shapes[0], row.input_axes[0], names)


def output_size(names: Collection[str]) -> Callable[[TableRow], Any]:
    """Return a reader of the output's sizes along some axes."""
    return lambda row: along(row.output_shape, row.output_axes, names)


AXES: dict[str, tuple[str, ...]] = {
    "output_c": CHANNELS,
    "output_hw": SIDES,
    "output_h": ("height",),
    "output_w": ("width",),
    "output_heads": ("heads",),
    "output_l": ("windows", *LINES),
    "output_d": ("features",),
}
"""Quantities that are sizes of the output, with the axes that they are the sizes of."""
