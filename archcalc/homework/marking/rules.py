"""Mistakes in applying a layer's rule: each changes the operator's arguments, inputs or output. The rule runs again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add, mul
from typing import Any, NamedTuple

from archcalc.arithmetic import Shape, product
from archcalc.homework.marking.rerun import Change
from archcalc.ops.operator import Operator


class RoundedUp(int):
    """An integer whose divisions round up instead of down, and down instead of up."""

    def __add__(self, other: int) -> RoundedUp:
        return RoundedUp(int(self) + other)

    def __sub__(self, other: int) -> RoundedUp:
        return RoundedUp(int(self) - other)

    def __neg__(self) -> RoundedUp:
        return RoundedUp(-int(self))

    def __floordiv__(self, other: int) -> int:
        return -(-int(self) // other)


def _again(op: Operator, **arguments: Any) -> Operator:
    return op.remade(op.inputs, {**op.given, **arguments})


def _with_channels(op: Operator, channels: int) -> Operator:
    """Give the first input another number of channels."""
    first: Shape = (channels, *op.x[1:])
    return op.remade((first, *op.inputs[1:]), op.given)


def instead(name: str, value: Any) -> Change:
    """Give an argument another value; no change if the operator lacks the argument or already has the value."""

    def change(op: Operator) -> Operator | None:
        if name not in op.arguments:
            return None
        other = _again(op, **{name: value})
        return None if getattr(other, name) == getattr(op, name) else other

    return change


def keeping_output(change: Change) -> Change:
    """Apply a change to the counts, and keep the output."""

    def changed(op: Operator) -> Operator | None:
        other = change(op)
        return other and other.with_output(op.output)

    return changed


def _rounded_the_other_way(op: Operator) -> Operator | None:
    if not all(isinstance(size, int) for shape in op.inputs for size in shape):
        return None
    inputs = tuple((shape[0], *map(RoundedUp, shape[1:])) for shape in op.inputs)
    other = op.remade(inputs, op.given)
    output = tuple(map(int, other.output))
    return None if output == op.output else op.with_output(output)


def _pads(op: Operator) -> Sequence[tuple[int, int]]:
    """Return the padding before and after each side; empty if there is none."""
    padding = getattr(op, "padding", None) if "padding" in op.arguments else None
    pairs = [side for side in padding or () if isinstance(side, tuple)]
    return pairs if any(map(any, pairs)) else []


def _padded(change: Callable[[int, int], list[int]]) -> Change:
    """Change the padding before and after each side."""

    def changed(op: Operator) -> Operator | None:
        pads = _pads(op)
        return _again(op, padding=[change(before, after) for before, after in pads]) if pads else None

    return changed


def _without_the_one(op: Operator) -> Operator | None:
    """Take the number of steps of a window instead of its positions."""
    if not {"kernel", "stride"} <= set(op.arguments) or any(size < 1 for size in op.output[1:]):
        return None
    return op.with_output((op.output[0], *(size - 1 for size in op.output[1:])))


def _width_name(op: Operator) -> str | None:
    return next((name for name in ("channels", "features") if name in op.arguments), None)


def _input_channels(op: Operator) -> Operator | None:
    name = _width_name(op)
    return instead(name, op.x[0])(op) if name else None


def _output_channels(op: Operator) -> Operator | None:
    name = _width_name(op)
    if not name or getattr(op, name) == op.x[0]:
        return None
    return _with_channels(op, getattr(op, name))


def _input_size(op: Operator) -> Operator | None:
    (_, *before), (channels, *after) = op.x, op.output
    if before == after or len(before) != len(after):
        return None
    return op.with_output((channels, *before))


def _kernel_once(op: Operator) -> Operator | None:
    kernel: Shape = getattr(op, "kernel", ())
    if "kernel" not in op.arguments or len(kernel) < 2:
        return None
    return keeping_output(instead("kernel", [kernel[0], *(1 for _ in kernel[1:])]))(op)


def _one_input_channel(op: Operator) -> Operator | None:
    if "groups" not in op.arguments or op.x[0] == op.groups:  # type: ignore[attr-defined]
        return None
    return _with_channels(op, op.groups)  # type: ignore[attr-defined]


def _kernel_of_dilation(larger: Callable[[int, int], int]) -> Change:
    """Replace the dilation by a larger kernel, and keep the counts of the true kernel."""

    def change(op: Operator) -> Operator | None:
        dilation = getattr(op, "dilation", None)
        if not dilation or "kernel" not in op.arguments or all(step == 1 for step in dilation):
            return None
        other = _again(op, kernel=[*map(larger, op.kernel, dilation)], dilation=1)  # type: ignore[attr-defined]
        return op.with_output(other.output)

    return change


def _padding_subtracted(op: Operator) -> Operator | None:
    """Take the padding from the size once instead of adding it twice."""
    pads = _pads(op)
    if not pads or not {"kernel", "stride"} <= set(op.arguments) or "output_padding" in op.arguments:
        return None
    return _with_windows(op, [-before for before, _ in pads])


def _with_windows(op: Operator, added: Sequence[int]) -> Operator | None:
    """Return an operator with the positions of its windows on sizes to which something is added; None without any."""
    dilation = getattr(op, "dilation", (1,) * len(added))
    steps = zip(op.x[1:], added, op.kernel, op.stride, dilation, strict=True)  # type: ignore[attr-defined]
    sizes = [(size + more - gap * (kernel - 1) - 1) // stride + 1 for size, more, kernel, stride, gap in steps]
    return op.with_output((op.output[0], *sizes)) if all(size > 0 for size in sizes) else None


def _not_transposed(op: Operator) -> Operator | None:
    """Take the formula of a convolution for a transposed one."""
    if "output_padding" not in op.arguments:
        return None
    return _with_windows(op, [2 * side for side in op.padding])  # type: ignore[attr-defined]


def _same_size(op: Operator) -> Operator | None:
    """Pad by half of the kernel."""
    kernel = getattr(op, "kernel", ())
    if not {"kernel", "padding"} <= set(op.arguments) or all(size == 1 for size in kernel):
        return None
    return instead("padding", [size // 2 for size in kernel])(op)


def _done_twice(op: Operator) -> Operator | None:
    """Apply a window of stride above 1 twice."""
    stride = getattr(op, "stride", ())
    if not {"kernel", "stride"} <= set(op.arguments) or _width_name(op) or all(step == 1 for step in stride):
        return None
    again = op.remade([op.output, *op.inputs[1:]], op.given)
    return op.with_output(again.output)


def _channels_multiplied(op: Operator) -> Operator | None:
    name = _width_name(op)
    return instead(name, getattr(op, name) * op.x[0])(op) if name and "kernel" in op.arguments else None


def _groups_twice(op: Operator) -> Operator | None:
    groups = getattr(op, "groups", 1)
    if "groups" not in op.arguments or groups == 1 or op.x[0] % (groups * groups):
        return None
    return _with_channels(op, op.x[0] // groups)


def _vector_of(size: Callable[[Shape], int]) -> Change:
    """Give a vector another size, from the map before it."""

    def changed(op: Operator) -> Operator | None:
        return op.with_output((size(op.x),)) if len(op.output) == 1 < len(op.x) else None

    return changed


def _sides_swapped(op: Operator) -> Operator | None:
    if len(op.output) != 3 or op.output[1] == op.output[2] or _follows(op):
        return None
    return op.with_output((op.output[0], op.output[2], op.output[1]))


def _follows(op: Operator) -> bool:
    """Return True if an operator keeps the shape: it follows the layer of its row, which was changed before it."""
    return op.output == op.x and "kernel" not in op.arguments


def _one_side(op: Operator) -> Operator | None:
    """Count along one side of the output only."""
    if len(op.output) != 3 or op.output[2] == 1:
        return None
    return op.with_output((op.output[0], op.output[1], 1))


def _sizes_joined(op: Operator) -> Operator | None:
    """Add the channels of inputs that are added, or the heights of those that are concatenated."""
    if len(op.inputs) < 2 or any(len(shape) != len(op.output) for shape in op.inputs):
        return None
    channels = sum(shape[0] for shape in op.inputs)
    if channels != op.output[0]:
        return op.with_output((channels, *op.output[1:]))
    if len(op.output) < 2:
        return None
    height = sum(shape[1] for shape in op.inputs)
    return op.with_output((op.inputs[0][0], height, *op.output[2:]))


class Mistake(NamedTuple):
    """A common mistake in applying a rule."""

    name: str
    says: str
    change: Change


MISTAKES = (
    Mistake("bias forgotten", "The biases are left out: one per output channel.", instead("bias", False)),
    Mistake("bias added", "Biases are counted, but this layer has none.", instead("bias", True)),
    Mistake("padding ignored", "The padding is left out.", instead("padding", 0)),
    Mistake("stride ignored", "The stride is left out.", instead("stride", 1)),
    Mistake("floor and ceil", "The quotient is rounded the wrong way.", _rounded_the_other_way),
    Mistake("one forgotten", "The + 1 at the end is missing: there is one more position than steps.", _without_the_one),
    Mistake(
        "padding once",
        "The padding is added on one side only. It is on both.",
        _padded(lambda before, after: [before, 0]),
    ),
    Mistake("dilation ignored", "The dilation is left out.", instead("dilation", 1)),
    Mistake(
        "groups ignored",
        "The groups are left out: a filter covers the channels of its group only.",
        instead("groups", 1),
    ),
    Mistake("input channels", "The input's channels are used instead of the output's.", _input_channels),
    Mistake("output channels", "The output's channels are used instead of the input's.", _output_channels),
    Mistake("input size", "The input's height and width are used instead of the output's.", _input_size),
    Mistake(
        "kernel once",
        "The kernel size is counted once, not squared: a window has height times width elements.",
        _kernel_once,
    ),
    Mistake("one channel", "A filter is counted for one input channel. It has a window for each.", _one_input_channel),
    Mistake(
        "padding twice",
        "The padding is added twice on each side.",
        _padded(lambda before, after: [2 * before, 2 * after]),
    ),
    Mistake("padding subtracted", "The padding is subtracted once. It is added on both sides.", _padding_subtracted),
    Mistake(
        "not transposed",
        "This is the size of a convolution. A transposed convolution enlarges its input.",
        _not_transposed,
    ),
    Mistake("same size", "The padding is taken as half of the kernel.", _same_size),
    Mistake("done twice", "The layer is applied twice.", _done_twice),
    Mistake(
        "kernel by dilation", "The kernel is multiplied by the dilation. Only its gaps grow.", _kernel_of_dilation(mul)
    ),
    Mistake("kernel plus dilation", "The dilation is added to the kernel once.", _kernel_of_dilation(add)),
    Mistake("channels multiplied", "The channels of input and output are multiplied.", _channels_multiplied),
    Mistake("groups twice", "The groups divide the channels twice.", _groups_twice),
    Mistake(
        "only channels",
        "Height and width are left out: a vector has an element for each position.",
        _vector_of(lambda shape: shape[0]),
    ),
    Mistake(
        "only positions",
        "The channels are left out: a vector has an element for each of them.",
        _vector_of(lambda shape: product(shape[1:])),
    ),
    Mistake("sides swapped", "Height and width are swapped.", _sides_swapped),
    Mistake("one side", "Only one side of the output is counted.", _one_side),
    Mistake("joined sizes", "The wrong sizes are added where inputs are joined.", _sizes_joined),
)
