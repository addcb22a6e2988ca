"""Rotary positions (Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, 2021)."""

from typing import Annotated, Any

from archcalc.arithmetic import Shape, require
from archcalc.ops.arguments import Bool, OptionalCount, Real, option
from archcalc.ops.layout import InputTensors, Layout, Placement, elementwise
from archcalc.ops.naming import HEADED, AxisNames
from archcalc.ops.operator import Operator
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    GradientKind,
    InputGradient,
    Torch,
    Work,
    example,
    shape_text,
)

Base = Annotated[float, Real(1)]


class Rotary(Taped, Operator):
    """`[…, L, d]`: pairs of numbers of each row are turned by angles that grow with the row's position.

    The sines and cosines are made once for a batch, and not counted.
    """

    kind = "rotary"
    has_linear = False
    overestimates = dict.fromkeys(("channels", "positions"), "an output sees one pair of its row")
    synonyms = "rope rotary_embedding rotary_position_embedding apply_rotary_pos_emb"
    category = "attention"
    takes_value = False
    base: Base = option(10000.0, "the angle of pair i grows by base^(−2i/d) a position")
    width: OptionalCount = option(None, "how many numbers of a row are turned, the first ones; all if not given")
    interleaved: Bool = option(False, "a pair is two neighbors, not one of each half")
    examples = (
        example((4, 7, 8)),
        example((7, 12), interleaved=True),
        example((2, 5, 8), width=4),
        example((5, 8), width=4, interleaved=True),
    )

    def resolved(self) -> dict[str, Any]:
        return {"base": float(self.base)}

    def output_shape(self) -> Shape:
        require(len(self.x) >= 2, lambda: f"rotary needs [L, d] or more, got {shape_text(self.x)}")
        width = self._width()
        require(width % 2 == 0, lambda: f"rotary turns pairs of numbers, and {width} is odd")
        require(width <= self.x[-1], lambda: f"rotary cannot turn {width} of {self.x[-1]} numbers")
        return self.x

    def _width(self) -> int:
        return self.x[-1] if self.width is None else self.width

    def expected_axes(self) -> AxisNames:
        return HEADED[-len(self.x) :] if len(self.x) <= 3 else ()

    def work(self) -> Work:
        """``x·cos + turned(x)·sin``; turning changes the sign of one half."""
        turned = self.elements // self.x[-1] * self._width()
        return {"mul": 2 * turned + turned // 2, "add": turned}

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.rotary import Turns, rotary

        op = Turns(self.x[-2], self.x[-1], self._width(), self.interleaved, is_cast=tensors.dtype != "float32")
        return lambda tape, inputs: rotary(tape, inputs[0], op)

    def placement(self, tensors: InputTensors) -> Placement:
        """In the input's order; contiguous if the rest is joined."""
        layout = tensors.layouts[0]
        contiguous = Layout.in_order(layout.sizes)
        if self._width() != self.x[-1]:
            return Placement(contiguous)
        return Placement(elementwise([elementwise([layout]), contiguous]))

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        is_whole = self._width() == self.x[-1]
        layout = elementwise([gradient]) if is_whole else Layout.in_order(gradient.sizes)
        return (InputGradient(GradientKind.NEW, layout),)

    def access(self) -> Access:
        return (*(SAME_POSITION,) * (len(self.x) - 1), WHOLE_AXIS)

    def torch(self) -> Torch:
        kwargs = {"interleaved": True} if self.interleaved else {}
        return Torch("archcalc.Rotary", (self._width(), float(self.base)), kwargs)
