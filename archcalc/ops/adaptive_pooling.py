"""Pooling to a given size, and to one position."""

from typing import Any

from archcalc.arithmetic import Dim, Shape, common_divisor, product
from archcalc.ops.arguments import TargetSize, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout
from archcalc.ops.operator import Operator
from archcalc.ops.pooling import ComputedIn2d, KeepsPlaces, average_work, largest_work
from archcalc.ops.reads import Reads, adaptive
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    AxisAccess,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    compact,
    example,
)
from archcalc.structs import replace


class _AdaptivePool(ComputedIn2d):
    """Windows chosen so that the output has a given size: window i is ``floor(i·n/m) … ceil((i+1)·n/m)``."""

    category = "pooling"
    size: TargetSize = required("the output's size; null keeps a dimension's size")

    def output_shape(self) -> Shape:
        self.need_spatial()
        sizes = [n if m is None else m for n, m in zip(self.x[1:], self.size, strict=True)]
        return (self.channels_in, *sizes)

    def _taps(self) -> Dim:
        """Input elements read by all windows together: along one dimension ``n + m − gcd(n, m)``."""
        sizes = zip(self.x[1:], self.output[1:], strict=True)
        return self.channels_in * product(n + m - common_divisor(n, m) for n, m in sizes)

    def access(self) -> Access:
        return (SAME_POSITION, *map(adaptive_window, self.x[1:], self.output[1:]))

    def hyperparameters(self) -> dict[str, Any]:
        sizes = list(zip(self.x[1:], self.output[1:], strict=True))
        if any(n % m != 0 for n, m in sizes):
            return {}
        steps = tuple(n // m for n, m in sizes)
        return {"kernel": steps, "stride": steps, "padding": (0,) * self.rank}

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"size": call.window("output_size")["output_size"]}


def adaptive_window(n: Dim, m: Dim) -> Reads | AxisAccess:
    """Return what m outputs read of n inputs; a single one has no position."""
    return WHOLE_AXIS if m == 1 else adaptive(n, m)


class _Averaging(ComputedIn2d):
    """Averages of channels; where each has a single one, it is a mean, whose gradient lies in order."""

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        found = super().input_gradients(tensors, gradient)
        if any(m != 1 for m in self.output[1:]):
            return found
        return tuple(own and replace(own, layout=Layout.in_order(own.layout.sizes)) for own in found)


class AdaptiveAvgPool(_AdaptivePool, _Averaging):
    """Average pooling to a given output size."""

    kind = "adaptive_avg_pool"
    float32_ranks = (3,)
    aten = "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d"
    synonyms = "adaptiveavgpool2d adaptive_avg_pool2d"
    examples = (
        example((8, 7, 7), size=1),
        example((8, 13, 10), size=(6, 5)),
        example((4, 6, 6), size=(None, 3)),
        example((4, 6, 6), size=None),
        example((4, 7), size=None),
        example((4, 3, 3), size=5),
        example((4, 17), size=4),
        example((2, 8, 9, 10), size=2),
    )

    def work(self) -> Work:
        return {"add": self._taps() - self.elements, "div": self.elements}

    def saved_tensors(self) -> SavedTensors:
        return SavedTensors(inputs=any(m != 1 for m in self.output[1:]))

    def torch(self) -> Torch:
        return Torch(f"nn.AdaptiveAvgPool{self.rank}d", (compact(self.output[1:]),))


class AdaptiveMaxPool(_AdaptivePool, KeepsPlaces):
    """Max pooling to a given output size."""

    kind = "adaptive_max_pool"
    float32_ranks = (3,)
    aten = "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d"
    examples = (example((8, 13, 10), size=(6, 5)), example((4, 17), size=1), example((2, 8, 9, 10), size=2))

    def linearized(self) -> Operator:
        return AdaptiveAvgPool(self.inputs, size=self.size)

    def work(self) -> Work:
        return {"compare": self._taps() - self.elements}

    def torch(self) -> Torch:
        return Torch(f"nn.AdaptiveMaxPool{self.rank}d", (compact(self.output[1:]),))


class _GlobalPool(ComputedIn2d):
    """One number for each channel: `[C, H, W]` becomes `[C, 1, 1]`."""

    category = "pooling"
    examples = (example((8, 7, 7)), example((4, 17)), example((2, 4, 5, 6)))

    def output_shape(self) -> Shape:
        self.need_spatial()
        return (self.channels_in, *(1,) * self.rank)

    def access(self) -> Access:
        return (SAME_POSITION, *(WHOLE_AXIS,) * self.rank)

    def hyperparameters(self) -> dict[str, Any]:
        return {"kernel": self.x[1:], "stride": (1,) * self.rank, "padding": (0,) * self.rank}


class GlobalAvgPool(_GlobalPool, _Averaging):
    """The average of every channel."""

    kind = "global_avg_pool"
    float32_ranks = (3,)
    onnx = "GlobalAveragePool"
    synonyms = "gap globalaveragepooling2d global_average_pooling2d globalaveragepool global_pool"
    saved = SavedTensors()

    def work(self) -> Work:
        return average_work(self.channels_in, product(self.x[1:]))

    def torch(self) -> Torch:
        return Torch(f"nn.AdaptiveAvgPool{self.rank}d", (1,))


class GlobalMaxPool(_GlobalPool, KeepsPlaces):
    """The largest number of every channel."""

    kind = "global_max_pool"
    float32_ranks = (3,)
    onnx = "GlobalMaxPool"
    synonyms = "gmp globalmaxpooling2d global_max_pooling2d globalmaxpool"

    def linearized(self) -> Operator:
        return GlobalAvgPool(self.inputs)

    def work(self) -> Work:
        return largest_work(self.channels_in, product(self.x[1:]))

    def torch(self) -> Torch:
        return Torch(f"nn.AdaptiveMaxPool{self.rank}d", (1,))
