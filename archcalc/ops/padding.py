"""Operators that extend axes."""

import math
from typing import Annotated, Any

from archcalc.arithmetic import Dim, Shape, require
from archcalc.ops.arguments import Choice, Margins, Or, Pairs, Real, option, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Order, Placement, elementwise
from archcalc.ops.operator import Operator
from archcalc.ops.reads import PaddingMode, shifted
from archcalc.ops.shaping import Shaping
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import SAME_POSITION, Access, Autocast, SavedTensors, Torch, example, shape_text
from archcalc.ops.windows import EDGES, check_edge

LOWEST = "-inf"
"""What a maximum never takes, as a spec writes it."""
Filler = Annotated[Any, Or(LOWEST, Real())]


def filler(value: Any) -> Any:
    """Return the constant of a call as a spec writes it."""
    return LOWEST if value == -math.inf else value


class Pad(Taped, Shaping):
    """Rows and columns around the input; negative amounts cut."""

    kind = "pad"
    aten = "pad constant_pad_nd"
    onnx = "Pad"
    needs_images = True
    synonyms = "zeropad2d zero_pad zero_padding2d zeropadding2d constantpad2d reflectionpad2d"
    padding: Margins = required("amounts: a number, one per dimension, or [before, after] pairs")
    mode: Annotated[str, Choice(("constant", "reflect", "replicate", "circular"))] = option(
        "constant", "what is put there"
    )
    value: Filler = option(0.0, "the constant")
    examples = (
        example((3, 5, 6), padding=((1, 0), (2, 3))),
        example((3, 5, 6), padding=1, mode="reflect"),
        example((3, 7), padding=2, mode="replicate"),
        example((3, 7), padding=1, value="-inf"),
        example((3, 5, 6), padding=((-1, 0), (0, -2))),
        example((2, 4, 5, 6), padding=1, mode="replicate"),
        example((3, 5, 6), padding=((1, 0), (2, 3)), mode="circular"),
    )

    def changes_nothing(self) -> bool:
        return not any(amount for pair in self.padding for amount in pair)

    @property
    def memory_order(self) -> Order:  # type: ignore[override]
        """The sides of circular padding are put around an input in order."""
        return Order.OWN if self.mode == "circular" else Order.IMAGE

    def autocast_policy(self) -> Autocast:
        """The kernels that copy what is at the edge compute in float32."""
        return Autocast.FLOAT32 if self.mode in ("reflect", "replicate") else Autocast.WIDEST

    def output_shape(self) -> Shape:
        self.need_spatial()
        sizes = []
        for n, (before, after) in zip(self.x[1:], self.padding, strict=True):
            size = _padded_size(n, before, after)
            check_edge(self.mode, n, (before, after))
            require(  # PyTorch cuts first, and wraps what is left
                self.mode != "circular" or ((before >= 0) & (after >= 0)),
                lambda: "circular cannot cut; use slice before it",
            )
            sizes.append(size)
        return (self.channels_in, *sizes)

    def access(self) -> Access:
        beyond = EDGES.get(self.mode, PaddingMode.NOTHING)
        return (SAME_POSITION, *(shifted(-before, edge=beyond) for before, _ in self.padding))

    def takes_steps(self, tensors: InputTensors) -> bool:
        """The sides of circular padding are copied one by one."""
        return bool(self.mode == "circular")

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.convolution import circular

        sizes = tensors.layouts[0].sizes
        return lambda tape, inputs: circular(tape, inputs[0], sizes, self.padding)

    def saved_by_kernel(self, tensors: InputTensors) -> SavedTensors:
        return SavedTensors(inputs=self.mode in ("reflect", "replicate"))

    def placement(self, tensors: InputTensors) -> Placement:
        return _padded(self, self.padding, tensors) if self.mode == "constant" else super().placement(tensors)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if not 1 <= len(call.x.shape) - 1 <= 3:
            return None
        amounts = call.arguments["pad"]
        pairs = [(amounts[index], amounts[index + 1]) for index in range(0, len(amounts), 2)][::-1]
        rank = len(call.x.shape) - 1
        if len(pairs) > rank:
            return None
        pairs = [(0, 0)] * (rank - len(pairs)) + pairs
        mode = call.get("mode", "constant")
        return {"padding": pairs, "mode": mode} | (
            {"value": filler(call.get("value", 0))} if mode == "constant" else {}
        )

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        """Amounts for all axes, or for those that are given: before each, then after each."""
        axes, amounts = len(call.x.sizes), call.arguments["pads"]
        given = call.get("axes", list(range(axes)))
        pairs = [(0, 0)] * axes
        for axis, before, after in zip(given, amounts[: len(given)], amounts[len(given) :], strict=True):
            pairs[axis] = before, after
        if pairs[:2] != [(0, 0), (0, 0)]:
            return None
        mode = {"edge": "replicate", "wrap": "circular"}.get(call.get("mode", ""), call.get("mode", "constant"))
        value = call.get("constant_value", call.get("value", 0))
        return {"padding": tuple(pairs[2:]), "mode": mode} | ({"value": filler(value)} if mode == "constant" else {})

    def torch(self) -> Torch:
        names = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}
        amounts = tuple(amount for pair in reversed(self.padding) for amount in pair)
        args = (amounts, float(self.value)) if self.mode == "constant" else (amounts,)
        return Torch(f"nn.{names[self.mode]}Pad{self.rank}d", args)


