"""Layouts against PyTorch's strides, for random views, sums and elementwise functions."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from archcalc.ops.layout import Layout, elementwise


def layout_of(tensor: torch.Tensor) -> Layout:
    return Layout(tuple(tensor.shape), tuple(tensor.stride()))


def same(layout: Layout, tensor: torch.Tensor) -> bool:
    """The stride of an axis of size 1 is arbitrary."""
    strides = zip(layout.sizes, layout.strides, tensor.stride(), strict=True)
    return layout.sizes == tensor.shape and all(size == 1 or mine == theirs for size, mine, theirs in strides)


@st.composite
def tensors(draw, sizes: list[int]) -> torch.Tensor:
    """A tensor of these sizes, with its axes in any order, perhaps a part of a larger tensor or repeated."""
    order = draw(st.permutations(range(len(sizes))))
    margins = [draw(st.sampled_from((0, 0, 2))) for _ in sizes]
    whole = torch.zeros([sizes[axis] + margins[axis] for axis in order])
    tensor = whole.permute([order.index(axis) for axis in range(len(sizes))])
    for axis, size in enumerate(sizes):
        tensor = tensor.narrow(axis, 0, size)
    return tensor[:1].expand(tensor.shape) if draw(st.booleans()) else tensor


SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@given(st.data())
def test_views_are_those_of_pytorch(data):
    tensor = data.draw(tensors(data.draw(SIZES)))
    layout, left, sizes = layout_of(tensor), tensor.numel(), []
    for _ in range(data.draw(st.integers(0, 3))):
        sizes.append(data.draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0])))
        left //= sizes[-1]
    try:
        view = tensor.view(*sizes, left)
    except RuntimeError:
        view = None
    found = layout.viewed((*sizes, left))
    assert found == (None if view is None else layout_of(view))
    assert layout.is_in_order == tensor.is_contiguous()
    assert layout.is_dense == torch.ops.aten.is_non_overlapping_and_dense(tensor)


@given(st.data())
def test_sums_lie_as_those_of_pytorch(data):
    sizes = data.draw(SIZES)
    left, right = (data.draw(tensors([data.draw(st.sampled_from((size, size, 1))) for size in sizes])) for _ in "ab")
    assert same(elementwise([layout_of(left), layout_of(right)]), left + right)
    assert same(elementwise([layout_of(left)]), left.sigmoid())
