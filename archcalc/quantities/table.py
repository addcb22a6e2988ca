"""Every quantity; a new one becomes a column, a name in assertions, and what else its class allows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.depth import depth
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import product
from archcalc.errors import UserError
from archcalc.ops.naming import NamedSizes
from archcalc.quantities.axes import AXES, input_size, output_size
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
from archcalc.units import BYTES
from archcalc.words import did_you_mean, help_line, quote


def _hyperparameter(name: str) -> Callable[[TableRow], Any]:
    """Return a reader for a hyperparameter of a row's operator; a group has none."""
    return lambda row: None if row.of_group else row.head.layer.op.hyperparameters().get(name)


# The simulation of memory is imported only here: no table needs it, and it would slow `archcalc table`.


def _peak_memory(mode: str) -> Callable[[Analysis], int]:
    def peak(analysis: Analysis) -> int:
        from archcalc.memory.summary import memory

        return memory(analysis, mode).peak

    return peak


def _training_part(name: str) -> Callable[[Analysis], int]:
    def part(analysis: Analysis) -> int:
        from archcalc.memory.summary import training_parts

        found: int = getattr(training_parts(analysis), name)
        return found

    return part


def _cache_memory(analysis: Analysis) -> int:
    from archcalc.memory.generation import cache_bytes

    found: int = cache_bytes(analysis)
    return found


def _peak_activation_memory(analysis: Analysis) -> int:
    from archcalc.memory.inference import peak

    return peak(analysis).live_bytes


