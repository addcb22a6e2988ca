"""The steps of attention in windows, on a tape (`archcalc.runtime.modules.attention.WindowAttention`)."""

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.arithmetic import Dim, Shape, product
from archcalc.ops.layout import Layout, Order
from archcalc.ops.tape.layouts import (
    apart,
    computed,
    in_order,
    linear,
    lowered,
    matrix_products,
    permuted,
    remade,
    reshaped,
    scaled,
    shortened,
)
from archcalc.ops.tape.tape import WEIGHT, Tape
from archcalc.ops.tape.tensors import Gradients, TapeTensor, last

WINDOWS = (0, 1, 3, 2, 4, 5)
"""The order of axes that puts windows outside of their tokens, and back."""


class Windows(NamedTuple):
    """Attention in windows, as its steps need it."""

    shape: Shape
    """`[H, W, C]`."""
    counts: tuple[Dim, Dim]
    """Rows and columns of windows."""
    window: Dim
    heads: Dim
    shifts: tuple[Dim, Dim]
    bias: bool
    cosine: bool
    hidden: Dim
    """Features inside the network that gives the biases, with ``cosine``."""
    trained: bool
    autocast: bool
    """True if weights are float32 and products are not."""

    @property
    def sides(self) -> tuple[Dim, Dim]:
        """Height and width of the padded map."""
        rows, columns = self.counts
        return rows * self.window, columns * self.window

    @property
    def tokens(self) -> Dim:
        return self.window * self.window

    @property
    def distances(self) -> Dim:
        side = 2 * self.window - 1
        return side * side


def window_attention(tape: Tape, given: TapeTensor, op: Windows) -> TapeTensor:
    """Run the module."""
    (height, breadth, width), (rows, columns) = op.shape, op.counts
    batch, shifted = given.layout.sizes[0], any(op.shifts)
    x = _padded(tape, given, (batch, *op.sides, width))
    del given
    if shifted:
        x = _rolled(tape, x)
    x = _in_windows(tape, x, op)
    projected = _projected(tape, x, op)
    head = width // op.heads
    parts = apart(
        tape,
        permuted(
            tape, reshaped(tape, projected, (batch, rows * columns, op.tokens, 3, op.heads, head)), (3, 0, 1, 4, 2, 5)
        ),
    )
    q, k, v = (in_order(tape, part) for part in parts)
    del projected, parts
    turned = (0, 1, 2, 4, 3)
    if op.cosine:
        scores = _cosines(tape, q, k, op)
    else:
        scores = matrix_products(tape, scaled(tape, q), permuted(tape, k, turned))
    biases = _biases(tape, op)
    scores = _biased(tape, scores, biases)
    if shifted:
        scores = _masked(tape, scores, op)
    shares = computed(tape, scores, saves_output=True)
    found = matrix_products(tape, lowered(tape, shares), v)
    del shares
    found = permuted(tape, found, (0, 1, 3, 2, 4))
    found = reshaped(tape, found, (batch, rows * columns, op.tokens, width))
    weight, bias = _weights(tape, width, width, op)
    x = linear(tape, found, weight, bias, width, op.trained)
    del found
    x = reshaped(tape, x, (batch, rows, columns, op.window, op.window, width))
    x = permuted(tape, x, WINDOWS)
    x = reshaped(tape, x, (batch, *op.sides, width))
    if shifted:
        x = _rolled(tape, x)
    is_padded = (height, breadth) != op.sides
    for axis, (size, whole) in enumerate(zip((height, breadth), op.sides, strict=True), 1):
        if size < whole:
            x = shortened(tape, x, axis, size)
    x = tape.copy(x) if is_padded else in_order(tape, x)
    del q, k, v, scores, biases
    return x


def _weights(tape: Tape, rows: Dim, width: Dim, op: Windows) -> tuple[TapeTensor, TapeTensor | None]:
    weight = tape.weight(rows * width, op.trained)
    return weight, tape.weight(rows, op.trained) if op.bias else None


def _padded(tape: Tape, x: TapeTensor, sizes: Shape) -> TapeTensor:
    """Return the map in full windows, which is a copy even if nothing is added."""
    return remade(tape, x, Order.IMAGE.of([x.layout], sizes))


def _rolled(tape: Tape, x: TapeTensor) -> TapeTensor:
    return remade(tape, x, Layout.in_order(x.layout.sizes))


def _in_windows(tape: Tape, x: TapeTensor, op: Windows) -> TapeTensor:
    """Return `[batch, windows, tokens, channels]` of a map."""
    rows, columns = op.counts
    batch, *_, width = x.layout.sizes
    split = permuted(tape, reshaped(tape, x, (batch, rows, op.window, columns, op.window, width)), WINDOWS)
    flat = reshaped(tape, split, (batch, rows, columns, op.tokens, width))
    return reshaped(tape, flat, (batch, rows * columns, op.tokens, width))


def _projected(tape: Tape, x: TapeTensor, op: Windows) -> TapeTensor:
    """Return queries, keys and values; with cosines, keys have no bias: theirs is multiplied by zeros."""
    width = op.shape[2]
    weight, bias = _weights(tape, 3 * width, width, op)
    if op.cosine and bias is not None:
        used = tape.new(3)
        bias = tape.view(tape.compute(tape.view(bias), saves=[used]))
    return linear(tape, x, weight, bias, 3 * width, op.trained)


