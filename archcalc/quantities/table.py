"""Every quantity; a new one becomes a column, a name in assertions, and what else its class allows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from archcalc.analysis.depth import depth
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import product
from archcalc.errors import UserError
from archcalc.ops.naming import NamedSizes
from archcalc.quantities.axes import AXES, along
from archcalc.quantities.quantity import (
    AxisSizes,
    ComputedAmount,
    Cost,
    Extent,
    FieldBound,
    FieldPart,
    FieldSize,
    Name,
    Quantity,
    Shape,
    Share,
    Sizes,
)
from archcalc.quantities.readers import cache_memory, hyperparameter, peak_activation_memory, peak_memory, training_part
from archcalc.units import BYTES
from archcalc.words import did_you_mean, help_line, listed, quote


def _input(key: str, letters: str, means: str, kind: type[Quantity] = AxisSizes) -> Quantity:
    """Return the size of the first input along some axes; ``letters`` name them in headings."""
    names = AXES[key.replace("input", "output")]
    return kind(
        key,
        means,
        lambda row: along(row.input_shapes[0], row.input_axes[0], names),
        heading=f"input {letters}",
        short=f"in {letters.replace('/', '')}",
        rank=3,
    )


def _output(
    key: str, letters: str, means: str, words: str = "", kind: type[Quantity] = AxisSizes, rank: int = 0
) -> Quantity:
    """Return the size of the output along some axes; ``letters`` name them in headings."""
    return kind(
        key,
        means,
        lambda row: along(row.output_shape, row.output_axes, AXES[key]),
        heading=f"output {letters}",
        short=f"out {letters.replace('/', '')}",
        words=words,
        derivation="output" if words else "",
        rank=rank,
    )


_ALL: tuple[Quantity, ...] = (
    Name("name", "The layer's full name, or its group's.", lambda row: row.name, heading="layer", right=False, rank=0),
    Quantity(
        "op",
        "The kind of operator.",
        lambda row: "group" if row.of_group else row.head.layer.op.kind,
        heading="operator",
        short="op",
        right=False,
    ),
    Shape(
        "input",
        "The shape of the first input: input.channels, input == [3, 32, 32].",
        lambda row: NamedSizes.of(row.input_shapes[0], row.input_axes[0]),
        lambda analysis: next(iter(analysis.network.inputs.values())),
    ),
    _input("input_c", "C", "Channels of the input, or the features of a vector."),
    _input("input_hw", "H/W", "Height and width of the input.", Extent),
    _input("input_l", "L", "Tokens of the input, or its length."),
    _input("input_d", "d", "Features of a token of the input."),
    Quantity("filters", "Output channels, or features.", hyperparameter("filters"), short="filt"),
    Sizes("kernel", "The size of the window.", hyperparameter("kernel"), short="K"),
    Sizes("stride", "The step of the window.", hyperparameter("stride"), short="S"),
    Sizes("padding", "Padding on each side.", hyperparameter("padding"), heading="pad", short="P"),
    Shape(
        "output",
        "The shape of the first output: output.features, output == [10].",
        lambda row: NamedSizes.of(row.output_shape, row.output_axes),
        lambda analysis: analysis.network.shape_of(analysis.network.outputs[0]),
        title="output shape",
        words="output shape, output size, output volume, output dimensions, output dims, out, shape, out shape, "
        "activation shape, activation volume dimensions, feature map, output c h w, activation map, "
        "activation map dimensions, activation dimensions, activation map size, size of feature maps, feature map "
        "size, feature map dimensions, size of output, shape of output, tensor size, tensor shape, output feature map, "
        "output tensor, output map, dimensions, size after layer, output maps, output size c h w, output h w c, h w c, "
        "c h w",
        rank=0,
    ),
    _output(
        "output_c",
        "C",
        "Channels of the output, or the features of a vector.",
        "out c, c out, output channels, out channels, channels out, output depth, channels, "
        "number of channels, c, feature maps, number of feature maps, depth",
    ),
    _output(
        "output_hw",
        "H/W",
        "Height and width of the output.",
        "output h/w, out hw, hw out, output h w, h/w, h w, h x w, hxw, hw, output spatial size, output resolution",
        Extent,
    ),
    _output("output_h", "H", "Height of the output.", "out h, h out, output height, height, h", Quantity, rank=1),
    _output("output_w", "W", "Width of the output.", "out w, w out, output width, width, w", Quantity, rank=1),
    _output("output_heads", "h", "Heads of the output."),
    _output(
        "output_l",
        "L",
        "Tokens of the output, or its length.",
        "out l, l out, output length, tokens, output tokens, number of tokens, sequence length",
    ),
    _output(
        "output_d",
        "d",
        "Features of a token of the output.",
        "out d, d out, output features, features, token size, embedding size, width of a token",
    ),
    Quantity(
        "output_elements",
        "Elements of the output, per sample.",
        lambda row: product(row.output_shape),
        lambda analysis: product(analysis.rows[-1].output_shape),
        short="elements",
        has_formula=True,
    ),
    Cost(
        "memory",
        "Bytes of the outputs that the convention counts, for the batch.",
        units=BYTES,
        short="mem",
        by_convention=True,
        title="memory of the output",
        words="mem, output memory, activation memory, memory of output, memory usage, memory size",
    ),
    Cost(
        "params",
        "Trainable elements: weights and biases.",
        title="parameters",
        words="parameters, param, number of parameters, number of params, no of parameters, num params, "
        "num parameters, n params, learnable weights, parameter number, "
        "trainable weights and biases, trainable params, trainable parameters, trainable, learnable parameters, "
        "learnable params, parameter count, params count, total params",
        rank=0,
    ),
    Cost(
        "active_params",
        "Trainable elements that a token uses: all but those of experts that it is not given to.",
        words="activated params, activated parameters, active parameters",
    ),
    Cost(
        "trained_params",
        "Parameters that training changes: all but those of frozen layers.",
        short="trained",
        words="trained params, trained parameters, number of trained params",
    ),
    Cost(
        "weights",
        "Trainable elements other than biases.",
        words="weight, number of weights, num weights, weight params, weight parameters",
        derivation="params",
    ),
    Cost(
        "biases",
        "Trainable elements of biases.",
        words="bias, number of biases, num biases, bias params, bias parameters",
        derivation="params",
    ),
    Cost(
        "buffers",
        "Stored elements that are not trainable.",
        short="buf",
        words="non trainable, non trainable params",
    ),
    Cost(
        "macs",
        "Multiply-adds, for the batch.",
        heading="MACs",
        title="multiply-adds",
        words="mac, multiply adds, multiply add, mult adds, madds, multiply accumulates, multadds, mac operations, "
        "multiply accumulate operations, mult add, multiply additions",
        usual=2,
        is_work=True,
    ),
    Cost(
        "flops",
        "Operations as the convention counts them, for the batch.",
        heading="{convention} FLOPs",
        by_convention=True,
        title="{convention} FLOPs",
        words="flop, operations, ops, flop count, number of flops, number of operations, floating point operations, "
        "num flops, float operations, floating operations, arithmetic operations",
        usual=2,
        is_work=True,
        rank=0,
    ),
    Cost(
        "backward_macs",
        "Multiply-adds of the backward pass, for the batch.",
        heading="backward MACs",
        short="bwd MACs",
        usual=2,
        is_work=True,
    ),
    Cost(
        "backward_flops",
        "Operations of the backward pass, for the batch.",
        heading="backward {convention} FLOPs",
        short="bwd {convention} FLOPs",
        usual=2,
        is_work=True,
        by_convention=True,
        needs_backward=True,
    ),
    Cost(
        "step_flops",
        "Operations of a training step, forward and backward, for the batch.",
        heading="step {convention} FLOPs",
        usual=2,
        is_work=True,
        by_convention=True,
        needs_backward=True,
    ),
    Cost("bytes_read", "Bytes of inputs and weights that a layer reads, for the batch.", heading="read", units=BYTES),
    Cost("bytes_written", "Bytes of the outputs that a layer writes, for the batch.", heading="written", units=BYTES),
    Share("share", "The share of all FLOPs.", heading="share of {convention} FLOPs", short="share", of="flops"),
    Share("share_params", "The share of all parameters.", heading="share of params", short="share", of="params"),
    Share(
        "share_memory",
        "The share of the memory of all outputs.",
        heading="share of memory",
        short="share",
        of="memory",
    ),
    FieldSize(
        "rf",
        "Size of the input region that a position depends on, of the unit that sees most; a network's is that of its "
        "last spatial layer.",
        heading="receptive field",
        short="RF",
        title="receptive field",
        words="receptive field size, rf size",
        rank=2,
        has_formula=True,
    ),
    FieldBound(
        "rf_bound",
        "The receptive field size by the recurrence that papers publish: as if every unit saw the most.",
        heading="RF bound",
        short="bound",
        rank=2,
        has_formula=True,
    ),
    FieldPart(
        "rf_stride",
        "Effective stride: input positions between neighboring output positions.",
        heading="RF stride",
        short="RF S",
        rank=2,
        part="stride",
    ),
    FieldPart(
        "rf_padding",
        "Effective padding: how far the field of position 0 extends beyond the input.",
        heading="RF padding",
        short="RF P",
        rank=2,
        part="padding",
    ),
    ComputedAmount("layers", "Number of layers.", has_formula=True),
    ComputedAmount(
        "weight_layers",
        "Convolution and linear layers with weights: what a network's name counts.",
        layers=lambda rows: sum(1 for row in rows if row.weights and row.macs),
    ),
    ComputedAmount("depth", "The most convolutions and linear layers on one path.", layers=depth),
    Cost("weight_memory", "Bytes of the parameters, as they are stored.", units=BYTES),
    Quantity(
        "saved_memory",
        "Bytes that autograd saves in a forward pass, for the batch.",
        network=training_part("saved"),
        has_formula=True,
        is_simulated=True,
    ),
    Quantity(
        "training_memory",
        "Sum of the bytes of weights, buffers, gradients, Adam's state, master copy and saved tensors.",
        network=training_part("total"),
        has_formula=True,
        is_simulated=True,
    ),
    Quantity(
        "cache_memory",
        "Bytes of the keys and values of all tokens of the input, which generation keeps, for the batch.",
        network=cache_memory,
        has_formula=True,
    ),
    Quantity(
        "peak_memory",
        "Peak bytes of inference, with the weights: the peak of archcalc memory.",
        network=peak_memory("inference"),
        is_simulated=True,
    ),
    Quantity(
        "peak_activation_memory",
        "Peak bytes of the live tensors at inference, without the weights.",
        network=peak_activation_memory,
        is_simulated=True,
    ),
    Quantity(
        "training_peak_memory",
        "Peak bytes of a training step with SGD: the peak of archcalc memory --mode training.",
        network=peak_memory("training"),
        has_formula=True,
        is_simulated=True,
    ),
    Quantity(
        "aligned",
        "True if all paths have the same effective strides and centers.",
        network=lambda analysis: not analysis.unaligned,
    ),
    Quantity("outputs", "Number of outputs.", network=lambda analysis: len(analysis.network.outputs)),
    Quantity("batch", "Samples at once.", network=lambda analysis: analysis.batch),
)


def _where(test: Callable[[Quantity], bool]) -> dict[str, Any]:
    return {quantity.key: quantity for quantity in _ALL if test(quantity)}


QUANTITIES: dict[str, Quantity] = _where(lambda quantity: True)
COLUMNS: dict[str, Quantity] = _where(
    lambda quantity: bool(quantity.row) or isinstance(quantity, (ComputedAmount, FieldPart, Share))
)
"""The columns of a table."""
FACTS: dict[str, Quantity] = _where(
    lambda quantity: bool(quantity.network) or isinstance(quantity, (ComputedAmount, FieldPart))
)
"""The quantities of a whole network: the names in assertions."""
COSTS: dict[str, Cost] = _where(lambda quantity: isinstance(quantity, Cost))
"""The quantities that are summed; bars show them."""
FORMULAS: dict[str, Quantity] = _where(lambda quantity: quantity.has_formula)
"""The quantities with a closed form; sweeps compute them."""
HEAT: dict[str, Cost | FieldSize] = _where(lambda quantity: isinstance(quantity, (Cost, FieldSize)))
"""The quantities that can color a drawing."""
ASKED: dict[str, Quantity] = _where(lambda quantity: bool(quantity.words))
"""The quantities that homework can ask for."""

LECTURE = (
    *("name", "input_c", "input_hw", "input_l", "input_d", "filters", "kernel", "stride", "padding"),
    *("output_c", "output_hw", "output_heads", "output_l", "output_d", "memory", "params", "flops", "rf"),
)
"""The columns of the lecture's table; those of `OF_AXES` only where a row has the axis."""
OF_AXES = frozenset(key for key in LECTURE if key.startswith(("input_", "output_")))
BACKWARD = ("backward_flops", "step_flops")
"""The columns that `table --backward` adds."""
COMPARED = ("params", "macs", "flops", "memory", "layers", "weight_layers")
"""The rows of `compare`."""
PLACED = ("params", "macs", "memory")
"""The rows of `compare` for each spatial size."""
REPORTED = ("params", "macs", "flops", "memory")
"""The bars of a report."""


def lecture_columns(rows: Sequence[TableRow]) -> tuple[str, ...]:
    """Return the columns of the lecture's table, without those of axes that no row has."""
    return tuple(
        key for key in LECTURE if key not in OF_AXES or any(COLUMNS[key].of_row(row) is not None for row in rows)
    )


def choose(text: str | Iterable[str], known: Collection[str], lists: str = "") -> tuple[str, ...]:
    """Return the keys in `params,macs` or a sequence.

    Raises `UserError` for an unknown key, with the nearest, or else with the command that ``lists`` them.
    """
    keys = listed(text)
    for key in keys:
        if key not in known:
            every = f"list them with: {lists}" if lists else f"use one of: {', '.join(known)}"
            raise UserError(f"unknown quantity {quote(key)}{did_you_mean(key, known) or help_line(every)}")
    return keys
