"""Attention in windows (Liu et al., *Swin Transformer*, 2021; *Swin Transformer V2*, 2022), and its position biases."""

from collections.abc import Mapping
from typing import Any

from archcalc.arithmetic import Dim, Shape, ceil_div, product, require
from archcalc.ops.arguments import Bool, Count, Natural, SizeList, option, required
from archcalc.ops.attention import attention_work
from archcalc.ops.layout import InputTensors, Layout, Placement
from archcalc.ops.operator import Operator
from archcalc.ops.reads import blocks
from archcalc.ops.shapes import checked_sizes
from archcalc.ops.taped import Program, Taped
from archcalc.ops.trained import StandingAlone
from archcalc.ops.vocabulary import (
    GRADIENT,
    WHOLE_AXIS,
    Access,
    Backward,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)

INDEX_BYTES = 8
"""Bytes of the number of a relative position."""

HIDDEN = 512
"""Features inside the network that gives Swin V2's position biases."""


class WindowAttention(Taped, Operator):
    """Attention inside windows of `[H, W, C]`, moved by ``shift``, with a relative position bias.

    The feature map is padded to full windows. Along a dimension that one window covers, nothing is shifted.

    With ``cosine``, as in Swin V2: the scores are cosines of queries and keys times a trained factor, keys have no
    bias, and a small network gives the biases of relative positions. It runs once for a batch.
    """

    kind = "window_attention"
    expects = ("height", "width", "channels")
    category = "attention"
    integer_buffers = ("relative_position_index",)
    uncast_weights = ("relative_position_bias_table", "logit_scale")
    heads: Count = required("number of heads")
    window: Count = required("size of a window")
    shift: Natural = option(0, "how far the windows are moved")
    bias: Bool = option(True, "add a bias to the projections")
    cosine: Bool = option(False, "scores are scaled cosines, and a small network gives the position biases (Swin V2)")
    examples = (
        example((14, 14, 12), heads=3, window=7),
        example((7, 7, 12), heads=3, window=7),
        example((14, 14, 12), heads=3, window=7, shift=3),
        example((9, 6, 8), heads=2, window=4, shift=2),
        example((8, 8, 48), heads=2, window=4, shift=2),
        example((8, 12, 12), heads=3, window=4, shift=2, cosine=True),
        example((4, 4, 8), heads=2, window=4, bias=False, cosine=True),
    )

    def output_shape(self) -> Shape:
        require(len(self.x) == 3, lambda: f"window_attention needs [H, W, C], got {shape_text(self.x)}")
        require(self.x[2] % self.heads == 0, lambda: f"heads {self.heads} do not divide the width {self.x[2]}")
        return self.x

    def weights(self) -> dict[str, Shape]:
        width = self.x[2]
        shapes: dict[str, Shape] = {"relative_position_bias_table": (self._distances(), self.heads)}
        if self.cosine:
            shapes = {
                "logit_scale": (self.heads, 1, 1),
                "cpb_mlp.0.weight": (HIDDEN, 2),
                "cpb_mlp.0.bias": (HIDDEN,),
                "cpb_mlp.2.weight": (self.heads, HIDDEN),
            }
        for name, size in (("qkv", 3 * width), ("proj", width)):
            shapes[f"{name}.weight"] = (size, width)
            if self.bias:
                shapes[f"{name}.bias"] = (size,)
        return shapes

    def _distances(self) -> Dim:
        """Return the number of relative positions of two tokens in a window."""
        return (2 * self.window - 1) ** 2

    def buffers(self) -> dict[str, Shape]:
        side = 2 * self.window - 1
        coordinates = {"relative_coords_table": (1, side, side, 2)} if self.cosine else {}
        return {**coordinates, "relative_position_index": (self.window**4,)}

    def work(self) -> Work:
        width = self.x[2]
        windows = product(self._counts())
        tokens = self.window**2
        work = attention_work(self.heads * windows, tokens, tokens, width // self.heads, width // self.heads)
        work["mac"] = 4 * windows * tokens * width * width
        work["add"] += self.heads * windows * tokens * tokens  # the bias of relative positions
        if self.bias:
            work["add"] += 4 * windows * tokens * width
        if self.cosine:  # queries and keys are divided by their lengths
            numbers, rows = 2 * windows * tokens * width, 2 * windows * tokens * self.heads
            work |= {"mul": work["mul"] + numbers, "div": work["div"] + numbers, "sqrt": rows}
            work["add"] += numbers - rows
            work["compare"] += rows
        return work

    def work_per_batch(self) -> Work:
        """The network that gives the biases, and its sigmoid; the exponential of each head's factor."""
        if not self.cosine:
            return {}
        hidden, biases = self._distances() * HIDDEN, self.heads * self.window**4
        return {
            "mac": hidden * (2 + self.heads),
            "add": hidden + biases,
            "mul": biases,
            "div": biases,
            "exp": biases + self.heads,
            "compare": hidden + self.heads,
        }

    def backward_per_batch(self) -> Backward:
        """The table of positions needs no gradient; the second layer's gradient leads to the first layer's weights."""
        products = self.work_per_batch().get("mac", 0)
        return Backward(weights=products, inputs=0, inner=self._distances() * HIDDEN * self.heads if products else 0)

    def backward(self) -> Backward:
        """Gradients of the input come from the projections to queries, keys and values; the rest is `inner`."""
        work = self.work()
        projection = self._padded() * self.x[2]
        return Backward(weights=work["mac"], inputs=3 * projection, inner=projection + 2 * work["matmul"])

    def extra_work(self) -> Work:
        """``projection_add``: the additions of the projections' biases."""
        return {"projection_add": 4 * self._padded() if self.bias else 0}

    @property
    def tools_agree(self) -> bool:
        return not self.cosine

    def access(self) -> Access:
        """The window that a position lies in; the mask of a shift keeps apart what was not beside it in the map."""
        sides = (blocks(self.window, self.shift if n > self.window else 0) for n in self.x[:2])
        return (*sides, WHOLE_AXIS)

    @property
    def overestimates(self) -> Mapping[str, str]:
        return {"nan": "a mask hides positions across the seam of the shift, but NaN passes it"} if self.shift else {}

    def _counts(self) -> tuple[Dim, Dim]:
        """Return the rows and columns of windows."""
        return ceil_div(self.x[0], self.window), ceil_div(self.x[1], self.window)

    def _padded(self) -> Dim:
        """Return the elements of the padded feature map."""
        return product(self._counts()) * self.window**2 * self.x[2]

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.window import Windows, window_attention

        counts = self._counts()
        op = Windows(
            shape=self.x,
            counts=counts,
            window=self.window,
            heads=self.heads,
            shifts=(self.shift if counts[0] > 1 else 0, self.shift if counts[1] > 1 else 0),
            bias=self.bias,
            cosine=self.cosine,
            hidden=HIDDEN,
            trained=tensors.trains_weights,
            autocast=tensors.autocast,
        )
        return lambda tape, inputs: window_attention(tape, inputs[0], op)

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        return True

    def torch(self) -> Torch:
        kwargs = {"window": self.window, "shift": self.shift, **self.changed("bias", "cosine")}
        return Torch("archcalc.WindowAttention", (self.x[2], self.heads), kwargs)


class RelativePositionBias(StandingAlone):
    """A trained bias per head for each relative position of two tokens of a map: `[heads, L, L]`, added to scores."""

    kind = "relative_position_bias"
    integer_buffers = ("relative_position_index",)
    synonyms = "rel_pos_bias relative_position_bias_table relposbias"
    category = "linear"
    heads: Count = required("number of heads")
    size: SizeList = required("height and width of the map of tokens")
    stored: Bool = option(True, "keep the number of each pair's relative position as a buffer")
    examples = (example((8, 12), heads=2, size=(2, 4)), example((9, 3), heads=4, size=3, stored=False))

    def resolved(self) -> dict[str, Any]:
        return {"size": self.size * 2 if len(self.size) == 1 else self.size}

    def output_shape(self) -> Shape:
        require(len(self.size) == 2, lambda: f"size has height and width, got {len(self.size)} numbers")
        height, width = checked_sizes(self.size)
        return (self.heads, height * width, height * width)

    def weights(self) -> dict[str, Shape]:
        height, width = self.size
        return {"relative_position_bias_table": ((2 * height - 1) * (2 * width - 1), self.heads)}

    def buffers(self) -> dict[str, Shape]:
        return {"relative_position_index": (product(self.size) ** 2,)} if self.stored else {}

    def placement(self, tensors: InputTensors) -> Placement:
        """The biases as they are looked up: heads innermost."""
        heads, tokens, _ = self.output
        layout = Layout(self.output, (1, tokens * heads, heads)).for_samples(tensors.layouts[0].sizes[0])
        return Placement(layout, elements=product(self.output))

    def saved_tensors(self) -> SavedTensors:
        """The numbers of relative positions, if they are not a buffer."""
        return SavedTensors(shared_bytes=self._index_bytes())

    def _index_bytes(self) -> Dim:
        return 0 if self.stored else INDEX_BYTES * product(self.size) ** 2

    def workspaces(self) -> Workspaces:
        """The numbers of relative positions, made of those of rows and columns.

        Backward, the sum of all samples' gradients; then the table's, and zeros to which they are added.
        """
        biases, table = product(self.output), product(self.weights()["relative_position_bias_table"])
        height, width = self.size
        index = self._index_bytes()
        sides = INDEX_BYTES * (2 * height * height + width * width)
        forward = (Workspace(shared=biases, shared_bytes=index), Workspace(shared_bytes=index + sides))
        return Workspaces(
            inference=() if self.stored else forward,
            training=() if self.stored else forward,
            backward=(Workspace(shared=biases), Workspace(shared=biases + 2 * table)),
            frees=((GRADIENT, 1),),
        )

    def extra_work(self) -> Work:
        """``of_each_head``: the table for every head, as torchinfo takes the heads for the batch."""
        return {"of_each_head": self.heads * product(self.weights()["relative_position_bias_table"])}

    def torch(self) -> Torch:
        return Torch("archcalc.RelativePositionBias", (self.heads, *self.size), self.changed("stored"))
