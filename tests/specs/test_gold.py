"""The layer tables of the lectures come out of the bundled specs (tests/data/README.md says where they are from)."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import pytest

import archcalc


def read(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


GOLD = Path(__file__).parents[1] / "data" / "gold"
TABLES = json.loads((GOLD / "networks.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", TABLES)
def test_recomputed_tables(file):
    """Every cell, exactly. The decks give ResNet's first convolution a bias, which it has not."""
    analysis = archcalc.load(TABLES[file]["network"], **TABLES[file].get("settings", {})).analyze()
    expected = [gold for gold in read(GOLD / f"{file}.csv") if gold["macs"]]
    for name, gold in zip(TABLES[file]["layers"].split(), expected, strict=True):
        row = analysis[name]
        facts = row.layer.op.hyperparameters()
        assert Fraction(row.memory, 1024) == Fraction(gold["memory_kb"])
        assert row.params == int(gold["weights_only" if file == "001_resnet_stem" else "params"])
        assert row.weights == int(gold["weights_only"])
        assert row.flops == int(gold["macs"])
        if gold.get("out_c"):
            assert row.output_shape[0] == int(gold["out_c"])
        if gold.get("in_c") and gold.get("in_hw"):
            assert row.input_shapes[0][0] == int(gold["in_c"])
        for key, shape in (("out_hw", row.output_shape), ("in_hw", row.input_shapes[0])):
            if gold.get(key):
                assert set(shape[1:]) == {int(gold[key])}
        for key, fact in (("filters",) * 2, ("kernel",) * 2, ("stride",) * 2, ("pad", "padding")):
            if gold.get(key):
                value = facts[fact]
                assert str(value[0] if isinstance(value, tuple) else value) == gold[key]


def test_the_printed_alexnet_table(cli):
    """Every printed cell but the slip in conv4; the slide's fc rows are without bias, as in the column `weights`."""
    shown = "name,input_c,input_hw,filters,kernel,stride,padding,output_c,output_hw,memory,params,flops,weights"
    lines = cli("table", "alexnet", "--columns", shown, "--format", "markdown").out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    rows = {row[0]: row for row in cells}
    differing = []
    for gold in read(GOLD / "printed_001_alexnet.csv"):
        mine = rows[gold["layer"]]
        printed = [value.replace(",", "") for value in gold.values()]
        for position, value in enumerate(printed):
            actual = mine[12 if position == 10 and gold["layer"].startswith("fc") else position].replace(",", "")
            if value != actual:
                differing.append((gold["layer"], list(gold)[position], value, actual))
    assert differing == [("conv4", "flop_m", "145", "150")]


# Row of derived.csv to network, quantity, settings.
FIRST_1X1 = {"stride_in_1x1": True}
DERIVED = {
    "001-alexnet001-params": ("alexnet", "params"),
    "001-alexnet001-macs": ("alexnet", "macs"),
    "001-vgg16-true": ("vgg16", "macs"),
    "001-vgg16-slide": ("vgg16_eecs498", "macs"),
    "001-vgg16-true-params": ("vgg16", "params"),
    "001-vgg16-slide-params": ("vgg16_eecs498", "params"),
    "001-resnet-50-macs-stride-1x1": ("resnet50_v1", "macs"),
    "001-resnet-50-macs-stride-3x3": ("resnet50", "macs"),
    "001-resnet-50-params": ("resnet50", "params"),
    "001-resnet-101-macs-stride-1x1": ("resnet101_v1", "macs"),
    "001-resnet-101-macs-stride-3x3": ("resnet101", "macs"),
    "001-resnet-101-params": ("resnet101", "params"),
    "001-resnet-152-macs-stride-1x1": ("resnet152_v1", "macs"),
    "001-resnet-152-macs-stride-3x3": ("resnet152", "macs"),
    "001-resnet-152-params": ("resnet152", "params"),
    "001-resnext-50-macs-stride-1x1": ("resnext50_32x4d", "macs", FIRST_1X1),
    "001-resnext-50-macs-stride-3x3": ("resnext50_32x4d", "macs"),
    "001-resnext-50-params": ("resnext50_32x4d", "params"),
    "001-resnext-101-macs-stride-1x1": ("resnext101_32x4d", "macs", FIRST_1X1),
    "001-resnext-101-macs-stride-3x3": ("resnext101_32x4d", "macs"),
    "001-resnext-101-params": ("resnext101_32x4d", "params"),
    "001-resnet-18-macs-shortcut-A": ("resnet18_a", "macs"),
    "001-resnet-18-macs-shortcut-B": ("resnet18", "macs"),
    "001-resnet-34-macs-shortcut-A": ("resnet34_a", "macs"),
    "001-resnet-34-macs-shortcut-B": ("resnet34", "macs"),
    "000-cx-alexnet-exact": ("alexnet_d2l", "weights"),
    "002-cx-alexnet-exact": ("alexnet_d2l", "weights"),
    "002-lenet5-params": ("lenet5", "params"),
    "002-lenet5-macs": ("lenet5", "macs"),
    "003-lenetv-params": ("lenet5_relu", "params"),
    "003-lenetv-macs": ("lenet5_relu", "macs"),
}


@pytest.mark.parametrize("row", DERIVED)
def test_derived_totals(row):
    gold = {line["id"]: line["value"] for line in read(GOLD / "derived.csv")}
    name, quantity, *settings = DERIVED[row]
    assert getattr(archcalc.load(name, **(settings[0] if settings else {})).analyze().totals, quantity) == int(
        gold[row]
    )


@pytest.mark.parametrize(("row", "name"), [("001-vgg16-true-mem", "vgg16"), ("001-vgg16-slide-mem", "vgg16_eecs498")])
def test_derived_memory_of_the_convolutions(row, name):
    gold = {line["id"]: line["value"] for line in read(GOLD / "derived.csv")}
    rows = archcalc.load(name).analyze().rows
    assert sum(row.memory for row in rows if row.layer.op.kind == "conv") / 2**20 == float(gold[row])


def test_the_lectures_cost_of_alexnet_and_lenet():
    """Decks 000 and 002, weights and multiply-adds of each part (their table cuts digits: 34,848 is printed 35K)."""
    rows = archcalc.load("alexnet_d2l").analyze()
    expected = {
        "conv1": (34848, 101616768),
        "conv2": (614400, 415334400),
        "fc6": (26214400, 26214400),
        "fc7": (16777216, 16777216),
    }
    assert {name: (rows[name].weights, rows[name].macs) for name in expected} == expected
    later = [rows[name] for name in ("conv3", "conv4", "conv5")]
    assert (sum(row.weights for row in later), sum(row.macs for row in later)) == (3096576, 445906944)
