"""The time of a training run: by hand, and as a lecture and papers have it."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.runtime.training_time import find_rate, parse_utilization, training_time

TEN = "input: [100, 64, 64]\nlayers: [{conv: 100, kernel: 5, padding: same, bias: false, repeat: 10}]"


def test_the_lecture_s_ten_layers_and_a_million_examples():
    """10.24 P multiply-adds of a forward pass: 18.96 h at 0.15 TFLOP/s, 14.2 min at 12 TFLOP/s."""
    analysis = archcalc.loads(TEN).analyze()
    hours = [
        training_time(analysis, 1e6, rate, forward_only=True, per_mac=1).seconds[0] / 3600 for rate in (15e10, 12e12)
    ]
    assert hours[0] == pytest.approx(18.963, abs=0.001)
    assert hours[1] * 60 == pytest.approx(14.222, abs=0.001)


def test_a_language_model_needs_about_6_flops_per_parameter_and_token():
    """Kaplan et al., 2020: 6·N·D, here with the work of attention beside it."""
    found = training_time(archcalc.load("llama_7b").analyze(), 1.0, 1.0)
    assert found.flops == pytest.approx(6 * 6_738_415_616 * 2048, rel=0.1)


def test_utilization_is_a_range_and_devices_share_the_work():
    analysis = archcalc.loads(TEN).analyze(batch=4)
    whole = training_time(analysis, 100.0, 1e12).seconds[0]
    low, high = training_time(analysis, 100.0, 2e12, (0.25, 0.5)).seconds
    assert (low, high) == (pytest.approx(whole), pytest.approx(2 * whole))


def test_what_is_frozen_is_left_out():
    """Only the weight of fc has a gradient: 512·1000 multiply-adds more than the forward pass."""
    network = archcalc.freeze(archcalc.load("resnet18"), trained=["fc"])
    found = training_time(network.analyze(), 1.0, 1.0)
    assert found.work == 2 * (network.analyze().totals.macs + 512_000)


def test_rates():
    assert find_rate("h100", "bfloat16") == ("NVIDIA H100 SXM5 80 GB", 989.4e12)
    assert find_rate("0.15TFLOP/s", "bfloat16")[1] == 15e10
    for text in ("0TFLOP/s", "h1000"):
        with pytest.raises(UserError):
            find_rate(text, "bfloat16")
    with pytest.raises(UserError, match="no peak for 'int4'"):
        find_rate("h100", "int4")


@pytest.mark.parametrize(("text", "expected"), [("0.4", (0.4, 0.4)), ("0.3-0.5", (0.3, 0.5)), ("1", (1.0, 1.0))])
def test_utilizations(text, expected):
    assert parse_utilization(text) == expected


@pytest.mark.parametrize("text", ["0", "1.5", "0.5-0.3", "40%", "", "-", "a"])
def test_a_utilization_that_is_wrong(text):
    with pytest.raises(UserError, match="expected a share"):
        parse_utilization(text)