def _cosines(tape: Tape, q: TapeTensor, k: TapeTensor, op: Windows) -> TapeTensor:
    """Return the cosines of queries and keys, times a factor for each head."""
    normal = [_normalized(tape, x) for x in (q, k)]
    cosines = matrix_products(tape, normal[0], permuted(tape, normal[1], (0, 1, 2, 4, 3)))
    normal.clear()
    heads, layout, precise = Layout.in_order((op.heads,)), cosines.layout, op.autocast
    trained = tape.weight(op.heads, op.trained)
    clamped = tape.tensor(heads, precise)
    tape.step([trained], [clamped], lambda given, _: [_where(tape, op.heads)], [trained])
    scale = computed(tape, clamped, saves_output=True)
    del clamped
    made = tape.tensor(layout, precise)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        first = tape.tensor(layout, precise) if wanted[0] else None
        repeated = tape.tensor(layout, precise) if wanted[1] else None
        if first is not None:
            first = lowered(tape, first)
        factor = None if repeated is None else tape.tensor(heads, precise, is_view=True)
        del repeated
        return [first, factor]

    saved = [cosines if scale.edge else None, scale if cosines.edge else None]
    tape.step([cosines, scale], [made], rule, saved)
    return made


def _where(tape: Tape, elements: Dim) -> TapeTensor:
    """Return a gradient where a condition holds, else 0."""
    zero, condition = tape.new(1), tape.new(0, elements)
    return last([zero, condition, tape.new(elements)])


def _normalized(tape: Tape, x: TapeTensor) -> TapeTensor:
    """Return every row divided by its length."""
    layout, rows = x.layout, product(x.layout.sizes[:-1])
    length = tape.new(rows)

    def of_length(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        direction, none = tape.tensor(layout), tape.new(0, rows)
        return [last([direction, none, tape.tensor(layout)])]

    tape.step([x], [length], of_length, [x, length])
    divisor = tape.new(rows)
    tape.step([length], [divisor], lambda given, _: [_where(tape, rows)], [length])
    del length
    repeated = divisor.view(x.elements)
    tape.step([divisor], [repeated], lambda given, _: [tape.new(rows)])
    made = tape.tensor(Layout.in_order(layout.sizes))

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        if not any(wanted):
            return [None, None]
        of_divisor = last([tape.tensor(layout) for _ in ("again", "twice", "negative", "divisor")])
        return [tape.tensor(layout), of_divisor]

    tape.step([x, repeated], [made], rule, [x, divisor])
    return made


def _biases(tape: Tape, op: Windows) -> TapeTensor:
    """Return the bias of each pair of tokens: looked up, or with cosines computed by a small network."""
    heads, pairs = op.heads, op.tokens * op.tokens
    if op.cosine:
        places = tape.given(2 * op.distances, WEIGHT, needs_gradient=False)
        weights = [tape.weight(size, op.trained) for size in (2 * op.hidden, op.hidden, heads * op.hidden)]
        inside = tape.matrix_product(tape.view(places), weights[0], op.distances * op.hidden, weights[1])
        inside = tape.compute(tape.view(inside), saves_output=True)
        table = tape.view(tape.matrix_product(tape.view(inside), weights[2], op.distances * heads))
        del inside
    else:
        table = tape.weight(op.distances * heads, op.trained)
    table_layout = Layout.in_order((op.distances, heads))
    precise = op.autocast and not op.cosine
    found = tape.tensor(Layout.in_order((pairs, heads)), precise)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        zeros = tape.tensor(table_layout, precise)
        return [last([zeros, tape.tensor(table_layout, precise)])]

    tape.step([table], [found], rule)
    del table
    found = permuted(tape, reshaped(tape, found, (op.tokens, op.tokens, heads)), (2, 0, 1))
    return scaled(tape, computed(tape, found, saves_output=True)) if op.cosine else found


def _biased(tape: Tape, scores: TapeTensor, biases: TapeTensor) -> TapeTensor:
    """Return the scores with a bias for each pair of tokens."""
    layout, sizes = Layout.in_order(scores.layout.sizes), biases.layout.sizes
    precise = scores.is_precise or biases.is_precise
    is_cast = precise and not scores.is_precise
    of_biases = biases.is_precise
    made = tape.tensor(layout, precise)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        of_scores = tape.tensor(layout) if is_cast and wanted[0] else given[0]
        summed = tape.tensor(Layout.in_order(sizes), of_biases, is_view=True) if wanted[1] else None
        return [of_scores, summed]

    tape.step([scores, biases], [made], rule)
    return made


def _masked(tape: Tape, scores: TapeTensor, op: Windows) -> TapeTensor:
    """Return the scores with −100 between tokens that the shift made neighbors."""
    mask = _mask(tape, op)
    made = tape.tensor(Layout.in_order(scores.layout.sizes), scores.is_precise)
    tape.step([scores], [made], lambda given, _: [given[0]])
    del mask
    return made


def _mask(tape: Tape, op: Windows) -> TapeTensor:
    rows, columns = op.counts
    region = tape.tensor(Layout.in_order((1, *op.sides, 1)))
    for shift, side in zip(op.shifts, op.sides, strict=True):
        if shift:
            part = tape.new(side)
            tripled = tape.new(region.elements)
            region = tape.tensor(region.layout)
            del tripled
    region = _in_windows(tape, region, op)
    pairs = rows * columns * op.tokens * op.tokens
    differs = tape.new(0, pairs)
    zeros = tape.new(pairs)
    mask = tape.new(pairs)
    del region, part, differs, zeros
    return mask
