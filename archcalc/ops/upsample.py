"""Upsampling: a larger feature map, by repeating positions or by interpolating between them."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from archcalc.arithmetic import Dim, Shape, product, ratio, require
from archcalc.ops.arguments import Bool, Choice, OptionalExtent, ScaleFactors, option
from archcalc.ops.convolution import compact
from archcalc.ops.layout import Given, Layout, Order
from archcalc.ops.operator import Operator
from archcalc.ops.shaping import like_gradient
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    AxisAccess,
    Returned,
    SavedTensors,
    Torch,
    Window,
    Work,
    example,
    shape_text,
)


def scaled(size: Dim, scale: float) -> Dim:
    """``floor(size · scale)``, the product rounded to a double as PyTorch rounds it.

    Over symbols only for scales that have few binary digits, whose product is exact.
    """
    top, bottom = scale.as_integer_ratio()
    if bottom > 2**20:
        return math.floor(float(size) * scale)
    return size * top // bottom


class Upsample(Operator):
    """A larger map: each position repeated (nearest), or interpolated between its neighbours (linear)."""

    kind = "upsample"
    category = "shape"
    memory_order = Order.IMAGE
    synonyms = "upsampling upsampling2d up_sampling2d interpolate resize resize_bilinear upsamplingnearest2d"
    scale: ScaleFactors = option(None, "output size over input size")
    size: OptionalExtent = option(None, "the output's size, instead of scale")
    mode: Annotated[str, Choice(("nearest", "bilinear"))] = option("nearest", "bilinear is linear in every dimension")
    align_corners: Bool = option(False, "let the corners' centres fall together (bilinear)")
    examples = (
        example((4, 5, 6), scale=2),
        example((4, 5, 6), scale=2, mode="bilinear"),
        example((4, 5, 6), scale=(0.5, 1 / 3)),
        example((4, 5, 6), size=(7, 9), mode="bilinear", align_corners=True),
        example((4, 5), scale=3),
        example((2, 3, 4, 5), scale=(2, 1, 2), mode="bilinear"),
    )

    def output_shape(self) -> Shape:
        self.need_spatial()
        require(
            (self.scale is None) != (self.size is None), lambda: "upsample needs either scale or size, and not both"
        )
        if self.scale is None:
            return (self.channels_in, *self.size)
        sizes = tuple(map(scaled, self.x[1:], self.scale))
        require(all(size > 0 for size in sizes), lambda: f"the output would be {shape_text(sizes)}")
        return (self.channels_in, *sizes)

    def work(self) -> Work:
        """Linear: a weighted sum of 2 neighbours in each dimension; nearest: nothing."""
        if self.mode == "nearest":
            return {}
        neighbours = 2**self.rank
        return {"mul": neighbours * self.elements, "add": (neighbours - 1) * self.elements}

    def further(self) -> Work:
        """``scaled``: the output's elements as ptflops reckons them from a scale, before sizes are made whole."""
        if self.scale is None:
            return {"scaled": self.elements}
        factor = product(self.scale)
        return {"scaled": scaled(product(self.x), factor if len(set(self.scale)) == 1 else factor // 1)}

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        return (SAME_POSITION, *map(self._window, self.x[1:], self.output[1:]))

    @property
    def loose_sight(self) -> Mapping[str, str]:
        return {"nan": "a neighbor of weight 0 passes NaN on"} if self.align_corners else {}

    def _window(self, n: int, m: int) -> Window:
        """The hull, over all outputs, of the inputs that one of m outputs reads from n."""
        if self.mode == "nearest":
            return Window(ratio(n, m), -ratio(m - 1, m), 0)
        if self.align_corners:
            return Window(ratio(n - 1, m - 1) if m > 1 else 0, -1, 1, with_ends=False)
        centre = ratio(n, 2 * m) - ratio(1, 2)
        return Window(ratio(n, m), centre - 1, centre + 1, with_ends=False)

    def keeps(self) -> SavedTensors:
        return SavedTensors()

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        return like_gradient(self, given, gradient)

    def torch(self) -> Torch:
        mode = self.mode if self.mode == "nearest" else {1: "linear", 2: "bilinear", 3: "trilinear"}[self.rank]
        kwargs: dict[str, Any] = {"size": compact(self.output[1:])} if self.scale is None else {}
        if self.scale is not None:
            kwargs["scale_factor"] = compact(tuple(float(one) for one in self.scale))
        if mode != "nearest":
            kwargs |= {"mode": mode, "align_corners": self.align_corners}
        return Torch("nn.Upsample", (), kwargs)
