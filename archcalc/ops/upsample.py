"""Upsampling: a larger feature map, by repeating positions or by interpolating between them."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.adaptive_pooling import AdaptiveAvgPool, adaptive_window
from archcalc.ops.arguments import Bool, Choice, OptionalExtent, ScaleFactors, option
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout, Order, Placement
from archcalc.ops.operator import Operator
from archcalc.ops.reads import CORNER, FUSED_MIDDLE, MIDDLE, Reads, between_corners, interpolated, nearest
from archcalc.ops.shaping import like_gradient
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    Access,
    AxisAccess,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    compact,
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
    aten = (
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d "
        "upsample_trilinear3d upsample_bicubic2d"
    )
    onnx = "Resize Upsample"
    needs_images = True
    category = "shape"
    memory_order = Order.IMAGE
    synonyms = "upsampling upsampling2d up_sampling2d interpolate resize resize_bilinear upsamplingnearest2d"
    saved = SavedTensors()
    scale: ScaleFactors = option(None, "output size over input size")
    size: OptionalExtent = option(None, "the output's size, instead of scale")
    mode: Annotated[str, Choice(("nearest", "nearest-exact", "bilinear", "bicubic", "area"))] = option(
        "nearest", "bilinear is linear in every dimension; area averages, as adaptive pooling does"
    )
    align_corners: Bool = option(False, "align the centers of the corner positions (bilinear, bicubic)")
    examples = (
        example((4, 5, 6), scale=2),
        example((4, 5, 6), scale=2, mode="bilinear"),
        example((4, 5, 6), scale=(0.5, 1 / 3)),
        example((4, 5, 6), size=(7, 9), mode="bilinear", align_corners=True),
        example((4, 5), scale=3),
        example((2, 3, 4, 5), scale=(2, 1, 2), mode="bilinear"),
        example((4, 5, 6), size=(8, 9), mode="bicubic"),
        example((4, 5, 6), scale=2, mode="nearest-exact"),
        example((4, 6, 5), size=(3, 4), mode="area"),
    )

    def output_shape(self) -> Shape:
        self.need_spatial()
        require((self.scale is None) != (self.size is None), lambda: "upsample needs either scale or size")
        require(self.mode != "bicubic" or self.rank == 2, lambda: f"bicubic needs [C, H, W], got {shape_text(self.x)}")
        if self.scale is None:
            return (self.channels_in, *self.size)
        sizes = tuple(map(scaled, self.x[1:], self.scale))
        require(
            all(size > 0 for size in sizes),
            lambda: f"the scale leaves no output: its size would be {shape_text(sizes)}",
        )
        return (self.channels_in, *sizes)

    def work(self) -> Work:
        """A weighted sum of 2 (linear) or 4 (cubic) neighbors in each dimension; area: an average; nearest: nothing."""
        if self.mode in ("nearest", "nearest-exact"):
            return {}
        if self.mode == "area":
            return self._averaged().work()
        neighbors = (4 if self.mode == "bicubic" else 2) ** self.rank
        return {"mul": neighbors * self.elements, "add": (neighbors - 1) * self.elements}

    def _averaged(self) -> AdaptiveAvgPool:
        return AdaptiveAvgPool(self.inputs, size=self.output[1:])

    def placement(self, tensors: InputTensors) -> Placement:
        return self._averaged().placement(tensors) if self.mode == "area" else super().placement(tensors)

    def saved_tensors(self) -> SavedTensors:
        return self._averaged().saved_tensors() if self.mode == "area" else SavedTensors()

    def linearized(self) -> Operator:
        return self._averaged() if self.mode == "area" else self

    def extra_work(self) -> Work:
        """``scaled``: the output's elements as ptflops computes them from a scale, before sizes are rounded.

        ``fvcore``: its count, which knows the modes nearest, bilinear and area.
        """
        counts = {"nearest": self.elements, "bilinear": 4 * self.elements, "area": product(self.x)}
        extra = {"scaled": self.elements, "fvcore": counts.get(self.mode, 0)}
        if self.scale is not None:
            factor = product(self.scale)
            extra["scaled"] = scaled(product(self.x), factor if len(set(self.scale)) == 1 else factor // 1)
        return extra

    @property
    def tools_agree(self) -> bool:
        return self.mode in ("nearest", "bilinear")

    def access(self) -> Access:
        scales = self.scale or (None,) * self.rank
        return (SAME_POSITION, *map(self._reads, self.x[1:], self.output[1:], scales))

    @property
    def overestimates(self) -> Mapping[str, str]:
        has_zeros = self.align_corners or self.mode == "bicubic"
        return {"nan": "a neighbor of weight 0 passes NaN on"} if has_zeros else {}

    def _reads(self, n: Dim, m: Dim, scale: float | None) -> Reads | AxisAccess:
        """Return what m positions read of n along one dimension."""
        if self.mode == "area":
            return adaptive_window(n, m)
        if self.mode.startswith("nearest"):
            # In two dimensions PyTorch copies if the size stays, and takes o // 2 if it doubles, whatever the scale.
            copies = self.rank == 2 and self.mode == "nearest" and (m == n or m == 2 * n)
            exact = MIDDLE if self.rank == 2 else FUSED_MIDDLE
            return nearest(n, m, None if copies else scale, exact if self.mode == "nearest-exact" else CORNER)
        reach = 2 if self.mode == "bicubic" else 1
        return between_corners(n, m, reach) if self.align_corners else interpolated(n, m, scale, reach)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        if self.mode == "area":
            return self._averaged().input_gradients(tensors, gradient)
        return like_gradient(self, tensors, gradient)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        mode = call.operation.removeprefix("upsample_")[:-2]
        corners = {"align_corners": True} if call.get("align_corners") else {}
        scale = call.get("scale_factors")
        sizes = call.output.shape[1:]
        if scale and tuple(map(scaled, call.x.shape[1:], scale)) == sizes:
            return {"scale": compact(tuple(scale)), "mode": mode, **corners}
        return {"size": sizes, "mode": mode, **corners}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        mode = {"linear": "bilinear", "cubic": "bicubic"}.get(call.get("mode", "nearest"), "nearest")
        how = call.get("coordinate_transformation_mode", "half_pixel" if call.operation == "Resize" else "asymmetric")
        rounding = call.get("nearest_mode", "round_prefer_floor" if call.operation == "Resize" else "floor")
        known = "asymmetric" if mode == "nearest" else "half_pixel"
        corners = how == "align_corners" and mode != "nearest"
        if (not corners and how.removeprefix("pytorch_") != known) or call.get("antialias") or call.get("axes"):
            return None
        if mode == "nearest" and rounding != "floor":
            return None
        sizes, scales = call.output.shape[1:], call.get("scales")
        found = {"mode": mode} | ({"align_corners": True} if corners else {})
        if scales and len(scales) == len(call.x.sizes) and tuple(map(scaled, call.x.shape[1:], scales[2:])) == sizes:
            return {
                "scale": compact(tuple(int(scale) if scale == int(scale) else scale for scale in scales[2:])),
                **found,
            }
        return {"size": sizes, **found}

    def torch(self) -> Torch:
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[self.rank] if self.mode == "bilinear" else self.mode
        kwargs: dict[str, Any] = {"size": compact(self.output[1:])} if self.scale is None else {}
        if self.scale is not None:
            kwargs["scale_factor"] = compact(tuple(map(float, self.scale)))
        if mode != "nearest":
            kwargs["mode"] = mode
        if self.mode in ("bilinear", "bicubic"):
            kwargs["align_corners"] = self.align_corners
        return Torch("nn.Upsample", (), kwargs)
