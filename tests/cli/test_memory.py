"""`archcalc memory`."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

import archcalc
from archcalc.cli.memory import parse_bytes
from archcalc.memory.summary import memory

NETWORK = """
name: small
input: [3, 8, 8]
layers:
  - {conv: 4, kernel: 3, padding: 1, name: conv}
  - relu
  - flatten
  - {linear: 10, name: fc}
"""


def test_shows_the_quantities_their_sum_and_the_timeline(cli):
    result = cli("memory", "resnet18", "--batch", "8", "--mode", "training", "--optimizer", "adam")
    assert (result.code, result.err) == (0, "")
    for word in ("weights", "buffers", "optimizer's state", "saved activations", "gradients", "peak", "backward"):
        assert word in result.out
    assert "live tensors at the peak" in result.out


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_says_what_devices_divide(stage, cli):
    # Rajbhandari et al., 2020, "ZeRO": stage 1 divides the optimizer's state, 2 the gradients too, 3 the weights too.
    divided = ["optimizer's", "gradients", "weights"][:stage]
    step = ("--mode", "training", "--optimizer", "adam", "--devices", "4", "--zero", stage)
    out = cli("memory", "lenet5", *step).out
    assert {line.split()[0] for line in out.splitlines() if "divided among 4 devices" in line} == set(divided)
    assert "bits each" not in out


def test_json_sums_up(cli):
    data = json.loads(
        cli("memory", "resnet18", "--mode", "training", "--optimizer", "momentum", "--format", "json").out
    )
    # 11,689,512 parameters: torchvision's table of weights
    assert data["weights_bytes"] == data["gradients_bytes"] == data["optimizer_bytes"] == 4 * 11_689_512
    standing = data["weights_bytes"] + data["buffers_bytes"] + data["optimizer_bytes"]
    assert data["peak_bytes"] == standing + data["tensors_bytes"]
    assert sum(one["bytes"] for one in data["peak"]["alive"]) == data["tensors_bytes"]
    assert max(one["bytes"] for one in data["timeline"]) == data["tensors_bytes"]
    assert data == memory(archcalc.load("resnet18").analyze(), "training", "momentum").to_dict()


def test_csv_is_the_timeline_by_what_is_alive(cli, spec_file):
    rows = list(csv.DictReader(io.StringIO(cli("memory", spec_file(NETWORK), "--format", "csv").out)))
    assert [row["layer"] for row in rows] == ["conv", "relu1", "flatten1", "fc"]
    # by hand, 4 B each: input 3·8·8, conv and relu 4·8·8 each, then relu's, seen as 256 numbers, and 10 results
    assert [int(row["live_bytes"]) for row in rows] == [4 * 448, 4 * 704, 4 * 448, 4 * 458]
    assert all(
        int(row["live_bytes"]) == sum(int(row[key]) for key in row if key.endswith("_bytes") and key != "live_bytes")
        for row in rows
    )


def test_markdown_is_one_table_after_another(cli):
    text = cli("memory", "lenet5", "--format", "markdown").out
    assert [line for line in text.splitlines() if line.startswith("**")][1].startswith("**live tensors at the peak")
    assert "| weights |" in text


def test_half_the_bytes_in_half_precision(cli):
    full, half = (
        json.loads(cli("memory", "vgg11", "--dtype", one, "--format", "json").out) for one in ("float32", "float16")
    )
    assert full["weights_bytes"] == 2 * half["weights_bytes"]
    assert max(row["bytes"] for row in half["timeline"]) < max(row["bytes"] for row in full["timeline"])


def test_fit_in_both_modes(cli):
    result = cli("memory", "resnet50", "--fit", "24GB", "--dtype", "float16", "--format", "json")
    assert result.code == 0
    data = json.loads(result.out)
    assert data["budget_bytes"] == 24 * 10**9
    assert [one["mode"] for one in data["fits"]] == ["inference", "training"]
    for one in data["fits"]:
        assert one["bytes"] <= data["budget_bytes"] < one["next_bytes"]
        taken = cli(
            "memory",
            "resnet50",
            "--dtype",
            "float16",
            "--mode",
            one["mode"],
            "--batch",
            one["batch"],
            "--format",
            "json",
        )
        assert json.loads(taken.out)["peak_bytes"] == one["bytes"]


def test_what_does_not_fit_exits_with_1(cli):
    result = cli("memory", "vgg16", "--fit", "400MiB", "--optimizer", "adam", "--mode", "training")
    assert result.code == 1
    assert "One sample does not fit: training" in result.out
    assert cli("memory", "vgg16", "--fit", "1B").code == 1


def test_checkpoint_names_the_blocks_and_their_cost(cli):
    result = cli("memory", "resnet50", "--batch", "32", "--checkpoint", "2GiB")
    assert (result.code, result.err) == (0, "")
    assert "Recompute 3 of 16 blocks: layer1.0, layer1.1, layer2.0." in result.out
    data = json.loads(cli("memory", "resnet50", "--batch", "32", "--checkpoint", "2GiB", "--format", "json").out)
    assert data["peak_bytes"] <= data["budget_bytes"] < data["without"]["peak_bytes"]
    # fvcore and torch: 4,089,184,256 multiply-adds a sample (ResNet-50 at 224, stride in the 3×3)
    assert data["forward_macs"] == 32 * 4_089_184_256
    assert data["extra_macs"] == sum(
        row.macs
        for row in archcalc.load("resnet50").analyze(batch=32).rows
        if row.name.startswith(tuple(f"{block}." for block in data["recomputed"]))
    )
    rows = cli("memory", "resnet50", "--batch", "32", "--checkpoint", "2GiB", "--format", "csv").out.splitlines()
    assert rows[:2] == ["block,recomputed", "layer1.0,1"]
    assert sum(row.endswith(",1") for row in rows) == 3


def test_what_no_choice_of_blocks_fits_exits_with_1(cli):
    result = cli("memory", "resnet50", "--batch", "32", "--checkpoint", "1GB")
    assert result.code == 1
    assert "No choice of blocks fits; the lowest peak with recomputation" in " ".join(result.out.split())
    least = re.search(r"recomputation is\s+([\d,]+)\s+B", result.out).group(1).replace(",", "")
    assert cli("memory", "resnet50", "--batch", "32", "--checkpoint", f"{least}B").code == 0


def test_what_fits_needs_no_recomputing(cli):
    result = cli("memory", "resnet50", "--checkpoint", "10GB", "--format", "markdown")
    assert result.code == 0
    assert "It fits: recompute nothing." in result.out


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_chart(cli, tmp_path, suffix):
    path = tmp_path / f"chart.{suffix}"
    result = cli("memory", "googlenet", "--mode", "training", "--chart", path)
    assert result.code == 0, result.err
    content = path.read_bytes()
    assert content[:4] in (b"<?xm", b"\x89PNG", b"%PDF")
    if suffix == "svg":
        assert b"statistics, masks and copies" in content
        assert b"in the backward pass of" in content


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24GB", 24 * 10**9),
        ("24GiB", 24 * 2**30),
        ("1.5 kB", 1500),
        ("0.5KiB", 512),
        ("7B", 7),
        ("80TiB", 80 * 2**40),
        ("0.3MB", 300_000),
    ],
)
def test_sizes(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "24",
        "24gb",
        "GB",
        "24 KB",
        "-1GB",
        "1e9B",
        "0GB",
        "0.4B",
        "1,5GB",
        "24GB2",
        "٢GB",
        "9" * 99 + "GB",
        "inf GB",
        "24 G B",
    ],
)
def test_no_sizes(text):
    with pytest.raises(ValueError, match=r"size|unit"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lenet5", "--mode", "train"), "unknown mode 'train'\nhelp: did you mean 'training'?"),
        (("lenet5", "--optimizer", "adams"), "did you mean 'adam'?"),
        (("lenet5", "--dtype", "float15"), "float16"),
        (("lenet5", "--fit", "24KB"), "kB is 1000 B, KiB is 1024 B"),
        (("lenet5", "--batch", "0"), "--batch"),
        (("lenet5", "--chart", "x.txt"), "cannot write"),
        (("lenet5", "--fit", "1GB", "--chart", "x.svg"), "leave out --fit"),
        (("lenet5", "--fit", "1GB", "--checkpoint", "1GB"), "one of them"),
        (("lenet5", "--checkpoint", "1GB", "--mode", "inference"), "for training"),
        (("alexnet", "--batch", "64", "--checkpoint", "1MB"), "alexnet has no blocks"),
    ],
)
def test_mistakes(arguments, message, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli("memory", *arguments)
    assert result.code == 2
    assert message in result.err
    assert not list(tmp_path.iterdir())


def test_a_network_of_which_nothing_runs(cli, spec_file):
    path = spec_file("input: [3, 8, 8]\nlayers:\n  - {dropout: 0.5, train: true}\n")
    for arguments in ((), ("--fit", "1GB")):
        result = cli("memory", path, *arguments)
        assert result.code == 2
        assert "no layer runs" in result.err


def test_names_are_shown_harmlessly(cli, spec_file, tmp_path):
    path = spec_file('name: "a\\x1b[31m|b"\ninput: [3, 8, 8]\nlayers: [{relu, name: "=x$y_|"}]\n')
    for options in (
        (),
        ("--format", "markdown"),
        ("--format", "csv"),
        ("--fit", "1GB"),
        ("--chart", tmp_path / "c.svg"),
    ):
        result = cli("memory", path, *options)
        assert result.code == 0
        assert "\x1b" not in result.out + result.err


def test_needs_no_torch(cli, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli("memory", "resnet18", "--mode", "training").code == 0
