"""The axes that quantities are the sizes of: channels, sides, tokens, features."""

from __future__ import annotations

from typing import Any

from archcalc.ops.naming import CHANNELS, LINES, SIDES, AxisNames, beside, places


def along(shape: tuple[int, ...], axes: AxisNames, names: tuple[str, ...]) -> Any:
    """Return the sizes along the axes of some names: a number, a tuple of several, or None if there is none.

    A size that has no name is shown beside that of the next axis, so that the columns of a tensor say its whole shape.
    """
    if "" in axes:
        found = places(beside(axes), names)
        sizes = tuple([shape[axis] for axis in found if axes[axis] or shape[axis] != 1])
    else:
        sizes = tuple([shape[axis] for axis in places(axes, names)])
    return sizes if len(sizes) > 1 else sizes[0] if sizes else None


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
