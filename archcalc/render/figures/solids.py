"""Feature maps as solids: how large a tensor is drawn, and its faces.

A map of C channels is a box C wide, as high as the map and, going back at 40 degrees, as deep as it is wide. Height and
depth follow the square root of a size, width the cube root of the channels: the first and the last map of a network
stay readable side by side. A vector is a bar, its height by the logarithm of its length.
"""

from __future__ import annotations

import math

from archcalc.render.drawing.colors import mix
from archcalc.render.drawing.curves import Point
from archcalc.render.drawing.picture import Item
from archcalc.render.figures.look import Look
from archcalc.render.figures.scene import Scene
from archcalc.structs import Struct

HEIGHT, BACK, WIDTH = 104.0, 38.0, 46.0
"""Size of the largest map in points: up, back, and across for the most channels."""
SHORTEST, THINNEST, FLATTEST = 6.0, 3.0, 3.0
BAR, BAR_HEIGHT, BAR_BACK = 8.0, 66.0, 4.0
LONGEST_BAR = 4096
"""A vector of this length is as high as a bar gets."""
ANGLE = math.radians(40)
SLAB = 3.5
"""Width of a pooling or activation that shares a place with the layer before it."""


class DrawnTensor(Struct):
    """A tensor as a figure sees it."""

    channels: int
    height: int
    width: int
    flat: bool
    """True for a vector."""

    @property
    def place(self) -> tuple[int, int]:
        """What layers of one stage share."""
        return (0, 0) if self.flat else (self.height, self.width)


def channel_axis(axes: tuple[str, ...]) -> int:
    """Return the axis that a figure draws as channels: by name, else the first of three, or the last."""
    return axes.index("channels") if "channels" in axes else 0 if len(axes) >= 3 else len(axes) - 1


def maps(item: Item) -> tuple[int, ...]:
    """Return the shape of an output without its channels."""
    shape, axis = item.output_shape, channel_axis(item.output_axes)
    return (*shape[:axis], *shape[axis + 1 :])


def stage_size(item: Item) -> tuple[int, ...]:
    """Return the size that layers of a stage share: that of their maps; nothing for vectors."""
    rest = maps(item)
    return () if set(rest) <= {1} else rest


def tensor(item: Item) -> DrawnTensor:
    """Return the channels of an output and the two sizes of its maps; tokens count as a height."""
    shape, axis = item.output_shape, channel_axis(item.output_axes)
    rest = maps(item)
    if math.prod(rest) == 1:
        return DrawnTensor(shape[axis] if shape else 1, 1, 1, True)
    return DrawnTensor(shape[axis], rest[-2] if len(rest) > 1 else rest[-1], rest[-1] if len(rest) > 1 else 1, False)


class DrawingScale(Struct):
    """The sizes of the largest tensor, and the part of full size at which solids are drawn."""

    largest: int
    deepest: int
    part: float = 1.0

    @classmethod
    def of(cls, tensors: list[DrawnTensor], part: float = 1.0) -> DrawingScale:
        """Return the scale for the tensors of one figure."""
        maps = [drawn for drawn in tensors if not drawn.flat]
        sides = [side for drawn in maps for side in (drawn.height, drawn.width)]
        return cls(max(sides, default=1), max((drawn.channels for drawn in maps), default=1), part)

    def solid(self, drawn: DrawnTensor) -> Solid:
        """Return the solid of a tensor."""
        if drawn.flat:
            length = math.log2(drawn.channels + 1) / math.log2(LONGEST_BAR + 1)
            return Solid(BAR * self.part, max(10.0, BAR_HEIGHT * min(length, 1.4) * self.part), BAR_BACK * self.part)
        return Solid(
            max(THINNEST, WIDTH * self.part * (drawn.channels / self.deepest) ** (1 / 3)),
            self.up(drawn.height),
            max(FLATTEST, BACK * self.part * math.sqrt(drawn.width / self.largest)),
        )

    def up(self, size: float) -> float:
        """Return the height of a size."""
        return max(SHORTEST, HEIGHT * self.part * math.sqrt(size / self.largest))


class Solid(Struct):
    """A box: its width, its height, and the length of its edges that go back."""

    across: float
    up: float
    back: float

    @property
    def right(self) -> float:
        """How far back edges go to the right."""
        return self.back * math.cos(ANGLE)

    @property
    def rise(self) -> float:
        """How far back edges go up."""
        return self.back * math.sin(ANGLE)

    @property
    def outline(self) -> float:
        """Height of its outline."""
        return self.up + self.rise

    def front(self, x: float) -> tuple[Point, Point]:
        """Return the upper left and lower right corner of its front, its outline centered at y = 0."""
        return (x, self.rise - self.outline / 2), (x + self.across, self.outline / 2)

    def draw(self, scene: Scene, x: float, fill: str, look: Look) -> None:
        """Add it with its left edge at ``x``."""
        (left, top), (right, bottom) = self.front(x)
        dx, dy = self.right, -self.rise
        back = ((left + dx, top + dy), (right + dx, top + dy))
        scene.polygon(((left, top), *back, (right, top)), mix(fill, "#ffffff", 0.35), look.line, "top")
        scene.polygon(
            ((right, top), back[1], (right + dx, bottom + dy), (right, bottom)),
            mix(fill, "#000000", 0.16),
            look.line,
            "side",
        )
        scene.box(left, top, right - left, bottom - top, fill, look.line, "front")

    def draw_window(
        self, scene: Scene, x: float, window: tuple[int, int], sizes: tuple[int, int], tip: Point, look: Look
    ) -> None:
        """Add a window on its right face, and its pyramid to the position that it computes."""
        (_, top), (right, _) = self.front(x)
        across = min(1.0, max(window[1] / sizes[1], 3.5 / self.back))
        up = min(1.0, max(window[0] / sizes[0], 4.0 / self.up))
        near, high = (1 - across) * 0.5, (1 - up) * 0.3

        def on_face(back: float, down: float) -> Point:
            return right + back * self.right, top + down * self.up - back * self.rise

        corners = [on_face(near + a * across, high + d * up) for a, d in ((0, 0), (1, 0), (1, 1), (0, 1))]
        scene.polygon(corners, mix(look.kernel, look.paper, 0.55), look.kernel, "window", width=0.5)
        for corner in corners:
            scene.line((corner, tip), look.kernel, width=0.45)
