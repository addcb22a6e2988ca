"""Attention in windows (Liu et al., *Swin Transformer*, 2021)."""

from typing import Any

from archcalc.arithmetic import Shape, ceil_div, require
from archcalc.ops.arguments import Bool, Count, Natural, option, required
from archcalc.ops.attention import attention_work
from archcalc.ops.operator import WHOLE_AXIS, Keeps, Operator, Sight, Torch, Window, Work, example, shape_text


class WindowAttention(Operator):
    """`[H, W, C]`: attention inside each window, moved by ``shift``, with a trained bias for each relative position.

    The map is padded to whole windows; along a side that one window covers, nothing is shifted.
    """

    kind = "window_attention"
    category = "attention"
    heads: Count = required("number of heads")
    window: Count = required("size of a window")
    shift: Natural = option(0, "how far the windows are moved")
    bias: Bool = option(True, "add a bias to the projections")
    examples = (
        example((14, 14, 12), heads=3, window=7),
        example((7, 7, 12), heads=3, window=7),
        example((14, 14, 12), heads=3, window=7, shift=3),
        example((9, 6, 8), heads=2, window=4, shift=2),
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

    def sight(self) -> tuple[Window | Sight, ...]:
        # A hull: from any place in a window to any other, across the shift's seam only masked positions are seen.
        reach = Window(1, 1 - self.window, self.window - 1)
        return (reach, reach, WHOLE_AXIS)

    def keeps(self) -> Keeps:
        """The windows, queries, keys, values, the heads' output, and the scores."""
        height, breadth, width = self.x
        windows = ceil_div(height, self.window) * ceil_div(breadth, self.window)
        tokens = self.window**2
        return Keeps(elements=5 * windows * tokens * width + self.heads * windows * tokens * tokens)

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {"window": self.window, "shift": self.shift}
        if not self.bias:
            kwargs["bias"] = False
        return Torch("archcalc.WindowAttention", (self.x[2], self.heads), kwargs)
