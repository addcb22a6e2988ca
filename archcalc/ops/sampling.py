"""Maps that are read, or written, at places that another tensor says."""

from collections.abc import Sequence
from typing import Annotated, Any

from archcalc.arithmetic import Shape, product, ratio, require
from archcalc.ops.arguments import Bool, Choice, Extent, Offsets, option, required
from archcalc.ops.calls import Call
from archcalc.ops.convolution import window_count
from archcalc.ops.naming import AxisNames, map_names
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    Torch,
    Window,
    Work,
    compact,
    example,
    shape_text,
)


class GridSample(Operator):
    """A map `[C, H, W]` read at the points of a grid `[H', W', 2]`, from −1 to 1 along each side."""

    kind = "grid_sample"
    aten = "grid_sampler"
    onnx = "GridSample"
    synonyms = "gridsample bilinear_sampler spatial_transformer warp"
    category = "shape"
    joins = True
    least_inputs = 2
    most_inputs = 2
    mode: Annotated[str, Choice(("bilinear", "nearest"))] = option("bilinear", "how it reads between positions")
    align_corners: Bool = option(False, "-1 and 1 are the centers of the corner positions, not their outer sides")
    examples = (example((4, 5, 6), (3, 2, 2)), example((4, 5, 6), (5, 6, 2), mode="nearest", align_corners=True))

    def output_shape(self) -> Shape:
        image, grid = self.inputs
        require(
            len(image) == len(grid) == 3 and grid[2] == 2,
            lambda: f"grid_sample takes [C, H, W] and [H', W', 2], got {shape_text(image)} and {shape_text(grid)}",
        )
        return (image[0], *grid[:2])

    def work(self) -> Work:
        """Of each point the place in the map; with bilinear, a weighted sum of 4 neighbors for every channel."""
        points = product(self.output[1:])
        work = {"mul": 4 * points, "add": 2 * points}
        if self.mode == "bilinear":
            work["mul"] += 4 * points + 4 * self.elements
            work["add"] += 4 * points + 3 * self.elements
        return work

    def accesses(self) -> tuple[Access, ...]:
        return (SAME_POSITION, WHOLE_AXIS, WHOLE_AXIS), (SAME_POSITION, SAME_POSITION, WHOLE_AXIS)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """Channels of the map; rows and columns of the grid have a place of their own."""
        return ((0,), (), ())

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return map_names(inputs[0])

    @property
    def overestimates(self) -> dict[str, str]:
        """The grid says what is read."""
        return {"nan": "which positions are read depends on the numbers of the grid"}

    def linearized(self) -> None:
        return None

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        if call.get("padding_mode", 0) != 0 or call.get("interpolation_mode", 0) > 1:
            return None
        return {
            "mode": ("bilinear", "nearest")[call.get("interpolation_mode", 0)],
            "align_corners": call.get("align_corners", False),
        }

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        mode = {"linear": "bilinear"}.get(call.get("mode", "linear"), call.get("mode", "bilinear"))
        if call.get("padding_mode", "zeros") != "zeros" or mode not in ("bilinear", "nearest"):
            return None
        return {"mode": mode, "align_corners": bool(call.get("align_corners", 0))}

    def torch(self) -> Torch:
        kwargs = {"mode": self.mode, "align_corners": self.align_corners}
        return Torch("nn.functional.grid_sample", (), kwargs)


class MaxUnpool(Operator):
    """Each number back at the place where a max pooling found it, zeros elsewhere.

    It takes `[C, h, w]` and the map `[C, H, W]` that was pooled, whose size the output has.
    """

    kind = "max_unpool"
    synonyms = "maxunpool2d unpool unpooling"
    category = "pooling"
    joins = True
    least_inputs = 2
    most_inputs = 2
    kernel: Extent = required("size of the pooling's window")
    stride: Extent = option(lambda op: op.kernel, "step between the pooling's windows; the kernel's size if not given")
    padding: Offsets = option(0, "rows and columns around the pooled map")
    examples = (
        example((4, 3, 3), (4, 6, 6), kernel=2),
        example((4, 3, 3), (4, 6, 5), kernel=3, stride=2, padding=1),
    )

    def output_shape(self) -> Shape:
        small, large = self.inputs
        require(len(small) == len(large) > 1, lambda: self._mismatch())
        sizes = map(window_count, large[1:], self.kernel, self.stride, ((p, p) for p in self.padding), (1,) * self.rank)
        require((large[0], *sizes) == tuple(small), lambda: self._mismatch())
        return large

    def _mismatch(self) -> str:
        small, large = map(shape_text, self.inputs)
        return f"max_unpool takes what was pooled and the map it was pooled from, got {small} and {large}"

    def work(self) -> Work:
        """Moving elements is no arithmetic; the pooling counts the comparisons."""
        return {}

    def tools_agree(self) -> bool:
        return False

    def accesses(self) -> tuple[Access, ...]:
        """Where a number goes depends on the window that it comes from."""
        windows = []
        for k, s, p in zip(self.kernel, self.stride, self.padding, strict=True):
            windows.append(Window(ratio(1, s), ratio(p - k + 1, s), ratio(p, s)))
        return (SAME_POSITION, *windows), (SAME_POSITION, *(Window(1, 1 - k, k - 1) for k in self.kernel))

    @property
    def overestimates(self) -> dict[str, str]:
        """Only the places of the largest numbers are written."""
        return {"nan": "where a number goes depends on the numbers"}

    def linearized(self) -> None:
        return None

    def torch(self) -> Torch:
        kwargs = {"kernel_size": compact(self.kernel), "stride": compact(self.stride)}
        if any(self.padding):
            kwargs["padding"] = compact(self.padding)
        return Torch("archcalc.MaxUnpool", (), kwargs)