_ALL: tuple[Quantity, ...] = (
    Name("name", "layer", "The layer's full name, or its group's.", lambda row: row.name, right=False, rank=0),
    Quantity(
        "op",
        "operator",
        "The kind of operator.",
        lambda row: "group" if row.of_group else row.head.layer.op.kind,
        short="op",
        right=False,
    ),
    Shape(
        "input",
        "input",
        "The shape of the first input: input.channels, input == [3, 32, 32].",
        lambda row: NamedSizes.of(row.input_shapes[0], row.input_axes[0]),
        lambda analysis: next(iter(analysis.network.inputs.values())),
    ),
    AxisSizes(
        "input_c",
        "input C",
        "Channels of the input, or the features of a vector.",
        input_size(AXES["output_c"]),
        short="in C",
        rank=3,
    ),
    Extent(
        "input_hw", "input H/W", "Height and width of the input.", input_size(AXES["output_hw"]), short="in HW", rank=3
    ),
    AxisSizes(
        "input_l", "input L", "Tokens of the input, or its length.", input_size(AXES["output_l"]), short="in L", rank=3
    ),
    AxisSizes(
        "input_d", "input d", "Features of a token of the input.", input_size(AXES["output_d"]), short="in d", rank=3
    ),
    Quantity("filters", "filters", "Output channels, or features.", _hyperparameter("filters"), short="filt"),
    Sizes("kernel", "kernel", "The size of the window.", _hyperparameter("kernel"), short="K"),
    Sizes("stride", "stride", "The step of the window.", _hyperparameter("stride"), short="S"),
    Sizes("padding", "pad", "Padding on each side.", _hyperparameter("padding"), short="P"),
    Shape(
        "output",
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
    AxisSizes(
        "output_c",
        "output C",
        "Channels of the output, or the features of a vector.",
        output_size(AXES["output_c"]),
        short="out C",
        words="out c, c out, output channels, out channels, channels out, output depth, channels, "
        "number of channels, c, feature maps, number of feature maps, depth",
        derivation="output",
        rank=0,
    ),
    Extent(
        "output_hw",
        "output H/W",
        "Height and width of the output.",
        output_size(AXES["output_hw"]),
        short="out HW",
        words="output h/w, out hw, hw out, output h w, h/w, h w, h x w, hxw, hw, output spatial size, "
        "output resolution",
        derivation="output",
        rank=0,
    ),
    Quantity(
        "output_h",
        "output H",
        "Height of the output.",
        output_size(AXES["output_h"]),
        short="out H",
        words="out h, h out, output height, height, h",
        derivation="output",
    ),
    Quantity(
        "output_w",
        "output W",
        "Width of the output.",
        output_size(AXES["output_w"]),
        short="out W",
        words="out w, w out, output width, width, w",
        derivation="output",
    ),
    AxisSizes(
        "output_heads", "output h", "Heads of the output.", output_size(AXES["output_heads"]), short="out h", rank=0
    ),
    AxisSizes(
        "output_l",
        "output L",
        "Tokens of the output, or its length.",
        output_size(AXES["output_l"]),
        short="out L",
        words="out l, l out, output length, tokens, output tokens, number of tokens, sequence length",
        derivation="output",
        rank=0,
    ),
    AxisSizes(
        "output_d",
        "output d",
        "Features of a token of the output.",
        output_size(AXES["output_d"]),
        short="out d",
        words="out d, d out, output features, features, token size, embedding size, width of a token",
        derivation="output",
        rank=0,
    ),
    Quantity(
        "output_elements",
        "output elements",
        "Elements of the output, per sample.",
        lambda row: product(row.output_shape),
        lambda analysis: product(analysis.rows[-1].output_shape),
        short="elements",
        has_formula=True,
    ),
    Cost(
        "memory",
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
        "active params",
        "Trainable elements that a token uses: all but those of experts that it is not given to.",
        words="activated params, activated parameters, active parameters",
    ),
    Cost(
        "trained_params",
        "trained params",
        "Parameters that training changes: all but those of frozen layers.",
        short="trained",
        words="trained params, trained parameters, number of trained params",
    ),
    Cost(
        "weights",
        "weights",
        "Trainable elements other than biases.",
        words="weight, number of weights, num weights, weight params, weight parameters",
        derivation="params",
    ),
    Cost(
        "biases",
        "biases",
        "Trainable elements of biases.",
        words="bias, number of biases, num biases, bias params, bias parameters",
        derivation="params",
    ),
    Cost(
        "buffers",
        "buffers",
        "Stored elements that are not trainable.",
        short="buf",
        words="non trainable, non trainable params",
    ),
    Cost(
        "macs",
        "MACs",
        "Multiply-adds, for the batch.",
        title="multiply-adds",
        words="mac, multiply adds, multiply add, mult adds, madds, multiply accumulates, multadds, mac operations, "
        "multiply accumulate operations, mult add, multiply additions",
        usual=2,
        is_work=True,
    ),
    Cost(
        "flops",
        "{convention} FLOPs",
        "Operations as the convention counts them, for the batch.",
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
        "backward MACs",
        "Multiply-adds of the backward pass, for the batch.",
        short="bwd MACs",
        usual=2,
        is_work=True,
    ),
    Cost(
        "backward_flops",
        "backward {convention} FLOPs",
        "Operations of the backward pass, for the batch.",
        short="bwd {convention} FLOPs",
        usual=2,
        is_work=True,
        by_convention=True,
        needs_backward=True,
    ),
    Cost(
        "step_flops",
        "step {convention} FLOPs",
        "Operations of a training step, forward and backward, for the batch.",
        usual=2,
        is_work=True,
        by_convention=True,
        needs_backward=True,
    ),
    Cost("bytes_read", "read", "Bytes of inputs and weights that a layer reads, for the batch.", units=BYTES),
    Cost("bytes_written", "written", "Bytes of the outputs that a layer writes, for the batch.", units=BYTES),
    Share("share", "share of {convention} FLOPs", "The share of all FLOPs.", short="share", of="flops"),
    Share("share_params", "share of params", "The share of all parameters.", short="share", of="params"),
    Share("share_memory", "share of memory", "The share of the memory of all outputs.", short="share", of="memory"),
    FieldSize(
        "rf",
        "receptive field",
        "Size of the input region that a position depends on, of the unit that sees most; a network's is that of its "
        "last spatial layer.",
        short="RF",
        title="receptive field",
        words="receptive field size, rf size",
        rank=2,
        has_formula=True,
    ),
    FieldBound(
        "rf_bound",
        "RF bound",
        "The receptive field size by the recurrence that papers publish: as if every unit saw the most.",
        short="bound",
        rank=2,
        has_formula=True,
    ),
    FieldPart(
        "rf_stride",
        "RF stride",
        "Effective stride: input positions between neighboring output positions.",
        short="RF S",
        rank=2,
        part="stride",
    ),
    FieldPart(
        "rf_padding",
        "RF padding",
        "Effective padding: how far the field of position 0 extends beyond the input.",
        short="RF P",
        rank=2,
        part="padding",
    ),
    ComputedAmount("layers", "layers", "Number of layers.", has_formula=True),
    ComputedAmount(
        "weight_layers",
        "weight layers",
        "Convolution and linear layers with weights: what a network's name counts.",
        layers=lambda rows: sum(1 for row in rows if row.weights and row.macs),
    ),
    ComputedAmount("depth", "depth", "The most convolutions and linear layers on one path.", layers=depth),
    Cost("weight_memory", "weight memory", "Bytes of the parameters, as they are stored.", units=BYTES),
    Quantity(
        "saved_memory",
        "saved memory",
        "Bytes that autograd saves in a forward pass, for the batch.",
        network=_training_part("saved"),
        has_formula=True,
        is_simulated=True,
    ),
    Quantity(
        "training_memory",
        "training memory",
        "Sum of the bytes of weights, buffers, gradients, Adam's state, master copy and saved tensors.",
        network=_training_part("total"),
        has_formula=True,
        is_simulated=True,
    ),
    Quantity(
        "cache_memory",
        "cache memory",
        "Bytes of the keys and values of all tokens of the input, which generation keeps, for the batch.",
        network=_cache_memory,
        has_formula=True,
    ),
    Quantity(
        "peak_memory",
        "peak memory",
        "Peak bytes of inference, with the weights: the peak of archcalc memory.",
        network=_peak_memory("inference"),
        is_simulated=True,
    ),
    Quantity(
        "peak_activation_memory",
        "peak activation memory",
        "Peak bytes of the live tensors at inference, without the weights.",
        network=_peak_activation_memory,
        is_simulated=True,
    ),
    Quantity(
        "training_peak_memory",
        "training peak memory",
        "Peak bytes of a training step with SGD: the peak of archcalc memory --mode training.",
        network=_peak_memory("training"),
        has_formula=True,
        is_simulated=True,
    ),
    Quantity(
        "aligned",
        "aligned",
        "True if all paths have the same effective strides and centers.",
        network=lambda analysis: not analysis.unaligned,
    ),
    Quantity("outputs", "outputs", "Number of outputs.", network=lambda analysis: len(analysis.network.outputs)),
    Quantity("batch", "batch", "Samples at once.", network=lambda analysis: analysis.batch),
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
    keys = tuple(text.split(",") if isinstance(text, str) else text)
    for key in keys:
        if key not in known:
            every = f"list them with: {lists}" if lists else f"use one of: {', '.join(known)}"
            hint = did_you_mean(key, known) or help_line(every)
            raise UserError(f"unknown quantity {quote(key)}{hint}")
    return keys


def meanings(known: Mapping[str, Quantity]) -> str:
    """Return a line for each quantity: its key, its heading, and its definition."""
    shown = list(known.values())
    widths = max(len(quantity.key) for quantity in shown), max(len(quantity.headed()) for quantity in shown)
    return "".join(
        f"{quantity.key:{widths[0]}}  {quantity.headed():{widths[1]}}  {quantity.means}\n" for quantity in shown
    )
