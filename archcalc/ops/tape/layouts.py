"""Steps on a tape that depend on how tensors lie in memory: views where strides allow them, else copies."""

from collections.abc import Sequence

from archcalc.arithmetic import Dim, Shape, product
from archcalc.ops.layout import Layout, elementwise
from archcalc.ops.tape.tape import Tape
from archcalc.ops.tape.tensors import Gradients, TapeTensor


def _viewed(x: TapeTensor, layout: Layout) -> TapeTensor:
    made = TapeTensor(x.storage, product(layout.sizes), is_view=True, layout=layout)
    made.is_precise = x.is_precise
    return made


def permuted(tape: Tape, x: TapeTensor, order: Sequence[int]) -> TapeTensor:
    """Return a view with the axes in another order."""
    made = _viewed(x, x.layout.permuted(order))
    tape.step([x], [made], lambda given, _: [_restored(given[0], order)])
    return made


def _restored(gradient: TapeTensor | None, order: Sequence[int]) -> TapeTensor | None:
    return None if gradient is None else _viewed(gradient, gradient.layout.restored(order))


def reshaped(tape: Tape, x: TapeTensor, sizes: Shape) -> TapeTensor:
    """Return a tensor in another shape: a view if its strides allow it, else a copy."""
    layout = x.layout.viewed(sizes)
    if layout is None:
        x = tape.copy(x)
        layout = Layout.in_order(sizes)
    made, before = _viewed(x, layout), x.layout.sizes
    tape.step([x], [made], lambda given, _: [_reshaped_gradient(tape, given[0], before)])
    return made


def _reshaped_gradient(tape: Tape, gradient: TapeTensor | None, sizes: Shape) -> TapeTensor | None:
    if gradient is None:
        return None
    layout = gradient.layout.viewed(sizes)
    return tape.tensor(Layout.in_order(sizes)) if layout is None else _viewed(gradient, layout)


def in_order(tape: Tape, x: TapeTensor) -> TapeTensor:
    """Return the tensor if it lies in order, else a copy that does."""
    return x if x.layout.is_in_order else tape.copy(x)


def selected(tape: Tape, x: TapeTensor, axis: int, count: int) -> list[TapeTensor]:
    """Return ``count`` positions of an axis, which then is gone; the gradient of each has zeros for the others."""
    layout = x.layout
    sizes, strides = list(layout.sizes), list(layout.strides)
    del sizes[axis], strides[axis]
    found = []
    for _ in range(count):
        found.append(_viewed(x, Layout(tuple(sizes), tuple(strides))))
        tape.step([x], [found[-1]], lambda given, _: [tape.tensor(Layout.in_order(layout.sizes))])
    return found


def linear(
    tape: Tape, x: TapeTensor, weight: TapeTensor, bias: TapeTensor | None, features: Dim, trained: bool
) -> TapeTensor:
    """Return `torch.nn.functional.linear` of a tensor with several axes besides the features.

    ``trained``: the weight is trained. PyTorch then makes one matrix of what is none; else it takes a matrix for each
    position of the axes before the last two (`should_fold` in `aten/src/ATen/native/LinearAlgebra.cpp`).
    """
    *outer, width = x.layout.sizes
    rows, sizes = product(outer), (*outer, features)
    joined = bias is not None and x.layout.is_in_order
    if joined or trained or _is_matrix(x.layout):
        matrix = reshaped(tape, x, (rows, width))
        del x
        result = tape.matrix_product(matrix, weight, rows * features, bias if joined else None)
        del matrix
    else:
        *front, count = outer
        matrices = reshaped(tape, x, (product(front), count, width))
        del x
        result = remade(tape, matrices, Layout.in_order((product(front), count, features)))
        del matrices
    found = reshaped(tape, result, sizes)
    del result
    if joined or bias is None:
        return found
    made, of_bias = tape.tensor(found.layout), bias.elements
    tape.step(
        [found, bias],
        [made],
        lambda given, wanted: [given[0], tape.new(of_bias, is_view=True) if wanted[1] else None],
    )
    return made


def _is_matrix(layout: Layout) -> bool:
    """Return True if PyTorch takes all but the last axis for one, by their strides alone."""
    sizes, strides = layout.sizes, layout.strides
    return all(strides[axis] == strides[axis + 1] * sizes[axis + 1] for axis in range(len(sizes) - 2))


