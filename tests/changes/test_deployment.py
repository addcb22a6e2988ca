"""Networks for deployment: folded, re-parametrized, pruned and sparse, against timm, PyTorch and published numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

import archcalc
from archcalc.analysis import Counting, analyze
from archcalc.analysis.precision import Precision
from archcalc.analysis.sparsity import parse_sparsity
from archcalc.changes.changes import Changes
from archcalc.changes.pruning import parse_kept
from archcalc.errors import UserError
from archcalc.memory.inference import overwrites
from archcalc.memory.summary import memory


def test_folded_batch_normalization_leaves_a_bias():
    """resnet50: 25,557,032 parameters without 53,120 of batch normalization, with 26,560 biases."""
    folded = archcalc.fold_batch_norm(archcalc.load("resnet50"))
    assert folded.analyze().totals.params == 25_530_472
    assert not any(layer.op.kind == "batch_norm" for layer in folded)
    assert folded.analyze().totals.buffers == 0


def test_a_folded_layer_is_what_pytorch_fuses():
    text = (
        "input: [3, 9, 9]\nlayers: [{conv: 6, kernel: 3, groups: 3, bias: false, name: conv}, {batch_norm, name: bn}]"
    )
    module = archcalc.build(archcalc.loads(text)).eval()
    fused = fuse_conv_bn_eval(module.conv, module.bn)
    folded = archcalc.fold_batch_norm(archcalc.loads(text))
    mine = archcalc.build(folded).eval()
    mine.conv.load_state_dict(fused.state_dict())
    x = torch.randn(2, 3, 9, 9)
    assert torch.allclose(mine(x), module(x), atol=1e-5)
    assert folded.outputs == ("conv",)


@pytest.mark.parametrize(
    "steps",
    [
        "[batch_norm, {conv: 4, kernel: 1}]",  # before, not after
        "[{conv: 4, kernel: 1, name: a}, {batch_norm, name: b}, {add: null, from: [a, b]}]",  # something else takes it
        "[{conv: 3, kernel: 1, name: a}, {batch_norm, name: b}, {share: a}, {batch_norm}]",  # used twice
        "[{conv: 4, kernel: 1}, relu, batch_norm]",  # not next to it
    ],
)
def test_what_cannot_be_folded_stays(steps):
    network = archcalc.loads(f"input: [3, 9, 9]\nlayers: {steps}")
    assert [layer.name for layer in archcalc.fold_batch_norm(network)] == [layer.name for layer in network]


@pytest.mark.parametrize(("name", "params"), [("repvgg_a0", 8_309_384), ("repvgg_a1", 12_789_864)])
def test_re_parametrized_blocks_are_one_convolution(name, params):
    """The parameters of timm's `reparameterize_model`; RepVGG's paper says 8.30 M and 12.78 M (table 3)."""
    network = archcalc.reparametrize(archcalc.load(name))
    assert network.analyze().totals.params == params
    assert sum(1 for layer in network if layer.op.kind == "conv") == 22
    assert archcalc.build(network)(torch.zeros(1, *network.inputs["input"])).shape == (1, 1000)


@pytest.mark.parametrize(
    "branches",
    [
        "[{conv: 4, kernel: 3, padding: 1}, {conv: 4, kernel: 3, padding: 2, dilation: 2}]",
        "[{conv: 4, kernel: 3}, {conv: 4, kernel: 1, padding: [[0, 0], [0, 0]], stride: 1, name: b}, []]",
        "[{conv: 4, kernel: 3, padding: 1}, {conv: 4, kernel: 1, groups: 2}]",
    ],
)
def test_other_sums_stay(branches):
    text = f"input: [4, 9, 9]\nlayers: [{{add: {branches}}}]"
    try:
        network = archcalc.loads(text)
    except archcalc.SpecError:
        return  # the shapes differ already
    assert len(archcalc.reparametrize(network)) == len(network)


VGG = """
input: [3, 32, 32]
params: {cfg: LIST}
layers:
  - for: {c: cfg}
    name: s{i}
    layers:
      - {max_pool: 2, when: c == 'M'}
      - {conv: c, kernel: 3, padding: 1, bias: false, name: conv, when: c != 'M'}
      - {batch_norm, when: c != 'M'}
      - {relu, when: c != 'M'}
  - global_avg_pool
  - flatten
  - {linear: 10}
