"""A stand-in counts what the spec says, and every table, document and verification says that it is one."""

from __future__ import annotations

import csv
import io
import json

import torch

import archcalc
from archcalc.runtime.verify import Settings, verify

SPEC = """
name: net
input: [3, 32, 32]
layers:
  - {conv: 8, kernel: 3, padding: same, bias: false, name: stem}
  - {opaque: [16, 8, 8], params: 1000, macs: 5e6, name: magic}
  - {opaque: [4], macs: 1000, from: [stem, magic], name: of_both}
"""


def test_numbers_are_those_of_the_spec():
    analysis = archcalc.loads(SPEC).analyze()
    assert analysis["magic"].output_shape == (16, 8, 8)
    assert (analysis["magic"].params, analysis["magic"].macs, analysis["magic"].flops) == (1000, 5_000_000, 5_000_000)
    assert analysis.totals.params == 3 * 8 * 9 + 1000
    assert analysis.totals.macs == 32 * 32 * 8 * 27 + 5_001_000


def test_tables_and_totals_name_it():
    analysis = archcalc.loads(SPEC).analyze()
    table = analysis.to_markdown()
    assert "magic (opaque)" in table
    assert "total, with 2 opaque layers" in table
    assert "stem (opaque)" not in table
    *names, total = [row["name"] for row in csv.DictReader(io.StringIO(analysis.to_csv()))]
    assert names == ["stem", "magic", "of_both"]
    assert total == "total, with 2 opaque layers"
    layers = json.loads(analysis.to_json())["layers"]
    assert [layer.get("exactness") for layer in layers] == [None, "opaque", "opaque"]


def test_it_is_built_but_not_compared():
    settings = Settings(torch.device("cpu"))
    (result,) = verify([archcalc.loads(SPEC)], settings)
    assert result.passed
    notes = {check.name: check.note for check in result.checks if check.note}
    assert notes["fvcore"] == notes["torch"] == "layers whose numbers are given are not compared: magic, of_both"
    assert notes["memory"] == "memory of opaque is estimated"


def test_active_parameters_leave_out_idle_experts():
    """Mixtral 8x7B: 46.7 G parameters, 12.9 G of them active (Jiang et al., 2024)."""
    expert, layers = 3 * 4096 * 14336, 32
    text = (
        f"input: [1, 4096]\nlayers: [{{mixture_of_experts: 8, active: 2, features: 14336, repeat: {layers}, name: e}}]"
    )
    totals = archcalc.loads(text).analyze().totals
    router = 8 * 4096
    assert totals.params == layers * (8 * expert + router)
    assert totals.active_params == layers * (2 * expert + router)
    assert totals.macs == layers * (2 * expert + router)
