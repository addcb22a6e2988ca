"""Recurrent layers over a sequence `[L, features]`, as `torch.nn.LSTM`, `torch.nn.GRU` and `torch.nn.RNN`.

The formulas are those of PyTorch's documentation: every gate has a matrix for the input, one for the state before, and
two biases.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, Count, OptionalCount, option, required
from archcalc.ops.calls import Call, Operand, Stored
from archcalc.ops.layout import InputTensors, Layout, Placement
from archcalc.ops.naming import SEQUENCE, AxisNames, sequence_names
from archcalc.ops.operator import Operator
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import (
    GLANCE,
    WHOLE_AXIS,
    Access,
    Autocast,
    Backward,
    Example,
    GradientKind,
    InputGradient,
    Torch,
    Work,
    example,
    shape_text,
)

if TYPE_CHECKING:
    from archcalc.ops.tape.recording import TapedMemory
    from archcalc.ops.tape.recurrent import Cell

FUSED = ("float32", "bfloat16")
"""The types that oneDNN's kernel computes in; bfloat16 on a CPU with AVX-512."""


def _step_by_step(sizes: Shape) -> Layout:
    """Return the layout of a sequence `[batch, steps, …]` whose steps lie one after another."""
    return Layout.exchanged(sizes, 0, 1)