def _padded_size(size: Dim, before: Dim, after: Dim) -> Dim:
    """Return the size with positions added at both ends; PyTorch cuts what is negative first."""
    cut = sum(-amount for amount in (before, after) if amount < 0)
    require(cut <= size, lambda: f"padding cuts {cut} positions of an axis of size {size}")
    padded = size + before + after
    require(padded > 0, lambda: f"padding leaves no output: its size would be {padded}")
    return padded


def _padded(op: Operator, amounts: tuple[tuple[int, int], ...], tensors: InputTensors) -> Placement:
    """Return where constant padding is; if it adds nothing, it copies the input in its own order."""
    if any(amount > 0 for pair in amounts for amount in pair):
        return Placement(op.memory_order.of(tensors.layouts, tensors.sizes(op.output)))
    cut = tensors.layouts[0]
    for axis, size in enumerate(op.output, 1):
        cut = cut.part(axis, size)
    return Placement(elementwise([cut]))


class PadAxes(Shaping):
    """Positions around the last axes, whatever these are; negative amounts cut."""

    kind = "pad_axes"
    aten = "pad constant_pad_nd"
    memory_order = Order.IMAGE
    amounts: Pairs = required("[before, after] for each of the last axes")
    value: Filler = option(0.0, "the constant that is put there")
    examples = (
        example((5, 6, 8), amounts=((0, 2), (1, 0), (0, 0))),
        example((7, 12), amounts=((0, 3),), value=1),
        example((4, 9), amounts=((1, 0), (0, -2))),
    )

    def _pairs(self) -> tuple[tuple[int, int], ...]:
        """The amounts for every axis."""
        require(
            len(self.amounts) <= len(self.x),
            lambda: f"{len(self.amounts)} pairs are too many for {shape_text(self.x)}",
        )
        return ((0, 0),) * (len(self.x) - len(self.amounts)) + self.amounts

    def output_shape(self) -> Shape:
        return tuple(_padded_size(size, *pair) for size, pair in zip(self.x, self._pairs(), strict=True))

    def placement(self, tensors: InputTensors) -> Placement:
        return _padded(self, self.amounts, tensors)

    def access(self) -> Access:
        return tuple(shifted(-before) for before, _ in self._pairs())

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        given = call.arguments["pad"]
        amounts = tuple((given[index], given[index + 1]) for index in range(0, len(given), 2))[::-1]
        if call.get("mode", "constant") != "constant" or len(amounts) > len(call.x.shape):
            return None
        for dim in range(-len(amounts), 0):
            call.x.axis(dim)  # none of them is the batch
        return {"amounts": amounts, "value": filler(call.get("value", 0))}

    def torch(self) -> Torch:
        given = tuple(amount for pair in reversed(self.amounts) for amount in pair)
        return Torch("torch.nn.functional.pad", (given,), {"value": float(self.value)} if self.value else {})
