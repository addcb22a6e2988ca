"""The steps that PyTorch takes for a recurrent layer on a CPU, on a tape (`aten/src/ATen/native/RNN.cpp`).

An LSTM without projection is a fused kernel of oneDNN for each layer and direction. It keeps a workspace of its own,
whose size `workspace_bytes` knows. All others compute one step after another.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from archcalc.arithmetic import Dim, ceil_div, maximum
from archcalc.dtypes import BITS
from archcalc.ops.layout import Layout
from archcalc.ops.tape.tape import AFTERWARDS, Tape
from archcalc.ops.tape.tensors import Gradients, TapeTensor

FLOAT_BYTES, LINE_BYTES, PAGE_BYTES = 4, 64, 4096
FEW_STEPS = 4
"""The fewest steps of which those in the middle are alike: the first two and the last two are not."""


class RecurrentSizes(NamedTuple):
    """A recurrent layer and its input, as its steps need them."""

    steps: Dim
    batch: Dim
    inputs: Dim
    gates: int
    features: Dim
    projection: Dim | None
    """Size of a state after its projection; None without one."""
    layers: int
    directions: int
    last: bool
    bias: bool
    trained: bool
    layout: Layout
    """Of the input, with the steps as the first axis."""
    dtype: str

    @property
    def state(self) -> Dim:
        """Size of the state that is given on."""
        return self.features if self.projection is None else self.projection

    @property
    def rows(self) -> Dim:
        """Rows of every matrix."""
        return self.gates * self.features

    def width(self, layer: int) -> Dim:
        """Size of what a layer takes at each step."""
        return self.inputs if layer == 0 else self.directions * self.state


State = tuple[TapeTensor, ...]
"""What goes from step to step: the state that is given on, and an LSTM's memory."""
Cell = Callable[[Tape, TapeTensor, State, TapeTensor, "TapeTensor | None"], State]
"""From a step's gates of the input, the state before, its matrix and its bias to the state."""


def gru_cell(tape: Tape, given: TapeTensor, before: State, weight: TapeTensor, bias: TapeTensor | None) -> State:
    """A step of a gated recurrent unit."""
    (state,) = before
    of_input = tape.parts(given, (1, 1, 1))
    of_state = tape.parts(tape.matrix_product(state, weight, 3 * state.elements, bias), (1, 1, 1))
    reset = tape.change(tape.add(of_state[0], of_input[0], in_place=True))
    update = tape.change(tape.add(of_state[1], of_input[1], in_place=True))
    new = tape.change(tape.add(of_input[2], tape.multiply(of_state[2], reset, in_place=True)))
    kept = tape.multiply(tape.subtract(state, new), update, in_place=True)
    return (tape.add(kept, new, in_place=True),)


def rnn_cell(tape: Tape, given: TapeTensor, before: State, weight: TapeTensor, bias: TapeTensor | None) -> State:
    """A step with one gate and tanh."""
    (state,) = before
    joined = tape.add(tape.matrix_product(state, weight, state.elements, bias), given, in_place=True)
    return (tape.compute(joined, saves_output=True),)


def lstm_cell(tape: Tape, given: TapeTensor, before: State, weight: TapeTensor, bias: TapeTensor | None) -> State:
    """A step of a long short-term memory, before its projection."""
    state, memory = before
    joined = tape.add(tape.matrix_product(state, weight, 4 * memory.elements, bias), given, in_place=True)
    into, kept, new, out = map(tape.change, tape.parts(joined, (1, 1, 1, 1)))
    memory = tape.multiply(kept, memory)
    memory = tape.add(memory, tape.multiply(into, new), in_place=True)
    return tape.multiply(out, tape.compute(memory, saves_output=True)), memory


