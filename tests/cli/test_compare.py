"""`archcalc compare`."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest


def test_alexnet_and_vgg16(cli):
    """Lecture deck 001, slide "AlexNet vs VGG-16", for VGG-16 as the lecture draws it: memory 25 times (conv, fc6 and
    fc7 rows), parameters 2.3 times, operations 19.4 times as many; gold: 61,100,840 and 137.77 M parameters.
    """
    result = cli("compare", "alexnet", "vgg16_eecs498", "--format", "csv")
    rows = {row["quantity"]: row for row in csv.DictReader(io.StringIO(result.out)) if not row["map"]}
    assert rows["params"]["alexnet"] == "61100840"
    macs = {name: int(rows["macs"][name]) for name in ("alexnet", "vgg16_eecs498")}
    assert macs == {"alexnet": 716_767_232, "vgg16_eecs498": 13_620_576_256}
    text = cli("compare", "alexnet", "vgg16_eecs498").out
    assert "19.0×" in text  # 13,620,576,256 / 716,767,232; the slide divides rounded figures
    assert "2.25×" in text
    assert [line.split()[0] for line in text.splitlines() if line.startswith(("224", "head"))] == ["224×224", "head"]


def test_csv_and_json_hold_what_the_text_shows(cli):
    """Ratios and shares as numbers: AlexNet's 58,631,144 parameters of the linear layers are 95.96 % of 61,100,840."""
    rows = list(csv.DictReader(io.StringIO(cli("compare", "alexnet", "vgg16", "--format", "csv").out)))
    head = next(row for row in rows if (row["quantity"], row["map"]) == ("params", "head"))
    assert head["alexnet"] == str(9216 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000)
    assert float(head["share alexnet"]) == pytest.approx(0.9596, abs=5e-5)
    data = json.loads(cli("compare", "alexnet", "vgg16", "--format", "json").out)
    assert data["networks"] == ["alexnet", "vgg16"]
    assert data["totals"]["params"] == {"values": [61_100_840, 138_357_544], "ratios": [1, 138_357_544 / 61_100_840]}
    for name, total in data["totals"].items():
        parts = [one[name]["values"] for one in data["maps"] if name in one]
        assert not parts or [sum(values) for values in zip(*parts, strict=True)] == total["values"]
    assert "%" not in json.dumps(data)


@pytest.mark.parametrize(
    "arguments", [["alexnet", "vgg16"], ["alexnet", "--conventions"], ["conv 5x5 C->C", "conv 3x3 C->C, conv 3x3 C->C"]]
)
def test_every_comparison_has_every_format(cli, arguments):
    begins = {"markdown": "|", "csv": "", "json": "{", "latex": "% needs", "html": "<table"}
    for name, beginning in begins.items():
        result = cli("compare", *arguments, "--format", name)
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(beginning)
    json.loads(cli("compare", *arguments, "--format", "json").out)
    latex = cli("compare", *arguments, "--format", "latex").out
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") > 0


def test_pieces(cli):
    """Deck 001: 25C² against 18C² at the same receptive field."""
    out = cli("compare", "conv 5x5 C->C", "conv 3x3 C->C, conv 3x3 C->C").out
    lines = [re.split(r"  +", line.strip()) for line in out.splitlines()]
    assert ["params", "conv 5x5 C->C", "25C²"] in lines
    assert ["conv 3x3 C->C, conv 3x3 C->C", "18C²"] in lines
    assert ["conv 5x5 C->C ÷ conv 3x3 C->C, conv 3x3 C->C", "25/18"] in lines


def test_depthwise_separable(cli):
    out = cli("compare", "conv 3x3 C->C", "conv 3x3 C->C groups=C, conv 1x1 C->C").out
    assert "  9·C/(C + 9)\n" in out


@pytest.mark.parametrize("width", [60, 80])
def test_text_fits_the_terminal(cli, monkeypatch, width):
    """Five networks, and one in eight ways of counting: what does not fit stands below, with the first column again."""
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (["alexnet", "vgg16", "resnet50", "googlenet", "mobilenet_v2"], ["resnet50", "--conventions"]):
        out = cli("compare", *arguments).out
        assert max(map(len, out.splitlines())) <= width
        assert "4,089,184,256" in out if "vgg16" in arguments else "4,087,136,256" in out


def test_conventions(cli):
    """What fvcore 0.1.5 and torch 2.15's FlopCounterMode report for torchvision's ResNet-50 at 224×224."""
    out = cli("compare", "resnet50", "--conventions", "--format", "csv").out
    total = {row["operator"]: row for row in csv.DictReader(io.StringIO(out))}["total"]
    assert int(total["fvcore"]) == 4_111_512_576
    assert int(total["torch"]) == 8_178_368_512
    parts = [row for row in csv.DictReader(io.StringIO(out)) if row["operator"] != "total"]
    for name in ("lecture", "full", "fvcore", "torch"):
        assert sum(int(row[name]) for row in parts) == int(total[name])


def test_conventions_of_a_training_step(cli):
    """PyTorch's counter over a forward and a backward pass of torchvision's own ResNet-18, by operator and in total."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    torchvision = pytest.importorskip("torchvision", exc_type=ImportError)
    from torch.utils.flop_counter import FlopCounterMode

    module = torchvision.models.resnet18(weights=None).eval()
    with FlopCounterMode(display=False) as counter:
        output = module(torch.zeros(1, 3, 64, 64))
        forward = counter.get_total_flops()
        output.sum().backward()
        step = counter.get_total_flops()
    out = cli("compare", "resnet18", "--conventions", "--backward", "--input", "3,64,64", "--format", "csv").out
    rows = {row["operator"]: row for row in csv.DictReader(io.StringIO(out))}
    assert int(rows["total"]["torch forward"]) == forward
    assert int(rows["total"]["torch step"]) == step
    assert int(rows["total"]["torch backward"]) == step - forward
    assert int(rows["conv"]["lecture step"]) * 2 == int(rows["conv"]["torch step"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["alexnet"], "expected two networks"),
        (["alexnet", "conv 3x3 C->C"], "cannot compare an inline spec"),
        (["alexnet", "vgg16", "--conventions"], "--conventions takes one network"),
        (["alexnet", "vgg16", "--backward"], "needs --conventions"),
    ],
)
def test_mistakes(cli, arguments, message):
    result = cli("compare", *arguments)
    assert result.code == 2
    assert message in result.err
