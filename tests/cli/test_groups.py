"""Sums over groups, receptive fields by depth, and accuracies of one's own."""

from __future__ import annotations

import pytest


def test_the_parameters_of_a_group(cli):
    """torchvision's ResNet-50, layer1[0]: 1×1, 3×3 and 1×1 convolutions, a shortcut, and four normalizations."""
    convolutions = 64 * 64 + 9 * 64 * 64 + 64 * 256 + 64 * 256
    total = convolutions + 2 * (64 + 64 + 256 + 256)
    text = cli("explain", "resnet50", "layer1.0", "--quantity", "params").out
    assert f"params = {total:,}\n" in text
    assert "layer1.0.conv2 = 36,864" in text


def test_the_total_of_a_network(cli):
    """torchvision: AlexNet has 61,100,840 parameters."""
    text = cli("explain", "alexnet_torchvision", "total").out
    assert "params = 61,100,840\n" in text
    assert "is not a sum" in cli("explain", "alexnet", "total", "--quantity", "rf").err


def test_fields_by_depth(cli):
    rows = cli("rf", "resnet50", "--depth", "1").out.splitlines()
    stages = [line.split()[0] for line in rows if "." in line.split(" ")[0] and "×" in line]
    assert [stage.split(".")[0] for stage in stages] == ["layer1", "layer2", "layer3", "layer4"]


@pytest.mark.parametrize("text", ["lenet5", "=50", "lenet5=x", "lenet5=101", "lenet5=nan"])
def test_an_accuracy_that_is_none(cli, text, tmp_path):
    result = cli("plot", "resnet18", "--accuracy", text, "-o", tmp_path / "a.svg")
    assert result.code == 2
    assert "--accuracy takes NAME=PERCENT" in result.err


def test_an_accuracy_of_ones_own(cli, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.svg"
    assert cli("plot", "resnet18", "--accuracy", "lenet5=50", "-o", path).code == 0
    assert path.read_text().count("lenet5") >= 1


def test_quick_takes_the_smallest_network_of_each_family(monkeypatch):
    from archcalc.cli._options import Opener
    from archcalc.cli.verify import _networks
    from archcalc.language import library

    some = [(path, variant) for path, variant in library.bundled_networks() if path.stem in ("vgg", "lenet", "swin")]
    monkeypatch.setattr(library, "bundled_networks", lambda: some)
    quick = _networks((), Opener((), (), {}, False), True)
    assert sorted(network.name for network in quick) == ["lenet5", "swin_t", "vgg11"]