class _Recurrent(Taped, Operator):
    category = "recurrent"
    expects = SEQUENCE
    has_linear = False
    features: Count = required("size of the state")
    layers: Count = option(1, "layers on top of each other; each takes the sequence of the one below")
    bidirectional: Bool = option(False, "a second state that runs backwards; both are given beside each other")
    bias: Bool = option(True, "two biases for every gate, as in PyTorch")
    last: Bool = option(False, "give the last state of each direction alone, not the sequence of all states")
    examples: ClassVar[tuple[Example, ...]] = (
        example((5, 8), features=6),
        example((5, 8), features=6, layers=2, bidirectional=True, last=True),
        example((7, 3), features=4, layers=3, bias=False),
    )
    gates: ClassVar[int]
    """Rows of weights, in units of the state's size."""
    per_state: ClassVar[Work]
    """Operations for each number of a state, beyond products and biases."""
    beside: ClassVar[tuple[int, int]]
    """What thop and ptflops count for each number of a state, beyond products and biases."""
    projection: int | None = None
    """Size of a projection of every state."""

    @abstractmethod
    def cell(self) -> "Cell":
        """Return a step on a tape."""

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def is_unfused(self) -> bool:
        """True if PyTorch has no kernel for the whole layer on a CPU, only for its steps."""
        return True

    def state_size(self) -> Dim:
        """Size of the state that goes to the next step and to the next layer."""
        return self.features

    def output_shape(self) -> Shape:
        require(len(self.x) == 2, lambda: f"{self.kind} needs a sequence [L, features], got {shape_text(self.x)}")
        width = self.directions * self.state_size()
        return (width,) if self.last else (self.x[0], width)

    def _cells(self) -> list[tuple[str, Dim]]:
        """The suffix of each cell's tensors, and the size of what it takes."""
        cells = []
        for layer in range(self.layers):
            size = self.x[1] if layer == 0 else self.directions * self.state_size()
            cells += [(f"l{layer}{suffix}", size) for suffix in ("", "_reverse")[: self.directions]]
        return cells

    def weights(self) -> dict[str, Shape]:
        rows = self.gates * self.features
        shapes: dict[str, Shape] = {}
        for suffix, size in self._cells():
            shapes[f"weight_ih_{suffix}"] = (rows, size)
            shapes[f"weight_hh_{suffix}"] = (rows, self.state_size())
            if self.bias:
                shapes[f"bias_ih_{suffix}"] = (rows,)
                shapes[f"bias_hh_{suffix}"] = (rows,)
        return shapes

    def _products(self, *parts: str) -> Dim:
        """Elements of all matrices whose names have one of ``parts``: multiply-adds of one step."""
        matrices = (name for name in self.weights() if name.startswith("weight") and any(p in name for p in parts))
        return sum(product(self.weights()[name]) for name in matrices)

    def _states(self) -> Dim:
        """Numbers of all states that are computed."""
        return self.x[0] * self.layers * self.directions * self.features

    def work(self) -> Work:
        steps, states = self.x[0], self._states()
        work = {
            "mac": steps * self._products("weight"),
            **{name: count * states for name, count in self.per_state.items()},
        }
        joined = self.gates * states  # the input's part and the state's part of every gate
        work["add"] = work.get("add", 0) + (3 * joined if self.bias else joined)
        return work

    def backward(self) -> Backward:
        """Through time. The gradient of the first state, which is zero, is not needed."""
        steps, rows = self.x[0], self.gates * self.features
        sizes = [size for _, size in self._cells()]
        states = len(sizes) * rows * self.state_size()
        below = rows * sum(sizes[self.directions :])
        inner = steps * (below + self._products("_hr_")) + (steps - 1) * states
        first = steps * self.directions * rows * self.x[1]
        return Backward(weights=self.work()["mac"], inputs=first, inner=inner)

    def extra_work(self) -> Work:
        """What the tools count that know these modules.

        ``every_step``: trained numbers, once for each step. ``thop``: its count, which knows no projection.
        ``ptflops``: its count, which takes every direction for the forward one. ``unfused``: multiply-adds and biases
        of what PyTorch computes by linear layers.
        """
        steps, states, width = self.x[0], self._states(), self.features
        gates = self.gates * width
        thop, biases, cells = 0, 2 * gates if self.bias else 0, self.layers * self.directions
        for layer in range(self.layers):
            thop += self.directions * gates * ((self.x[1] if layer == 0 else self.directions * width) + width)
        of_thop, of_ptflops = self.beside
        return {
            "every_step": steps * sum(map(product, self.weights().values())),
            "thop": steps * (thop + biases * cells) + of_thop * states,
            "unfused": steps * (self._products("weight") + biases * cells) if self.is_unfused else 0,
            "ptflops": steps * (self._products("_ih_", "_hh_") + biases * cells) + of_ptflops * states,
        }

    # -- memory

    def placement(self, tensors: InputTensors) -> Placement:
        """The sequence is computed step after step: its batch is the second axis in memory."""
        sizes = tensors.sizes(self.output)
        return Placement(Layout.in_order(sizes) if self.last else _step_by_step(sizes))

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (InputGradient(GradientKind.NEW, _step_by_step(tensors.layouts[0].sizes), is_view=True),)

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        return True

    def recorded(self, tensors: InputTensors, training: bool) -> "TapedMemory":
        """Of a long sequence, what each step adds is found by runs of few steps: all between are alike."""
        from archcalc.ops.tape.recording import extended
        from archcalc.ops.tape.recurrent import FEW_STEPS

        steps = self.x[0]
        if self.runs_fused(tensors) or steps <= FEW_STEPS + 1:
            return super().recorded(tensors, training)
        few, more = (self.of_steps(count).recorded(tensors, training) for count in (FEW_STEPS, FEW_STEPS + 1))
        return extended(few, more, steps - FEW_STEPS)

    def of_steps(self, count: int) -> "_Recurrent":
        """Return the same layer for a sequence of another length."""
        other = self._changed(inputs=((count, self.x[1]),))
        assert isinstance(other, _Recurrent)
        return other

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.recurrent import RecurrentSizes, fused_lstm, step_by_step

        sizes = RecurrentSizes(
            steps=self.x[0],
            batch=tensors.layouts[0].sizes[0],
            inputs=self.x[1],
            gates=self.gates,
            features=self.features,
            projection=self.projection,
            layers=self.layers,
            directions=self.directions,
            last=self.last,
            bias=self.bias,
            trained=tensors.trains_weights,
            layout=tensors.layouts[0].permuted((1, 0, 2)),
            dtype=tensors.dtype,
        )
        if self.runs_fused(tensors):
            return lambda tape, inputs: fused_lstm(tape, inputs[0], sizes)
        return lambda tape, inputs: step_by_step(tape, inputs[0], sizes, self.cell())

    def runs_fused(self, tensors: InputTensors) -> bool:
        """Return True if one kernel of oneDNN computes the sequence."""
        return False

    def access(self) -> Access:
        """A state depends on all steps before it; of two directions, on all."""
        return (WHOLE_AXIS if self.last else GLANCE, WHOLE_AXIS)

    @property
    def overestimates(self) -> dict[str, str]:
        """A state sees the steps before it only; the last one sees all."""
        return {} if self.bidirectional else {"channels": "a state sees the steps before it"}

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return ((1,),) if self.last else ((0,), (1,))

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return ("features",) if self.last else sequence_names(inputs[0])

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if call.item or call.get("hx"):  # a first state that is given
            return None
        return {
            "features": call.arguments["params"][0].shape[0] // cls.gates,
            "layers": call.arguments["num_layers"],
            "bidirectional": call.arguments["bidirectional"],
            "bias": call.arguments["has_biases"],
        }

    @classmethod
    def call_inputs(cls, call: Call) -> Sequence[Operand]:
        return call.operands[:1]

    def call_weights(self, call: Call) -> Mapping[str, Stored]:
        """In PyTorch's order, which is that of `weights`."""
        return dict(zip(self.weights(), call.arguments["params"], strict=True))

    def torch(self) -> Torch:
        layers = {"num_layers": self.layers} if self.layers != 1 else {}
        projected = {} if self.projection is None else {"proj_size": self.projection}
        kwargs = {"batch_first": True, **layers, **self.changed("bidirectional", "bias"), **projected}
        then = "archcalc.last_state" if self.last else "archcalc.all_states"
        return Torch(f"nn.{self.kind.upper()}", (self.x[1], self.features), kwargs, then=then)


