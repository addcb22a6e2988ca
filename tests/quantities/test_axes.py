"""The columns of a table say the whole shape of a tensor, with and without names of its axes."""

import pytest

import archcalc
from archcalc.quantities.axes import CHANNELS, LINES, SIDES, along
from archcalc.quantities.table import COLUMNS

PIXEL_SHUFFLE = """
input: [16, 8, 8]
layers: [{reshape: [4, 2, 2, 8, 8]}, {permute: [0, 3, 1, 4, 2]}, {reshape: [4, 16, 16]}, {conv: 1, kernel: 3}]
"""


def test_a_pixel_shuffle_by_hand_gives_a_map():
    rows = archcalc.loads(PIXEL_SHUFFLE).analyze().rows
    shapes = [tuple(COLUMNS[key].of_row(row) for key in ("output_c", "output_hw")) for row in rows]
    assert shapes == [(4, (2, 2, 8, 8)), (4, (8, 2, 8, 2)), (4, (16, 16)), (1, (14, 14))]


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((197, 3, 12, 64), ("tokens", "", "heads", "features"), (197, (3, 12), 64)),  # queries, keys and values
        ((2, 3, 4, 5, 6), ("",) * 5, (None, None, None)),
        ((7, 1, 5), ("tokens", "", "features"), (7, None, 5)),
        ((7, 5), ("tokens", ""), ((7, 5), None, None)),
    ],
)
def test_a_size_without_a_name_is_beside_the_next(shape, axes, expected):
    assert tuple(along(shape, axes, names) for names in (LINES, ("heads",), ("features",))) == expected


def test_sizes_without_any_name_are_shown_as_channels():
    assert along((2, 3, 4, 5, 6), ("",) * 5, CHANNELS) == (2, 3, 4, 5, 6)
    assert along((2, 3, 4, 5, 6), ("",) * 5, SIDES) is None
