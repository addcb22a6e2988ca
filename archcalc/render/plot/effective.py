"""How strongly each position of the input influences a unit, as a map with the theoretical region around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.errors import UserError
from archcalc.receptive.regions import Region
from archcalc.render.plot.figure import COLORS, label, new_figure

if TYPE_CHECKING:
    from archcalc.runtime.effective import EffectiveField


def draw_effective(title: str, region: Region, field: EffectiveField) -> Any:
    """Return a figure: strength on the input, the theoretical region, and one and two standard deviations.

    Raises `UserError` for an input of more than two spatial dimensions.
    """
    if len(region.intervals) > 2:
        raise UserError(f"expected an input of one or two spatial dimensions, got {len(region.intervals)}")
    figure = new_figure(7.5, 3.5 if len(region.intervals) == 1 else 6.5)
    axes = figure.subplots()
    if len(region.intervals) == 1:
        _line(axes, region, field)
    else:
        _map(figure, axes, region, field)
    axes.set_title(label(f"{title}: effective receptive field"), fontsize=10)
    figure.legend(loc="outside lower center", fontsize=8, ncols=2)
    return figure


def _line(axes: Any, region: Region, field: EffectiveField) -> None:
    axes.fill_between(range(len(field.strength)), field.strength, color=COLORS[0], alpha=0.5, label="strength")
    first, last = region.intervals[0].clipped or (0, 0)
    axes.axvspan(first - 0.5, last + 0.5, fill=False, edgecolor=COLORS[1], label=f"theoretical: {last - first + 1}")
    axes.set_xlabel("position")


def _map(figure: Any, axes: Any, region: Region, field: EffectiveField) -> None:
    from matplotlib.patches import Ellipse, Rectangle

    shown = axes.imshow(field.strength, cmap="magma", interpolation="nearest", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, label="gradient, of the largest", shrink=0.8)
    (top, bottom), (left, right) = (side.clipped or (0, 0) for side in region.intervals)
    size = right - left + 1, bottom - top + 1
    words = f"theoretical: {size[1]}×{size[0]}"
    axes.add_patch(Rectangle((left - 0.5, top - 0.5), *size, fill=False, edgecolor="#4FC3F7", label=words))
    (row, column), (down, across) = field.center, field.deviation
    for factor, line in ((1, "-"), (2, "--")):
        words = f"{factor} standard deviation{'s' * (factor > 1)}: {factor * down:.1f}, {factor * across:.1f}"
        radii = 2 * factor * across, 2 * factor * down
        axes.add_patch(Ellipse((column, row), *radii, fill=False, edgecolor="#00C853", linestyle=line, label=words))
    axes.set_xlabel("column")
    axes.set_ylabel("row")
