"""The table of quantities: what every entry must have, and how keys are chosen."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.analysis.rows import choose_rows
from archcalc.quantities.table import COLUMNS, FACTS, QUANTITIES, choose


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda quantity: quantity.key)
def test_a_meaning_is_one_sentence(quantity):
    assert quantity.means[0].isupper()
    assert quantity.means.endswith(".") or "==" in quantity.means
    assert len(quantity.means.split()) <= 25


def test_every_quantity_is_read_from_a_row_or_from_a_network():
    assert set(QUANTITIES) == {*COLUMNS, *FACTS}


def test_columns_of_vgg11():
    [row, *_] = choose_rows(archcalc.load("vgg11").analyze().rows, fold=True)
    values = {
        key: COLUMNS[key].of_row(row) for key in ("name", "kernel", "output", "params", "macs", "rf", "rf_stride")
    }
    assert values == {
        "name": "features.0",
        "kernel": (3, 3),
        "output": (64, 224, 224),
        "params": 64 * (3 * 3 * 3 + 1),
        "macs": 64 * 224 * 224 * 3 * 3 * 3,
        "rf": (3, 3),
        "rf_stride": (1, 1),
    }


def test_keys_are_chosen_by_name():
    assert choose("params,macs", QUANTITIES) == ("params", "macs")
    with pytest.raises(ValueError, match="unknown quantity 'parms'; did you mean params"):
        choose(["parms"], QUANTITIES)
