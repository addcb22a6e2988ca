"""A network of a student's own: like the given one, with other sizes, widths and kernels that come out whole.

The same network and the same name give the same variant on every machine.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.errors import UserError
from archcalc.network import Layer, Network
from archcalc.ops.operator import Operator
from archcalc.ops.reads import Reads
from archcalc.structs import replace

TRIES = 400
SHARES = (0.5, 0.75, 1, 1.25, 1.5, 2)
"""Widths, as shares of the given ones."""
STEPS = (-2, 0, 0, 2)
"""Changes of a kernel; a padding of half of it changes with it."""
SIDES = (-32, -24, -16, -12, -8, -4, -3, -2, -1, 0, 1, 2, 3, 4, 8, 12, 16, 24, 32)
"""Changes of the input's side."""


def variant(network: Network, student: str) -> Network:
    """Return a student's variant of a chain of layers.

    Args:
        network: a network with one input whose layers each take the one before.
        student: any text that names the student. Only its letters and digits count, in any order: `Ada Lovelace`,
            `Lovelace, Ada` and `lovelaceada`, as Canvas names files, are the same.

    Raises `UserError` for a network with branches, and for one without a variant.
    """
    sources = [*network.inputs, *(layer.name for layer in network.layers)]
    if len(network.inputs) != 1 or any(layer.inputs != (sources[index],) for index, layer in enumerate(network.layers)):
        raise UserError(f"--seed needs a network whose layers follow one another; {network.name} has branches")
    letters = "".join(sorted(letter for letter in student.casefold() if letter.isalnum()))
    digest = hashlib.sha256(f"{network.name}\0{letters}".encode()).digest()
    draw = random.Random(int.from_bytes(digest, "big"))
    best: tuple[int, Network] | None = None
    for _ in range(TRIES):
        drawn = _drawn(network, draw)
        if drawn is None:
            continue
        broken = sum(not _is_whole(layer.op) for layer in drawn.layers)
        if best is None or broken < best[0]:
            best = broken, drawn
        if not broken:
            break
    if best is None:
        raise UserError(f"found no variant of {network.name}; its sizes fit no other input")
    return best[1]


def _drawn(network: Network, draw: random.Random) -> Network | None:
    """Return a network with other numbers; None if they do not go together."""
    ((source, shape),) = network.inputs.items()
    sides = [draw.choice(SIDES)] * (len(shape) - 1)
    first: Shape = (shape[0], *(size + change for size, change in zip(shape[1:], sides, strict=True)))
    inputs = {source: first}
    last = max((index for index, layer in enumerate(network.layers) if layer.op.weights()), default=0)
    layers: list[Layer] = []
    current = first
    try:
        for index, layer in enumerate(network.layers):
            op = layer.op.remade([current], _arguments(layer.op, draw, is_last=index >= last))
            layers.append(layer.rewired(op, layer.inputs))
            current = op.output
    except ValueError:  # sizes that an operator refuses
        return None
    if any(size < 1 for layer in layers for size in layer.output_shape):
        return None
    return replace(network, inputs=inputs, layers=tuple(layers))


def _arguments(op: Operator, draw: random.Random, is_last: bool) -> dict[str, Any]:
    """Return the arguments of a layer, some of them drawn anew; the last layer keeps its number of classes."""
    given = dict(op.given)
    for name in ("channels", "features"):
        if isinstance(given.get(name), int) and op.weights() and not is_last:
            given[name] = max(round(given[name] * draw.choice(SHARES)), 1)
    kernel, padding = given.get("kernel"), given.get("padding", 0)
    if isinstance(kernel, int) and isinstance(padding, int) and kernel > 2 and op.weights():
        given["kernel"] = max(kernel + draw.choice(STEPS), 1)
        if padding:
            given["padding"] = padding + (given["kernel"] - kernel) // 2
    return given


def _is_whole(op: Operator) -> bool:
    """Return True if the windows of a layer end at the padded end of its input, so that no quotient is rounded."""
    for axis, look in enumerate(op.access()):
        if not isinstance(look, Reads) or look == Reads() or axis >= len(op.output):
            continue
        if look.period == 1 and look.taps[0] is not None and not look.fills(op.x[axis], op.output[axis]):
            return False
    return True