"""


def test_a_pruned_network_is_the_one_with_fewer_channels(tmp_path):
    """560,242 parameters, which a spec with this list of channels has (counted with PyTorch)."""
    whole = archcalc.loads(VGG.replace("LIST", "[64, 64, 'M', 128, 128, 'M', 256, 'M', 512, 'M', 512]"))
    listed = tmp_path / "channels.txt"
    kept = {"s0": 39, "s1": 64, "s3": 115, "s4": 128, "s6": 200, "s8": 51, "s10": 31}
    listed.write_text("# what each keeps\n" + "".join(f"{name}.conv = {count}\n" for name, count in kept.items()))
    pruned = Changes(prune=(str(listed),)).apply(whole)
    assert pruned.analyze().totals.params == 560_242


def test_a_depthwise_convolution_follows():
    text = (
        "input: [3, 8, 8]\nlayers:\n  - {conv: 8, kernel: 1, name: a}\n"
        "  - {conv: 8, kernel: 3, groups: 8, name: b}\n  - {conv: 4, kernel: 1}\n"
    )
    pruned = archcalc.prune(archcalc.loads(text), {"a": 5})
    assert pruned["b"].output_shape == (5, 6, 6)
    assert pruned["b"].op.groups == 5


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"conv1": 65}, "conv1 has 64 channels, and cannot keep 65"),
        ({"conv9": 3}, "no layer 'conv9' with channels to prune"),
        ({"layer1.0.conv2": 32}, "layer1.0.add1 does not fit the pruned sizes"),
    ],
)
def test_pruning_that_does_not_fit(kept, message):
    with pytest.raises(UserError, match=message):
        archcalc.prune(archcalc.load("resnet18"), kept)


@pytest.mark.parametrize("items", [("conv1=x",), ("conv1=3", "conv1=4"), ("=3",)])
def test_a_list_of_pruned_layers_that_is_wrong(items):
    with pytest.raises(UserError):
        parse_kept(items)


def in_sparsity(name: str, text: str, dtype: str = "float16"):
    from archcalc.structs import replace

    roles = replace(Precision.all(dtype), sparsity=parse_sparsity(text))
    return analyze(archcalc.load(name), Counting(precision=roles)).totals


def test_two_of_four_weights_are_stored_with_two_bits_each():
    """NVIDIA, A100: half of the numbers, and 2 bits for each, 9/16 in 16 bits; other weights stay whole."""
    dense = archcalc.load("resnet18").analyze(dtype="float16").totals
    matrices = 11_689_512 - 9_600 - 1_000
    sparse = in_sparsity("resnet18", "2:4")
    assert sparse.weight_memory == dense.weight_memory - 2 * matrices + matrices + matrices // 8
    assert sparse.macs == dense.macs // 2
    assert sparse.params == dense.params


def test_a_share_of_zeros_is_a_factor():
    dense = archcalc.load("alexnet").analyze().totals
    assert in_sparsity("alexnet", "0.75").macs == dense.macs // 4
    assert parse_sparsity("0.9").kept == Fraction(1, 10)


@pytest.mark.parametrize("text", ["4:2", "0:4", "1.5", "0", "half", "2:2", ".", "0."])
def test_a_sparsity_that_is_wrong(text):
    with pytest.raises(UserError, match="unknown sparsity"):
        parse_sparsity(text)


def test_fused_operators_need_no_output_of_their_own():
    """The convolution's output is the only new tensor of conv, batch_norm, relu; inductor fuses after a pooling too."""
    from archcalc.memory.fusion import FUSIONS

    text = (
        "input: [4, 8, 8]\nlayers:\n  - {conv: 4, kernel: 1, name: a}\n  - {batch_norm, name: b}\n  - {relu, name: c}\n"
        "  - {max_pool: 2, stride: 2, name: p}\n  - {relu, name: d}\n  - add: [[{conv: 4, kernel: 1, name: e}], []]\n"
    )
    analysis = archcalc.loads(text).analyze()
    found = {name: {*overwrites(analysis, fusion)} for name, fusion in FUSIONS.items()}
    assert found == {"onnxruntime": {"b", "c", "add1"}, "inductor": {"b", "c", "d", "add1"}}
    peaks = [memory(analysis, fused=name).live_peak.live_bytes for name in ("", "onnxruntime")]
    # Input, a and b at 1,024 B each; then input and a, the pooled image, and its indices of 8 B.
    assert peaks == [3 * 1024, 2 * 1024 + 256 + 512]


def test_an_unknown_fusion():
    with pytest.raises(UserError, match="unknown fusion 'tvm'"):
        memory(archcalc.load("lenet5").analyze(), fused="tvm")
