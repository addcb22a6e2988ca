"""What is read along an axis, against PyTorch: every output of every mode, by size and by scale."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from archcalc.ops import registry
from archcalc.ops.reads import (
    MIDDLE,
    PaddingMode,
    adaptive,
    between_corners,
    blocks,
    interpolated,
    nearest,
    repeated,
    spread,
    window,
)

SCALES = (0.3, 0.5, 0.7, 1.1, 1.25, 1 / 3, 1.5, 1.7, 2, 2.05, 2.3, 3, 4.1)
MODES = {1: ("nearest", "nearest-exact", "bilinear"), 2: ("nearest", "nearest-exact", "bilinear", "bicubic")}
SIZES = (1, 2, 3, 4, 5, 6, 7, 13, 24)


def positions(reads, n: int, m: int) -> list[set[int]]:
    """The positions inside the axis that each output reads."""
    return [{own for tap in reads.at(o) if (own := reads.edge.inside(tap, n)) is not None} for o in range(m)]


def measured(op, n: int) -> list[set[int]]:
    """The positions of the first spatial axis that have a weight in each output of the built operator.

    Nearest in float32: except in two dimensions, PyTorch takes the positions of float64 tensors in double precision.
    """
    from archcalc.runtime.building import make_module

    ones = torch.eye(n, dtype=torch.float32 if op.mode.startswith("nearest") else torch.float64).reshape(
        n, 1, n, *[1] * (op.rank - 1)
    )
    output = make_module(op.torch())(ones.expand(n, 1, *op.x[1:]))
    weights = output[(slice(None), 0, slice(None), *[0] * (op.rank - 1))]
    return [set((weights[:, o].abs() > 1e-9).nonzero().flatten().tolist()) for o in range(weights.shape[1])]


def upsampled(n: int, rank: int, **arguments):
    return registry()["upsample"]([(1, n, *[2] * (rank - 1))], **arguments)


@pytest.mark.parametrize("rank", MODES)
def test_interpolation_by_scale(rank):
    """PyTorch takes 1/scale, not n/m; nearest in single precision."""
    for n, scale, mode in product(SIZES, SCALES, MODES[rank]):
        if math.floor(n * scale) > 0:
            op = upsampled(n, rank, scale=(scale, *[1] * (rank - 1)), mode=mode)
            assert positions(op.access()[1], n, op.output[1]) == measured(op, n), (n, scale, mode)


@pytest.mark.parametrize("rank", MODES)
def test_interpolation_to_a_size(rank):
    for n, m, mode in product(SIZES, (1, 2, 3, 5, 8, 25, 82), MODES[rank]):
        for corners in {False, mode.startswith("bi")}:
            op = upsampled(n, rank, size=(m, *[2] * (rank - 1)), mode=mode, align_corners=corners)
            assert positions(op.access()[1], n, m) == measured(op, n), (n, m, mode, corners)


def test_in_three_dimensions_a_scale_is_a_scale():
    """With two dimensions PyTorch takes o // 2 where 3 becomes 6; with one or three it multiplies by 1/2.05."""
    found = {rank: positions(upsampled(3, rank, scale=2.05).access()[1], 3, 6) for rank in (1, 2, 3)}
    assert found[1] == found[3] == [{0}, {0}, {0}, {1}, {1}, {2}]
    assert found[2] == [{0}, {0}, {1}, {1}, {2}, {2}]
    assert measured(upsampled(3, 3, scale=2.05), 3) == found[3]


def test_single_precision():
    """2 → 82: position 41 lies at exactly 1, which single precision misses (aten/src/ATen/native/UpSample.h)."""
    op = upsampled(2, 1, size=(82,))
    assert [*op.access()[1].at(41)] == [0]
    assert measured(op, 2)[41] == {0}


def test_windows_and_their_transposes():
    """A window of 3 at stride 2 with padding 1; and its transpose, whose even outputs read one input, odd ones two."""
    assert [*window(3, 2, 1).at(4)] == [7, 8, 9]
    assert [[*spread(3, 2, 1).at(o)] for o in (0, 1, 2, 3)] == [[0], [0, 1], [1], [1, 2]]
    assert [[*spread(1, 2, 0).at(o)] for o in (0, 1, 2)] == [[0], [], [1]]
    assert [*window(3, dilation=2).at(0)] == [0, 2, 4]


def test_adaptive_pooling_takes_turns():
    """Window i is floor(7i/3) … ceil(7(i + 1)/3) − 1."""
    assert [[*adaptive(7, 3).at(o)] for o in range(3)] == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]


def test_blocks_may_be_shifted():
    assert [[*blocks(4, 2).at(o)] for o in (0, 2, 5, 6)] == [[-2, -1, 0, 1], [2, 3, 4, 5], [2, 3, 4, 5], [6, 7, 8, 9]]


def test_what_stands_beyond_the_ends():
    inside = {mode: [mode.inside(position, 4) for position in (-2, 5)] for mode in PaddingMode}
    assert inside == {
        PaddingMode.NOTHING: [None, None],
        PaddingMode.MIRRORED: [2, 1],
        PaddingMode.REPEATED: [0, 3],
        PaddingMode.WRAPPED: [2, 1],
    }


def test_a_transposed_window_meets_what_the_window_reads():
    """Output o reads input i where o = stride·i − padding + dilation·t: every combination, by trying them all."""
    for kernel, stride, padding, dilation in product(range(1, 6), range(1, 6), range(4), range(1, 5)):
        reads = spread(kernel, stride, padding, dilation)
        for o in range(12):
            met = {i for i in range(-30, 30) for t in range(kernel) if o == stride * i - padding + dilation * t}
            assert set(reads.at(o)) == met, (kernel, stride, padding, dilation, o)


def test_long_patterns_are_held_by_bounds():
    """Where a pattern has more than 4,096 residues: what each output reads lies between its bounds."""
    n, m = 5003, 5000
    lists = {
        "adaptive": (adaptive(n, m), lambda o: range(o * n // m, -(-(o + 1) * n // m))),
        "nearest": (nearest(n, m), lambda o: [o * n // m]),
        "middle": (nearest(n, m, None, MIDDLE), lambda o: [(2 * o + 1) * n // (2 * m)]),
        "linear": (interpolated(n, m), lambda o: [((2 * o + 1) * n - m) // (2 * m) + side for side in (0, 1)]),
        "corners": (between_corners(n, m), lambda o: [o * (n - 1) // (m - 1)]),
        "repeated": (repeated(m), lambda o: [o // m]),
        "transposed": (spread(3, m, 1), lambda o: [i for i in range(3) if 0 <= o + 1 - m * i < 3]),
        "blocks": (blocks(m, 7), lambda o: range((o - 7) // m * m + 7, (o - 7) // m * m + 7 + m)),
    }
    for name, (reads, taken) in lists.items():
        assert not reads.exact, name
        for o in range(0, m, 37):
            assert set(taken(o)) <= set(reads.at(o)), (name, o)
