"""Upsampling: a larger feature map, by repeating positions or by interpolating between them."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from archcalc.arithmetic import Dim, Shape, product, ratio, require
from archcalc.ops.arguments import Bool, Choice, OptionalExtent, ScaleFactors, option
from archcalc.ops.layout import InputTensors, Layout, Order
from archcalc.ops.operator import Operator, compact
from archcalc.ops.shaping import like_gradient
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    Access,
    InputGradient,
    SavedTensors,
    Torch,
    Window,
    Work,
    example,
    shape_text,
)


def scaled(size: Dim, scale: float) -> Dim:
    """Return ``floor(size · scale)``, with the product rounded to a double as in PyTorch.

    Symbols need a scale with few binary digits, for which the product is exact.
    """
    top, bottom = scale.as_integer_ratio()
    if bottom > 2**20:
        return math.floor(float(size) * scale)
    return size * top // bottom


class Upsample(Operator):
    """A larger map: each position repeated (nearest), or interpolated between its neighbors (linear)."""

    kind = "upsample"
    category = "shape"
    memory_order = Order.IMAGE
    synonyms = "upsampling upsampling2d up_sampling2d interpolate resize resize_bilinear upsamplingnearest2d"
    saved = SavedTensors()
    scale: ScaleFactors = option(None, "output size over input size")
    size: OptionalExtent = option(None, "the output's size, instead of scale")
    mode: Annotated[str, Choice(("nearest", "bilinear"))] = option("nearest", "bilinear is linear in every dimension")
    align_corners: Bool = option(False, "align the centers of the corner positions (bilinear)")
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
        require((self.scale is None) != (self.size is None), lambda: "upsample needs either scale or size")
        if self.scale is None:
            return (self.channels_in, *self.size)
        sizes = tuple(map(scaled, self.x[1:], self.scale))
        require(
            all(size > 0 for size in sizes),
            lambda: f"the scale leaves no output: its size would be {shape_text(sizes)}",
        )
        return (self.channels_in, *sizes)

    def work(self) -> Work:
        """Linear: a weighted sum of 2 neighbors in each dimension; nearest: nothing."""
        if self.mode == "nearest":
            return {}
        neighbors = 2**self.rank
        return {"mul": neighbors * self.elements, "add": (neighbors - 1) * self.elements}

    def extra_work(self) -> Work:
        """``scaled``: the output's elements as ptflops computes them from a scale, before sizes are rounded."""
        if self.scale is None:
            return {"scaled": self.elements}
        factor = product(self.scale)
        return {"scaled": scaled(product(self.x), factor if len(set(self.scale)) == 1 else factor // 1)}

    def access(self) -> Access:
        return (SAME_POSITION, *map(self._window, self.x[1:], self.output[1:]))

    @property
    def overestimates(self) -> Mapping[str, str]:
        return {"nan": "a neighbor of weight 0 passes NaN on"} if self.align_corners else {}

    def _window(self, n: int, m: int) -> Window:
        """Return the hull, over all m outputs, of the positions that an output reads from n inputs."""
        if self.mode == "nearest":
            return Window(ratio(n, m), -ratio(m - 1, m), 0)
        if self.align_corners:
            return Window(ratio(n - 1, m - 1) if m > 1 else 0, -1, 1, with_ends=False)
        center = ratio(n, 2 * m) - ratio(1, 2)
        return Window(ratio(n, m), center - 1, center + 1, with_ends=False)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return like_gradient(self, tensors, gradient)

    def torch(self) -> Torch:
        mode = self.mode if self.mode == "nearest" else {1: "linear", 2: "bilinear", 3: "trilinear"}[self.rank]
        kwargs: dict[str, Any] = {"size": compact(self.output[1:])} if self.scale is None else {}
        if self.scale is not None:
            kwargs["scale_factor"] = compact(tuple(map(float, self.scale)))
        if mode != "nearest":
            kwargs |= {"mode": mode, "align_corners": self.align_corners}
        return Torch("nn.Upsample", (), kwargs)