class Lstm(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with PyTorch's two biases."""

    kind = "lstm"
    aten = "lstm"
    synonyms = "bilstm lstm_layer"
    projection: OptionalCount = option(None, "size of a projection of every state, which is then the state given on")
    gates = 4
    per_state: ClassVar[Work] = {
        "mul": 3 + 3,  # three products; the sign of three sigmoids
        "exp": 3,
        "add": 3 + 1,
        "div": 3,
        "tanh": 2,
    }
    beside = (8, 10)
    examples = (*_Recurrent.examples, example((5, 8), features=6, projection=3, layers=2))

    @property
    def is_unfused(self) -> bool:
        return self.projection is not None

    def cell(self) -> "Cell":
        from archcalc.ops.tape.recurrent import lstm_cell

        return lstm_cell

    def runs_fused(self, tensors: InputTensors) -> bool:
        return not self.is_unfused and tensors.dtype in FUSED

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        given = super().from_aten(call)
        state = call.arguments["params"][1].shape[1]
        return given and (given if state == given["features"] else {**given, "projection": state})

    def state_size(self) -> Dim:
        return self.features if self.projection is None else self.projection

    def output_shape(self) -> Shape:
        require(
            self.projection is None or self.projection < self.features,
            lambda: f"the projection {self.projection} is not below the state's {self.features}",
        )
        return super().output_shape()

    def weights(self) -> dict[str, Shape]:
        if self.projection is None:
            return super().weights()
        shapes = {}
        for name, shape in super().weights().items():
            shapes[name] = shape
            if name.startswith("bias_hh" if self.bias else "weight_hh"):
                suffix = name.partition("hh_")[2]
                shapes[f"weight_hr_{suffix}"] = (self.projection, self.features)
        return shapes


class Gru(_Recurrent):
    """Gated recurrent unit (Cho et al., 2014), with PyTorch's two biases."""

    kind = "gru"
    autocast = Autocast.WIDEST
    aten = "gru"
    synonyms = "bigru"
    gates = 3
    per_state: ClassVar[Work] = {"mul": 3 + 2, "exp": 2, "add": 2 + 2, "div": 2, "tanh": 1}
    beside = (7, 7)

    def cell(self) -> "Cell":
        from archcalc.ops.tape.recurrent import gru_cell

        return gru_cell


class Rnn(_Recurrent):
    """A recurrent layer with one gate and tanh (Elman, 1990)."""

    kind = "rnn"
    aten = "rnn_tanh"
    synonyms = "simplernn simple_rnn elman"
    gates = 1
    per_state: ClassVar[Work] = {"tanh": 1}
    beside = (1, 1)

    def cell(self) -> "Cell":
        from archcalc.ops.tape.recurrent import rnn_cell

        return rnn_cell