def fused_attention(tape: Tape, q: TapeTensor, k: TapeTensor, v: TapeTensor) -> TapeTensor:
    """Return attention by the fused kernel, of `[batch, heads, rows, width]`; it keeps a number for each row."""
    made = tape.tensor(elementwise([q.layout]))
    sums = tape.new(0, precise=product(q.layout.sizes[:3]))
    sizes = [value.layout.sizes for value in (q, k, v)]
    tape.step(
        [q, k, v],
        [made],
        lambda given, _: [tape.tensor(Layout.exchanged(x, 1, 2)) for x in sizes],
        [q, k, v, made, sums],
    )
    return made


def remade(tape: Tape, x: TapeTensor, layout: Layout) -> TapeTensor:
    """Return a new tensor with another layout, made of the tensor; its gradient is a new tensor in order."""
    made, sizes, precise = tape.tensor(layout, x.is_precise), x.layout.sizes, x.is_precise
    tape.step([x], [made], lambda given, _: [tape.tensor(Layout.in_order(sizes), precise)])
    return made


def scaled(tape: Tape, x: TapeTensor) -> TapeTensor:
    """Return the tensor times a number; its gradient is a new tensor, which lies as the gradient of the product."""
    precise = x.is_precise
    made = tape.tensor(elementwise([x.layout]), precise)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        (gradient,) = given
        return [None if gradient is None else tape.tensor(elementwise([gradient.layout]), precise)]

    tape.step([x], [made], rule)
    return made


def computed(tape: Tape, x: TapeTensor, saves: Sequence[TapeTensor] = (), saves_output: bool = False) -> TapeTensor:
    """Return a function of every element; its gradient is a new tensor."""
    layout, precise = elementwise([x.layout]), x.is_precise
    made = tape.tensor(layout, precise)
    tape.step([x], [made], lambda given, _: [tape.tensor(layout, precise)], [*saves, *([made] if saves_output else ())])
    return made


def lowered(tape: Tape, x: TapeTensor) -> TapeTensor:
    """Return a precise tensor cast to the operator's type, its gradient cast back; any other as it is."""
    if not x.is_precise:
        return x
    layout = x.layout
    made = tape.tensor(layout)
    tape.step([x], [made], lambda given, _: [tape.tensor(layout, precise=True)])
    return made


def apart(tape: Tape, x: TapeTensor) -> list[TapeTensor]:
    """Return the positions of the first axis (`unbind`); their gradients are joined to a new tensor."""
    (count, *sizes), (_, *strides) = x.layout.sizes, x.layout.strides
    whole = x.layout.sizes
    made = [_viewed(x, Layout(tuple(sizes), tuple(strides))) for _ in range(count)]
    tape.step([x], made, lambda given, _: [tape.tensor(Layout.in_order(whole))])
    return made


def matrix_products(tape: Tape, x: TapeTensor, y: TapeTensor) -> TapeTensor:
    """Return `x @ y`, matrix by matrix; autograd saves both."""
    *outer, rows, width = x.layout.sizes
    columns = y.layout.sizes[-1]
    count = product(outer)
    left = reshaped(tape, x, (count, rows, width))
    right = reshaped(tape, y, (count, width, columns))
    del x, y
    made = tape.tensor(Layout.in_order((count, rows, columns)))
    sizes = (left.layout.sizes, right.layout.sizes)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        second = tape.tensor(Layout.in_order(sizes[1])) if wanted[1] else None
        return [tape.tensor(Layout.in_order(sizes[0])) if wanted[0] else None, second]

    saved = [left if right.edge else None, right if left.edge else None]
    tape.step([left, right], [made], rule, saved)
    del left, right
    return reshaped(tape, made, (*outer, rows, columns))


def shortened(tape: Tape, x: TapeTensor, axis: int, size: Dim) -> TapeTensor:
    """Return the first positions of an axis; their gradient is put into zeros."""
    before = x.layout.sizes
    made = _viewed(x, x.layout.part(axis, size))
    tape.step([x], [made], lambda given, _: [tape.tensor(Layout.in_order(before))])
    return made
