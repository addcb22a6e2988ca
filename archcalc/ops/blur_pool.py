"""Blur pooling (Zhang, *Making Convolutional Networks Shift-Invariant Again*, 2019)."""

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Count, option
from archcalc.ops.operator import Operator
from archcalc.ops.reads import PaddingMode
from archcalc.ops.vocabulary import (
    GRADIENT,
    SAME_POSITION,
    Access,
    SavedTensors,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)
from archcalc.ops.windows import window_access, window_count


class BlurPool(Operator):
    """Each channel smoothed by a fixed binomial filter, then every ``stride``-th position kept.

    The filter is computed from its size, with reflected padding, as in timm's `BlurPool2d`; it is not trained.
    """

    kind = "blur_pool"
    torch_name = "archcalc.BlurPool"
    torch_arguments = ("kernel", "stride")
    tools_agree = False
    synonyms = "blurpool blurpool2d antialias aa_pool"
    category = "pooling"
    kernel: Count = option(3, "size of the filter")
    stride: Count = option(2, "step between positions")
    examples = (example((4, 8, 9)), example((3, 9, 9), kernel=5, stride=3))

    def _padding(self) -> tuple[int, int]:
        amount = (self.stride - 1 + self.kernel - 1) // 2
        return amount, amount

    def output_shape(self) -> Shape:
        require(len(self.x) == 3, lambda: f"blur_pool needs [C, H, W], got {shape_text(self.x)}")
        padding = self._padding()
        for size in self.x[1:]:
            require(padding[0] < size, lambda size=size: f"padding {padding[0]} cannot mirror an input of {size}")  # type: ignore[misc]
        sizes = (window_count(n, self.kernel, self.stride, padding, 1) for n in self.x[1:])
        return (self.x[0], *sizes)

    def buffers(self) -> dict[str, Shape]:
        return {"filt": (1, 1, self.kernel, self.kernel)}

    def _padded(self) -> Dim:
        """Return the elements of the padded input."""
        return self.x[0] * product(size + sum(self._padding()) for size in self.x[1:])

    def saved_tensors(self) -> SavedTensors:
        """The input and its padded copy."""
        return SavedTensors(inputs=True, elements=self._padded())

    def workspaces(self) -> Workspaces:
        """The padded input; backward, its gradient, then that of the input beside it."""
        return Workspaces(
            inference=(Workspace(self._padded() + self.elements),),
            backward=(Workspace(self._padded()), Workspace(product(self.x))),
            frees=((GRADIENT, 1),),
        )

    def work(self) -> Work:
        return {"mac": self.elements * self.kernel * self.kernel}

    def access(self) -> Access:
        windows = window_access((self.kernel,) * 2, (self.stride,) * 2, (self._padding(),) * 2, (1, 1))
        return (SAME_POSITION, *(window._replace(edge=PaddingMode.MIRRORED) for window in windows))
