"""Feature maps as stacks of flat sheets, one behind the other, as in LeCun et al., Gradient-based learning, 1998."""

from __future__ import annotations

import math

from archcalc.render.drawing.colors import mix
from archcalc.render.drawing.curves import Point
from archcalc.render.figures.look import Look
from archcalc.render.figures.scene import Scene
from archcalc.render.figures.solids import DrawingScale, DrawnTensor, Solid

STEP = 3.2
"""Between two sheets of full size, to the right and down."""
EACH, MOST = 6, 12
"""So many maps have a sheet each; of more, the number of sheets follows the logarithm, up to the most."""
PART = 0.62
"""Sides of sheets, in parts of the heights of boxes."""


class Sheets(Solid):
    """A stack: its outline, and the number of sheets in it."""

    count: int = 1
    step: float = STEP

    @property
    def reach(self) -> float:
        """How far the first sheet is from the last, to the right and down."""
        return self.step * (self.count - 1)

    def draw(self, scene: Scene, x: float, fill: str, look: Look) -> None:
        """Add the sheets from the last to the first."""
        (left, top), (right, bottom) = self.front(x)
        wide, tall = right - left - self.reach, bottom - top - self.reach
        for index in range(self.count):
            scene.box(left + self.step * index, top + self.step * index, wide, tall, fill, look.line, "front")

    def draw_window(
        self, scene: Scene, x: float, window: tuple[int, int], sizes: tuple[int, int], tip: Point, look: Look
    ) -> None:
        """Add a window on the first sheet, and lines to the position that it computes."""
        (left, top), (right, bottom) = self.front(x)
        left, top = left + self.reach, top + self.reach
        wide = max(4.0, (right - left) * min(1.0, window[1] / sizes[1]))
        tall = max(4.0, (bottom - top) * min(1.0, window[0] / sizes[0]))
        start, high = left + (right - left - wide) * 0.7, top + (bottom - top - tall) * 0.3
        scene.box(start, high, wide, tall, mix(look.kernel, look.paper, 0.55), look.kernel, "window")
        for corner in ((start + wide, high), (start + wide, high + tall)):
            scene.line((corner, tip), look.kernel, width=0.45)


class FlatScale(DrawingScale):
    """The sizes of stacks; vectors are bars, tokens are matrices."""

    def solid(self, drawn: DrawnTensor) -> Solid:
        """Return the stack of a tensor; of tokens, which have no maps, one sheet."""
        box = super().solid(drawn)
        if drawn.flat or drawn.width == 1:
            return Sheets(box.across, box.up, 0.0)
        more = math.log2(max(drawn.channels, EACH) / EACH)
        count = min(drawn.channels, EACH) if drawn.channels <= EACH else min(MOST, round(EACH + 1.4 * more))
        step = STEP * self.part
        reach = step * (count - 1)
        return Sheets(self.up(drawn.width) * PART + reach, self.up(drawn.height) * PART + reach, 0.0, count, step)
