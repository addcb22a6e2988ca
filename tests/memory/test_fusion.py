"""Fused operators: what archcalc assumes of a runtime is what the runtime does."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

import archcalc
from archcalc.memory.fusion import FUSIONS
from archcalc.memory.inference import overwrites
from archcalc.memory.summary import memory
from archcalc.ops import registry

FUNCTIONS = sorted(
    {kind for kind, op in registry().items() if op.category == "activation"} - {"glu", "swiglu", "scale"}
)
"""Every function that keeps the shape and needs no argument."""
HEAD = "name: n\ninput: [8, 16, 16]\nlayers:\n"


def branches(layer: str, functions: list[str]) -> str:
    """A spec in which a layer is before each of the functions, named after it."""
    steps = "".join(f"      - [{{{layer}, name: {function}_before}}, {function}]\n" for function in functions)
    return f"  - concat:\n{steps}"


def taken(network: archcalc.Network, runtime: str) -> set[str]:
    """The layers that archcalc assumes to be part of a kernel."""
    return set(overwrites(network.analyze(), FUSIONS[runtime]))


def optimized(network: archcalc.Network, folder: Path, level: str):
    """The nodes of the graph that ONNX Runtime runs."""
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    from archcalc.runtime.export.onnx import onnx_model

    (folder / "net.onnx").write_bytes(onnx_model(network))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(folder / "net.onnx"), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimized.onnx").graph.node


@pytest.mark.parametrize("layer", ["conv: 8, kernel: 3, padding: 1", "linear: 8"])
def test_onnxruntime_fuses_these_functions(layer, tmp_path):
    head = HEAD if layer.startswith("conv") else "name: n\ninput: [64]\nlayers:\n"
    network = archcalc.loads(head + branches(layer, FUNCTIONS))
    nodes = optimized(network, tmp_path, "ORT_ENABLE_EXTENDED")
    fused = {node.input[1].partition("_before")[0] for node in nodes if node.op_type in ("FusedConv", "FusedGemm")}
    assert len(fused) > 4
    assert {network[name].op.kind for name in taken(network, "onnxruntime")} == fused


def test_onnxruntime_computes_a_block_in_two_kernels(tmp_path):
    """Normalizations, the sum and the functions of a residual block are in its convolutions, by default on x86-64."""
    unit = "{conv: 16, kernel: 3, padding: 1}, {batch_norm}"
    network = archcalc.loads(
        "name: n\ninput: [3, 16, 16]\nlayers:\n  - {conv: 16, kernel: 3, padding: 1}\n  - relu\n"
        f"  - add:\n      - [{unit}, relu, {unit}]\n      - []\n  - relu\n  - {{max_pool: 2}}\n"
    )
    assert taken(network, "onnxruntime") == {"relu1", "batch_norm1", "relu2", "batch_norm2", "add1", "relu3"}
    if platform.machine() in ("x86_64", "AMD64"):
        kinds = [node.op_type for node in optimized(network, tmp_path, "ORT_ENABLE_ALL")]
        assert kinds == ["Conv", "Conv", "Conv", "MaxPool", "ReorderOutput"]


def test_onnxruntime_keeps_what_it_does_not_fuse():
    steps = "  - {conv: 8, kernel: 3, padding: 1}\n  - relu\n  - batch_norm\n  - relu\n  - {max_pool: 1}\n  - relu\n"
    assert taken(archcalc.loads(HEAD + steps), "onnxruntime") == {"relu1"}
    tokens = "name: n\ninput: [16, 64]\nlayers: [{linear: 64}, relu]\n"  # a reshape is between them
    assert taken(archcalc.loads(tokens), "onnxruntime") == set()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler")
@pytest.mark.parametrize(
    ("step", "is_taken"), [("gelu", True), ("tanh", True), ("layer_norm", True), ("softmax", False)]
)
def test_inductor_writes_over_what_it_fuses(step, is_taken):
    """Its source reuses the buffer of the matrix product, or makes another one."""
    torch = pytest.importorskip("torch")
    from torch._inductor.utils import run_and_get_code

    network = archcalc.loads(f"name: n\ninput: [16, 64]\nlayers: [{{linear: 64}}, {step}]\n")
    with torch.no_grad():
        _, sources = run_and_get_code(torch.compile(archcalc.build(network).eval()), torch.randn(1, 16, 64))
    assert ("del buf0  # reuse" in sources[0]) is is_taken
    assert bool(taken(network, "inductor")) is is_taken


def test_fused_memory_is_a_tensor_less():
    """resnet18 at 224: at its peak without fusion, the input, and the outputs of conv1 and of bn1 are live."""
    analysis = archcalc.load("resnet18").analyze()
    image, maps = 3 * 224 * 224 * 4, 64 * 112 * 112 * 4
    assert memory(analysis).live_peak.live_bytes == image + 2 * maps
    assert memory(analysis, fused="onnxruntime").live_peak.live_bytes < image + 2 * maps
