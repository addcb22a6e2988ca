"""The ONNX model gives what the built module gives."""

from __future__ import annotations

import pytest
import torch

import archcalc
from archcalc.runtime.building import build_module


@pytest.mark.parametrize(("name", "size"), [("lenet5", None), ("squeezenet1_1", (3, 64, 64))])
def test_same_outputs(name, size, monkeypatch):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    from archcalc.runtime.export import onnx

    network = archcalc.load(name, input=size)
    module = build_module(network).eval()
    monkeypatch.setattr(onnx, "build_module", lambda _: module)
    session = runtime.InferenceSession(onnx.onnx_model(network, batch=2))
    images = torch.randn(2, *network.inputs["input"])
    (given,) = session.run(["output"], {"input": images.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(given), module(images), rtol=1e-4, atol=1e-5)


def test_any_number_of_samples(monkeypatch):
    """With attention, whose reshapes have the batch in them, and two inputs."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    from archcalc.runtime.export import onnx

    network = archcalc.loads("""
        name: two
        inputs: {a: [5, 8], b: [5, 8]}
        layers:
          - {add, from: [a, b]}
          - {multi_head_attention: 2}
          - flatten
          - linear: 3
    """)
    module = build_module(network).eval()
    monkeypatch.setattr(onnx, "build_module", lambda _: module)
    session = runtime.InferenceSession(onnx.onnx_model(network, batch=None))
    assert [one.shape for one in session.get_inputs()] == [["batch", 5, 8]] * 2
    for samples in (1, 3):
        a, b = torch.randn(2, samples, 5, 8)
        (given,) = session.run(["output"], {"a": a.numpy(), "b": b.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(given), module(a, b), rtol=1e-4, atol=1e-5)


def test_too_large_for_a_file():
    from archcalc.runtime.export import onnx

    pytest.importorskip("onnx")
    network = archcalc.loads("name: big\ninput: [40000]\nlayers: [{linear: 40000}]")
    with pytest.raises(ValueError, match="2 GiB"):
        onnx.onnx_model(network)