def step_by_step(tape: Tape, x: TapeTensor, sizes: RecurrentSizes, cell: Cell) -> TapeTensor:
    """Run all layers one step after another."""
    each = sizes.layers * sizes.directions * sizes.batch
    first = [tape.new(each * sizes.state)]
    if cell is lstm_cell:
        first.append(tape.new(each * sizes.features))
    sequence = tape.view(x)
    finals: list[State] = []
    for layer in range(sizes.layers):
        sequences: list[TapeTensor] = []
        computed: TapeTensor | None = None
        given: list[TapeTensor] = []
        outputs: list[list[TapeTensor]] = []
        for direction in range(sizes.directions):
            tape.label = (layer, direction, "input")
            computed = _of_input(tape, sequence, sizes, layer)
            given = tape.parts(computed, (1,) * sizes.steps)
            matrix = tape.weight(sizes.rows * sizes.state, sizes.trained)
            bias = tape.weight(sizes.rows, sizes.trained) if sizes.bias else None
            projection = None
            if sizes.projection is not None:
                projection = tape.weight(sizes.features * sizes.state, sizes.trained)
            cells = sizes.layers * sizes.directions
            state = tuple(zeros.view(zeros.elements // cells) for zeros in first)
            outputs.append([])
            for number, step in enumerate(given):
                tape.label = (layer, direction, number if number < FEW_STEPS / 2 else number - sizes.steps)
                state = cell(tape, step, state, matrix, bias)
                if projection is not None:
                    projected = tape.matrix_product(state[0], projection, sizes.batch * sizes.state)
                    state = (projected, *state[1:])
                outputs[-1].append(state[0])
            tape.label = (layer, direction, "output")
            sequences.append(tape.join(outputs[-1]))
            finals.append(state)
        sequence = tape.join(sequences) if sizes.directions == 2 else sequences[0]
        del sequences, computed, given, step, outputs, state
    tape.label = "states"
    states = [tape.join([final[number] for final in finals]) for number in range(len(first))]
    del finals, first
    return _output(tape, sequence, states[0], sizes)


def _of_input(tape: Tape, sequence: TapeTensor, sizes: RecurrentSizes, layer: int) -> TapeTensor:
    """Return the input's part of all gates at all steps: a product, and a sum of its own if the input is copied."""
    weight = tape.weight(sizes.rows * sizes.width(layer), sizes.trained)
    bias = tape.weight(sizes.rows, sizes.trained) if sizes.bias else None
    elements = sizes.steps * sizes.batch * sizes.rows
    if layer > 0 or sizes.layout.is_in_order:
        return tape.view(tape.matrix_product(tape.view(sequence), weight, elements, bias))
    is_matrix = sizes.layout.joined(2) is not None
    if is_matrix or sizes.trained:
        rows = tape.view(sequence if is_matrix else tape.copy(sequence))
        product = tape.view(tape.matrix_product(rows, weight, elements))
        del rows
    else:  # a product for each step
        product = tape.compute(tape.view(sequence), elements)
    return product if bias is None else tape.add_repeated(product, bias)


def fused_lstm(tape: Tape, x: TapeTensor, sizes: RecurrentSizes) -> TapeTensor:
    """Run all layers of an LSTM by oneDNN's kernel."""
    each = sizes.batch * sizes.features
    cells = sizes.layers * sizes.directions
    first = [tape.new(cells * each) for _ in range(2)]
    sequence = tape.view(x)
    if not sizes.layout.is_in_order:
        sequence = tape.copy(sequence)
    held = sequence
    outputs: list[TapeTensor | None] = [None] * sizes.directions
    finals: list[list[TapeTensor]] = [[], []]
    for layer in range(sizes.layers):
        for direction in range(sizes.directions):
            tape.label = (layer, direction)
            outputs[direction], *states = _fused_cell(tape, sequence, first, sizes, layer)
            for some, state in zip(finals, states, strict=True):
                some.append(state)
        joined = [output for output in outputs if output is not None]
        sequence = tape.join(joined) if sizes.directions == 2 else joined[0]
        del joined
    tape.label = "states"
    hidden, _ = [tape.join(some) for some in finals]
    del held, first, outputs, finals, states, some, state
    return _output(tape, sequence, hidden, sizes)


def _fused_cell(
    tape: Tape, sequence: TapeTensor, first: Sequence[TapeTensor], sizes: RecurrentSizes, layer: int
) -> list[TapeTensor]:
    """Run the kernel; return its sequence of states, the last state and the last memory."""
    each = sizes.batch * sizes.features
    matrices = (sizes.rows * sizes.width(layer), sizes.rows * sizes.features)
    weights = [tape.weight(size, sizes.trained) for size in matrices]
    if sizes.bias:
        weights += [tape.weight(sizes.rows, sizes.trained) for _ in range(2)]
    # Without biases, PyTorch gives the kernel zeros of the matrices' size.
    zeros = [] if sizes.bias else [tape.new(size) for size in reversed(matrices)]
    made = [tape.new(sizes.steps * each), tape.new(each), tape.new(each)]
    saved = [sequence, *first, *zeros, *made]
    if tape.training:
        saved.append(tape.new(0, workspace_bytes(sizes, layer)))
    gradients = [sequence.elements, *matrices, sizes.rows, sizes.rows, each, each]
    count = 1 + len(weights)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        return [tape.new(size) for size in gradients][:count]

    tape.step([sequence, *weights], made, rule, saved)
    return made


def workspace_bytes(sizes: RecurrentSizes, layer: int) -> Any:
    """Return the bytes that oneDNN's kernel keeps for the backward pass of one layer and direction.

    Each tensor begins at a page: gates; outputs of the cells; states, which have the width of the inputs if that is
    larger, and memories; and in 4 bytes the gradients of states, twice, and of memories (`set_workspace_sizes` in
    `src/cpu/rnn/rnn_utils.hpp`, 2025).
    """
    size = BITS[sizes.dtype] // 8
    rows, both = sizes.steps * sizes.batch, 2 * (sizes.steps + 1) * sizes.batch  # both: before and after each step
    width = maximum(sizes.width(layer), sizes.features)
    gradients = both * _between(width, FLOAT_BYTES)
    parts = (
        rows * _between(sizes.rows, size),
        rows * _between(sizes.features, size),
        both * _between(width, size),
        both * sizes.features * size,
        gradients,
        gradients,
        both * sizes.features * FLOAT_BYTES,
    )
    return sum(PAGE_BYTES * ceil_div(part, PAGE_BYTES) for part in parts)


def _between(count: Dim, size: int) -> Dim:
    """Return the bytes between rows of so many numbers: whole lines of the cache, and no multiple of 256 numbers."""
    line = LINE_BYTES // size
    padded = line * ceil_div(count, line)
    return size * (padded + line * (1 - ceil_div(padded % 256, 256)))


def _output(tape: Tape, sequence: TapeTensor, states: TapeTensor, sizes: RecurrentSizes) -> TapeTensor:
    """Return the sequence, or the last state of each direction."""
    if not sizes.last:
        return tape.view(sequence)
    tape.label = AFTERWARDS
    chosen = tape.view(states, states.elements // sizes.layers)
    del states
    return tape.join(tape.parts(chosen, (1,) * sizes.directions))
