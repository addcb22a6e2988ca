"""Attention in windows (Liu et al., *Swin Transformer*, 2021)."""

from typing import Any

from archcalc.arithmetic import Dim, Shape, ceil_div, product, require
from archcalc.ops.arguments import Bool, Count, Natural, option, required
from archcalc.ops.attention import attention_work
from archcalc.ops.layout import Given
from archcalc.ops.operator import (
    GRADIENT,
    WHOLE_AXIS,
    Backward,
    Held,
    Keeps,
    Operator,
    Scratch,
    Sight,
    Torch,
    Window,
    Work,
    example,
    shape_text,
)


class WindowAttention(Operator):
    """`[H, W, C]`: attention inside each window, moved by ``shift``, with a trained bias for each relative position.

    The map is padded to whole windows; along a side that one window covers, nothing is shifted.
    """

    kind = "window_attention"
    category = "attention"
    whole_numbers = ("relative_position_index",)
    heads: Count = required("number of heads")
    window: Count = required("size of a window")
    shift: Natural = option(0, "how far the windows are moved")
    bias: Bool = option(True, "add a bias to the projections")
    examples = (
        example((14, 14, 12), heads=3, window=7),
        example((7, 7, 12), heads=3, window=7),
        example((14, 14, 12), heads=3, window=7, shift=3),
        example((9, 6, 8), heads=2, window=4, shift=2),
        example((8, 8, 48), heads=2, window=4, shift=2),
    )

    def output_shape(self) -> Shape:
        require(len(self.x) == 3, lambda: f"window_attention needs [H, W, C], and is given {shape_text(self.x)}")
        require(self.x[2] % self.heads == 0, lambda: f"heads {self.heads} do not divide the width {self.x[2]}")
        return self.x

    def weights(self) -> dict[str, Shape]:
        width = self.x[2]
        shapes: dict[str, Shape] = {"relative_position_bias_table": ((2 * self.window - 1) ** 2, self.heads)}
        for name, size in (("qkv", 3 * width), ("proj", width)):
            shapes[f"{name}.weight"] = (size, width)
            if self.bias:
                shapes[f"{name}.bias"] = (size,)
        return shapes

    def buffers(self) -> dict[str, Shape]:
        return {"relative_position_index": (self.window**4,)}

    def work(self) -> Work:
        height, breadth, width = self.x
        windows = ceil_div(height, self.window) * ceil_div(breadth, self.window)
        tokens = self.window**2
        work = attention_work(self.heads * windows, tokens, tokens, width // self.heads, width // self.heads)
        work["mac"] = 4 * windows * tokens * width * width
        work["add"] += self.heads * windows * tokens * tokens  # the bias of relative positions
        if self.bias:
            work["add"] += 4 * windows * tokens * width
        return work

    def backward(self) -> Backward:
        """The projections of queries, keys and values give the inputs' gradients; behind them is the way there."""
        work = self.work()
        projection = self._padded() * self.x[2]
        return Backward(weights=work["mac"], inputs=3 * projection, inner=projection + 2 * work["matmul"])

    def further(self) -> Work:
        """``projection_add``: the additions of the projections' biases."""
        return {"projection_add": 4 * self._padded() if self.bias else 0}

    def sight(self) -> tuple[Window | Sight, ...]:
        # A hull: from any place in a window to any other, across the shift's seam only masked positions are seen.
        reach = Window(1, 1 - self.window, self.window - 1)
        return (reach, reach, WHOLE_AXIS)

    def keeps(self) -> Keeps:
        """The windows, queries, keys, values, the heads' output, and the scores."""
        return Keeps(elements=5 * self._padded() + self._scores())

    def _counts(self) -> tuple[Dim, Dim]:
        """Rows and columns of windows."""
        return ceil_div(self.x[0], self.window), ceil_div(self.x[1], self.window)

    def _padded(self) -> Dim:
        """Elements of the map with its padding."""
        padded: Dim = product(self._counts()) * self.window**2 * self.x[2]
        return padded

    def _scores(self) -> Dim:
        scores: Dim = self.heads * product(self._counts()) * self.window**4
        return scores

    def scratch(self) -> Scratch:
        """Copies of queries, keys and values; then scores before and after a biases' sum, a mask's, and a softmax.

        In training also what is kept, and a copy of the result in the map's order, which a single column of windows
        does not need.
        """
        padded, scores, biases = self._padded(), self._scores(), self.heads * self.window**4
        sizes = {name: product(shape) for name, shape in self.weights().items()}
        projection = sizes["proj.weight"] + sizes.get("proj.bias", 0)
        copied = 1 if self._counts()[1] == 1 else 2
        return Scratch(
            inference=(
                Held(7 * padded),
                Held(5 * padded + scores),
                Held(5 * padded + 2 * scores, biases),
                *self._masking(4 * padded),
            ),
            training=(Held((6 + copied) * padded + 2 * scores, biases), *self._masking(5 * padded)),
            backward=(
                Held(padded + scores, projection),
                Held(2 * scores - padded, projection),
                Held(2 * padded - scores, sum(sizes.values()) - sizes["qkv.weight"]),
                Held(-scores, sum(sizes.values())),
            ),
            frees=((GRADIENT, 0),),
        )

    def scratch_of(self, given: Given) -> Scratch:
        """Without a gradient of its input, all of it but that at the end."""
        scratch = self.scratch()
        if any(given.wanted):
            return scratch
        *others, last = scratch.backward
        return scratch._replace(backward=(*others, last._replace(elements=last.elements - self._padded())))

    def gives_weights_in_parts(self, given: Given) -> bool:
        return True

    def is_nearly(self, given: Given) -> bool:
        """Of one sample, one row of windows, windows of one position or heads of one number, some copies are none."""
        ones = (given.layouts[0].sizes[0], self.window, *self._counts(), self.x[2] // self.heads)
        return 1 in ones or not any(given.wanted)

    def _masking(self, others: Dim) -> tuple[Held, ...]:
        """Making the mask of tokens that only the shift made neighbours, the same for each sample; and adding it."""
        rows, columns = self._counts()
        if not self.shift or rows == columns == 1:
            return ()
        scores, biases, mask = self._scores(), self.heads * self.window**4, rows * columns * self.window**4
        regions = rows * columns * self.window**2
        side = (columns if columns > 1 else rows) * self.window
        return (
            Held(others + scores, biases + 2 * mask + regions + side, shared_bytes=mask),
            Held(others + 2 * scores, biases + mask),
        )

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {"window": self.window, "shift": self.shift}
        if not self.bias:
            kwargs["bias"] = False
        return Torch("archcalc.WindowAttention", (self.x[2], self.heads), kwargs)
