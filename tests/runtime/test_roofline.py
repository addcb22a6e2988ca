"""The roofline model."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.runtime.device_profile import DeviceProfile
from archcalc.runtime.roofline import CONVENTION, predict

DEVICE = DeviceProfile("test", "made up", {"float32": 1e9}, bandwidth=1e8, overhead=1e-5)


def roofline(text: str, batch: int = 1):
    return predict(archcalc.loads(text).analyze(batch=batch, convention=CONVENTION), DEVICE)


def test_a_matrix_product_by_hand():
    """100×1000 by 1000×500: 2·100·1000·500 operations; (100·1000 + 1000·500 + 100·500)·4 bytes."""
    (layer,) = roofline("name: x\ninput: [1000]\nlayers: [{linear: 500, bias: false}]", batch=100).layers
    assert layer.flops == 2 * 100 * 1000 * 500
    assert layer.bytes_read == (100 * 1000 + 1000 * 500) * 4
    assert layer.bytes_written == 100 * 500 * 4
    assert layer.intensity == pytest.approx(1e8 / 2.6e6)
    assert (layer.bound, layer.seconds) == ("compute", pytest.approx(0.1))


def test_elementwise_waits_for_memory():
    """A ReLU reads and writes 4 bytes for its one comparison: an eighth of an operation per byte."""
    (layer,) = roofline("name: x\ninput: [1000000]\nlayers: [relu]").layers
    assert layer.intensity == pytest.approx(1 / 8)
    assert (layer.bound, layer.seconds) == ("memory", pytest.approx(8e6 / 1e8))


def test_small_layers_take_what_any_operation_takes():
    (layer,) = roofline("name: x\ninput: [10]\nlayers: [relu]").layers
    assert (layer.bound, layer.seconds) == ("overhead", 1e-5)


def test_a_view_moves_nothing():
    flatten, linear = roofline("name: x\ninput: [3, 4, 4]\nlayers: [flatten, {linear: 2}]").layers
    assert (flatten.bytes_read, flatten.bytes_written, flatten.seconds, flatten.intensity) == (0, 0, 0, None)
    assert linear.seconds > 0


def test_totals_are_sums():
    line = roofline("name: x\ninput: [3, 32, 32]\nlayers: [{conv: 64, kernel: 3}, relu, {max_pool: 2}]")
    assert line.total.seconds == pytest.approx(sum(layer.seconds for layer in line.layers))
    assert line.total.flops == sum(layer.flops for layer in line.layers)
    assert [layer.bound for layer in line.layers] == ["compute", "memory", "memory"]
    assert line.total.bound == "memory"  # 3.2 ms of arithmetic; 4.6 ms for the ReLU's 57,600 numbers alone


def test_resnet50_on_an_a100_needs_at_least_its_arithmetic():
    """ResNet-50 has 4.09 G multiply-adds (He et al.: 3.8; torchvision's stride makes 4.09): 26 µs at 312 TFLOP/s."""
    from archcalc.runtime.device_profile import find_profile

    network = archcalc.load("resnet50")
    line = predict(network.analyze(dtype="bfloat16", convention=CONVENTION), find_profile("a100"))
    assert line.total.seconds > 2 * 4.089e9 / 312e12
    assert {layer.bound for layer in line.layers} == {"compute", "memory", "none"}
