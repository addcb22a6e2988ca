"""Renames of blocks that are alike are told once, and say the same of every name."""

from __future__ import annotations

import random

import pytest

from archcalc.imports.renaming import folded_renames
from archcalc.network import Network

BLOCKS = {f"stage{i}.{j}.computed.bias": f"stage{i}.{j}.bias" for i in range(2) for j in range(3)}


def test_blocks_that_are_alike_have_one_rename():
    assert folded_renames(BLOCKS, BLOCKS) == {"*.*.computed.bias": "*.*.bias"}


def test_another_name_that_would_fit_keeps_them_apart():
    by_stage = {f"stage{i}.*.computed.bias": f"stage{i}.*.bias" for i in range(2)}
    assert folded_renames(BLOCKS, [*BLOCKS, "stage2.0.computed.bias"]) == by_stage
    last = {"stage2.0.computed.bias": "last"}
    assert folded_renames({**BLOCKS, **last}, [*BLOCKS, *last]) == {**by_stage, **last}
    assert folded_renames(BLOCKS, [*BLOCKS, "stage0.5.computed.bias", "stage1.5.computed.bias"]) == BLOCKS


def test_numbers_that_change_places_are_kept():
    crossed = {"a.0.b.1.x": "a.1.b.0.x", "a.1.b.0.x": "a.0.b.1.x"}
    assert folded_renames(crossed, crossed) == crossed


@pytest.mark.parametrize("seed", range(40))
def test_every_name_is_renamed_as_before(seed):
    chosen = random.Random(seed)
    words = ["a", "b", "0", "1", "x2"]
    names = {".".join(chosen.choices(words, k=chosen.randint(1, 4))) for _ in range(12)}
    renames = {
        name: ".".join(part if chosen.random() < 0.8 else "y" for part in name.split("."))
        for name in sorted(names)
        if chosen.random() < 0.7
    }
    known, folded = (Network("n", {}, (), (), renames=one) for one in (renames, folded_renames(renames, names)))
    assert [folded.reference_name(name) for name in sorted(names)] == [
        known.reference_name(name) for name in sorted(names)
    ]


def test_names_with_a_number_are_told_apart_where_they_must_be():
    renames = {
        f"{i}.{name}.computed.gain": f"{i}.{name}.gain" for i in range(3) for name in ("conv1", "conv2", "conv2b")
    }
    assert folded_renames(renames, renames) == {
        f"*.{name}.computed.gain": f"*.{name}.gain" for name in ("conv1", "conv2", "conv2b")
    }
