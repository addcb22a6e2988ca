"""Memory of inference and of training against the tensors that PyTorch holds, to the byte."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import archcalc
from archcalc.errors import SpecError
from archcalc.language.library import bundled_networks
from archcalc.memory.fusion import IN_PLACE
from archcalc.memory.heap import by_layer
from archcalc.memory.inference import overwrites, peak, timeline
from archcalc.memory.optimizers import OPTIMIZERS
from archcalc.memory.summary import MODES, fit, memory
from archcalc.memory.training import (
    saved_tensor_bytes,
    training_peak,
    training_timeline,
)
from archcalc.runtime.checks import VerificationTarget
from archcalc.runtime.memory import inference_peak, saved_bytes
from archcalc.runtime.memory import training_peak as training_peak_measured
from tests.bundled import spec_at

CPU = torch.device("cpu")
BATCH = 2
QUICK = {
    "alexnet": 227,
    "resnet18": 64,
    "densenet121": 64,
    "mobilenet_v3_small": 64,
    "shufflenet_v2_x0_5": 64,
    "se_resnet50": 64,
    "efficientnet_b0": 64,
    "convnext_tiny": 64,
    "resnet110_sd": 32,
    "googlenet": 75,
    "swin_t": 64,
    "vit_b_32": 64,
}
SIDES = (32, 64, 75, 96, 128, 139, 160)
"""Input sizes of the long test: the first at which the network can be built, else its own."""


pytestmark = pytest.mark.usefixtures("one_thread")


def at_small_size(path, variant):
    """A bundled network for a small input."""
    spec = spec_at(path)
    network = spec.network(variant)
    channels, *sizes = network.inputs["input"]
    for side in SIDES:
        if side < min(sizes):
            try:
                return spec.network(variant, {}, {"input": (channels, side, side)})
            except SpecError:
                continue
    return network


def subject_of(network, dtype: str = "float32", batch: int = BATCH) -> VerificationTarget:
    return VerificationTarget(network, CPU, getattr(torch, dtype), batch)


@pytest.fixture(params=QUICK, scope="module")
def subject(request) -> VerificationTarget:
    """One network, built once for all that is measured of it."""
    side = QUICK[request.param]
    return subject_of(archcalc.load(request.param, input=(3, side, side)))


def test_the_peak_of_inference_is_what_pytorch_holds(subject):
    assert peak(subject.analyze()).live_bytes == inference_peak(subject.module, subject.inputs())


def test_saved_activations_are_what_autograd_saves(subject):
    assert saved_tensor_bytes(subject.analyze()) == saved_bytes(subject.module, subject.inputs())


def test_the_peak_of_a_training_step_is_what_pytorch_holds(subject):
    predicted = training_peak(subject.analyze(), "none").live_bytes
    assert predicted == training_peak_measured(subject.module, subject.inputs())


@pytest.mark.parametrize(
    "text",
    [
        "input: [49, 64]\nlayers: [{add: [[layer_norm, {multi_head_attention: 4}], []], repeat: 2}]",
        "input: [14, 14, 32]\nlayers: [{add: [[layer_norm, {window_attention: 4, window: 7}], []], repeat: 2}]",
    ],
)
def test_attention_beside_a_shortcut(text):
    """The shortcut holds the gradient of the attention's output too, through the attention's whole backward pass."""
    subject = subject_of(archcalc.loads(text))
    predicted = training_peak(subject.analyze(), "none")
    assert predicted.point.layer.startswith(("multi_head", "window"))
    assert predicted.live_bytes == training_peak_measured(subject.module, subject.inputs())


# Bytes of inference, of what autograd saves, and of a training step, for two samples, in PyTorch 2.14.1 and 2.15.
CASES = {
    "weights that are used twice": (
        "input: [512]\nlayers: [{linear: 512, name: fc}, relu, {share: fc, name: again}]",
        (12_288, 8_192, 3_160_064),
    ),
    "keys and values that are one tensor": (
        "inputs: {queries: [100, 256], memory: [850, 256]}\n"
        "layers: [{multi_head_attention: 8, from: [queries, memory, memory]}]",
        (9_113_600, 5_843_200, 13_472_768),
    ),
    "a reshape of what a permute has moved": (
        "input: [3, 48, 48]\nlayers:\n"
        "  - {conv: 64, kernel: 3, padding: 1}\n  - {conv: 256, kernel: 3, padding: 1}\n"
        "  - {reshape: [64, 2, 2, 48, 48]}\n  - {permute: [0, 3, 1, 4, 2]}\n  - {reshape: [64, 96, 96]}\n"
        "  - {conv: 3, kernel: 3, padding: 1}\n",
        (9_492_480, 5_953_536, 11_121_420),
    ),
    "attention that is not fused": (
        "inputs: {q: [4, 2, 64, 8], k: [4, 2, 64, 8], v: [4, 2, 64, 8]}\n"
        "layers: [{scaled_dot_product_attention, from: [q, k, v]}]",
        (655_360, 0, 655_360),
    ),
    "a pool of a difference, in one dimension": (
        "input: [7, 12]\nlayers: [{layer_scale, name: it}, {sub: null, from: [it, it]}, global_max_pool]",
        (2_016, 1_456, 2_800),
    ),
    "window attention whose output's gradient is held elsewhere": (
        "input: [4, 5, 6]\nlayers: [batch_norm, {add: [[{window_attention: 1, window: 2, bias: false}], [softmax]]}]",
        (9_984, 8_480, 12_848),
    ),
    "attention whose queries do not lie in order": (
        "input: [7, 12]\n"
        "layers: [{multi_head_attention: 1, name: q}, {scaled_dot_product_attention, from: [q, q, q]}, {linear: 3}]",
        (4_704, 5_488, 8_668),
    ),
    "a side of a product that needs no gradient": (
        "input: [4, 7, 4]\nlayers: [{mul: [[], {conv: 4, kernel: 1}]}]",
        (2_688, 896, 3_664),
    ),
    "a condition from which no gradient comes": (
        "input: [3]\nlayers: [{where: [[position_embedding], [], []]}, softmax]",
        (78, 0, 78),
    ),
    "a graph that no gradient reaches": (
        "input: [3, 2]\nlayers: [{linear: 1}, {linear: 2}, {relative_position_bias: 2, size: [2]}]",
        (224, 0, 704),
    ),
    "padding of 0 by what is at the edge": (
        "input: [4, 3, 3]\nlayers: [{conv: 4, kernel: 1, padding_mode: reflect}]",
        (864, 288, 1_232),
    ),
    "a matrix that is repeated": (
        "inputs: {a: [1, 2, 6], b: [3, 6, 4]}\nlayers: [{matmul, from: [a, b]}]",
        (1_152, 0, 1_152),
    ),
    "a grid that needs no gradient": (
        "input: [4, 3, 2]\nlayers: [{conv: 3, kernel: 1, name: map}, {grid_sample, from: [map, input]}]",
        (624, 336, 1_248),
    ),
    "the root of an RMS norm that is not saved": (
        "input: [2]\nlayers: [rms_norm]",
        (56, 16, 88),
    ),
    "an RMS norm of rows of one element": (
        "input: [2]\nlayers: [{parameter: [1]}, rms_norm]",
        (40, 16, 84),
    ),
    "windows that are smaller than their map": (
        "input: [4, 3, 3]\nlayers: [{unfold: [3, 2], stride: 4}]",
        (576, 0, 576),
    ),
    "gradients of weights that are tied beside a bias": (
        "input: [5]\nlayers: [{linear: 5, name: fc}, {share: fc, name: again}, {layer_norm, weight: again}]",
        (136, 136, 460),
    ),
    "slices that must be copied": (
        "input: [3, 2, 2]\nlayers: [{permute: [2, 0, 1]}, {each: batch_norm}, {stack: [[], []]}]",
        (384, 120, 720),
    ),
    "integers that are moved": (
        "input: [2]\nlayers: [{range: 2}, concat]",
        (64, 0, 64),
    ),
    "a power of 0": (
        "input: [4, 2]\nlayers: [{linear: 2}, {pow: 0}]",
        (192, 128, 320),
    ),
    "a map of one position by averages": (
        "input: [2, 2]\nlayers: [{linear: 2}, {upsample, size: [1], mode: area}]",
        (80, 32, 120),
    ),
    "a part of a gradient, for filters of each sample": (
        "inputs: {x: [3, 3, 3], f: [2, 3, 3, 3]}\nlayers: [{dynamic_conv, bias: true, from: [x, f]}, class_token]",
        (896, 648, 1_380),
    ),
    "the same input for all samples, with filters of their own": (
        "input: [2]\n"
        "layers: [{relative_position_bias: 2, size: [3], name: x}, {parameter: [2, 1, 3, 3], name: f}, "
        "{dynamic_conv, groups: 2, from: [x, f]}]",
        (3_256, 1_440, 4_464),
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_cases_that_were_wrong(what):
    text, expected = CASES[what]
    subject = subject_of(archcalc.loads(text))
    analysis = subject.analyze()
    said = (
        peak(analysis).live_bytes,
        saved_tensor_bytes(analysis),
        training_peak(analysis, "none").live_bytes,
    )
    assert said == expected
    measures = (inference_peak, saved_bytes, training_peak_measured)
    assert tuple(measure(subject.module, subject.inputs()) for measure in measures) == expected


def test_values_that_are_copied_for_unfused_attention_are_gone_in_its_backward_pass():
    """The source of the copy is then freed."""
    text = (
        "input: [8, 6]\nlayers: [{multi_head_attention: 6}, {reshape: [8, 3, 1, 2], name: r}, "
        "{scaled_dot_product_attention, from: [r, r, r]}]"
    )
    subject = subject_of(archcalc.loads(text))
    predicted = training_peak(subject.analyze(), "none").live_bytes
    assert predicted == training_peak_measured(subject.module, subject.inputs())


def test_what_exists_only_in_training_passes_its_input():
    """The measured network does not have the layer."""
    analysis = archcalc.loads("input: [4]\nlayers: [relu, {dropout: 0.5, train: true}, {linear: 2}]").analyze()
    assert peak(analysis).live_bytes == 4 * (4 + 4 + 2)


@pytest.mark.parametrize("measure", [inference_peak, saved_bytes, training_peak_measured])
def test_what_is_measured_is_freed(measure):
    """Without it, the weights of all measured networks would be held at once."""
    subject = subject_of(archcalc.load("lenet5"))
    weights = subject.module.get_parameter("conv1.weight").detach().numpy()
    subject.module.get_parameter("conv1.weight").data = torch.from_numpy(weights)
    still_there = weakref.ref(weights)
    measure(subject.module, subject.inputs())
    del subject, weights
    gc.collect()  # modules of torch.fx are cycles
    assert still_there() is None


@pytest.mark.slow
@pytest.mark.parametrize(("path", "variant"), bundled_networks(), ids=lambda one: getattr(one, "stem", one))
def test_every_bundled_network(path, variant):
    """Inference, what autograd saves, and a whole training step."""
    gc.collect()  # modules of torch.fx are cycles: a hundred networks' weights would stay
    subject = subject_of(at_small_size(path, variant))
    analysis = subject.analyze()
    assert peak(analysis).live_bytes == inference_peak(subject.module, subject.inputs())
    assert saved_tensor_bytes(analysis) == saved_bytes(subject.module, subject.inputs())
    predicted = training_peak(analysis, "none").live_bytes
    assert predicted == training_peak_measured(subject.module, subject.inputs())


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["resnet18", "vit_b_32", "swin_t"])
def test_in_other_types(name, dtype):
    """Indices stay integers, and sums of attention float32, so that half the bytes is not half of everything."""
    less = {"depth": 2} if name == "vit_b_32" else {}
    subject = subject_of(archcalc.load(name, input=(3, 32, 32), **less), dtype)
    analysis = subject.network.analyze(batch=BATCH, dtype=dtype)
    assert peak(analysis).live_bytes == inference_peak(subject.module, subject.inputs())
    assert saved_tensor_bytes(analysis) == saved_bytes(subject.module, subject.inputs())
    assert memory(analysis).buffers == sum(tensor.nbytes for tensor in subject.module.buffers())
    assert memory(analysis).weights == sum(tensor.nbytes for tensor in subject.module.parameters())


@pytest.mark.parametrize(
    ("name", "side"), [("vgg11", 64), ("densenet121", 32), ("mobilenet_v3_small", 64), ("nasnet_a_large", 96)]
)
def test_activations_in_place(name, side):
    """The layers that can overwrite their input do so in the built module too, and the peak is the same."""
    subject = subject_of(archcalc.load(name, input=(3, side, side)))
    analysis = subject.analyze()
    for layer in overwrites(analysis):
        subject.module.get_submodule(layer).inplace = True
    assert overwrites(analysis)
    assert peak(analysis, IN_PLACE).live_bytes == inference_peak(subject.module, subject.inputs())


def test_in_place_never_overwrites_what_is_needed():
    text = """
input: [4, 8]
layers:
  - {relu, name: given}
  - {conv: 4, kernel: 1, name: a}
  - add: [[{relu, name: twice}], []]
  - {relu, name: last}
"""
    assert overwrites(archcalc.loads(text).analyze()).keys() == {"last"}


def alive(analysis) -> list[str]:
    """The layers whose tensors are live at the peak."""
    return [one.storage.layer for one in peak(analysis).alive]


def test_a_residual_keeps_its_input_alive():
    text = "input: [4, 8]\nlayers:\n  - add: [[{conv: 4, kernel: 1, name: a}, {conv: 4, kernel: 1, name: b}], []]\n"
    analysis = archcalc.loads(text).analyze()
    assert alive(analysis) == ["input", "a", "b"]
    assert [moment.live_bytes for moment in timeline(analysis)] == [256, 384, 384]


def test_views_take_no_memory():
    text = "input: [4, 8]\nlayers: [{conv: 4, kernel: 1, name: a}, {flatten, name: f}, {linear: 2, name: fc}]\n"
    analysis = archcalc.loads(text).analyze()
    assert [moment.live_bytes for moment in timeline(analysis)] == [256, 256, 256 + 8]
    assert alive(analysis) == ["input", "a", "fc"]


OPTIMIZER_CLASSES = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "adam": (torch.optim.Adam, {}),
}


@pytest.mark.parametrize("name", OPTIMIZER_CLASSES)
def test_the_optimizers_state_is_what_pytorch_keeps(name):
    subject = subject_of(archcalc.load("lenet5"))
    result = memory(subject.analyze(), "training", name)
    kind, options = OPTIMIZER_CLASSES[name]
    optimizer = kind(subject.module.parameters(), **options)
    subject.module.train()(*subject.inputs()).sum().backward()
    optimizer.step()
    gradients = sum(parameter.grad.nbytes for parameter in subject.module.parameters())
    tensors = [one for state in optimizer.state.values() for one in state.values() if isinstance(one, torch.Tensor)]
    assert gradients == result.gradients
    assert sum(one.nbytes for one in tensors if one.dim()) == result.state  # Adam's count of steps apart


def test_the_total_of_a_training_step():
    memory = archcalc.load("lenet5").analyze().memory("training", "adam")
    weights = 4 * 61706
    assert (memory.weights, memory.gradients, memory.state) == (weights, weights, 2 * weights)
    assert memory.persistent == 3 * weights


def test_the_forward_pass_grows_and_the_backward_pass_gives_back():
    moments = training_timeline(archcalc.load("resnet18").analyze(batch=8), "none")
    forward = [moment.parts[1] + moment.parts[2] for moment in moments if moment.phase == "forward"]
    backward = [moment.parts[1] + moment.parts[2] for moment in moments if moment.phase == "backward"]
    assert all(later <= earlier for earlier, later in pairwise(backward))
    assert forward[-1] >= max(backward)
    assert backward[-1] == 4 * 8 * 1000  # only the result is left
    assert moments[-1].phase == "update"
    assert moments[-1].parts[5] == 4 * 11_689_512  # the gradients of all weights


@pytest.mark.parametrize("name", ["swin_t", "vit_b_32", "googlenet", "densenet121"])
def test_every_moment_is_the_sum_of_its_parts(name):
    analysis = archcalc.load(name).analyze(batch=4)
    for moments, highest in (
        (timeline(analysis), peak(analysis)),
        (training_timeline(analysis, "adam"), training_peak(analysis, "adam")),
    ):
        assert all(sum(moment.parts) == moment.live_bytes and min(moment.parts) >= 0 for moment in moments)
        assert sum(one.bytes for one in highest.alive) == highest.live_bytes == max(one.live_bytes for one in moments)


def test_moments_of_a_layer_are_joined_by_the_highest():
    analysis = archcalc.load("googlenet").analyze()
    joined = by_layer(timeline(analysis))
    assert [moment.layer for moment in joined] == [row.name for row in analysis.rows]
    assert max(moment.live_bytes for moment in joined) == peak(analysis).live_bytes


@given(
    name=st.sampled_from(["resnet18", "googlenet", "swin_t", "densenet121", "lenet5", "vit_b_32"]),
    mode=st.sampled_from(MODES),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    dtype=st.sampled_from(["float32", "float16"]),
    megabytes=st.integers(1, 100_000),
)
@settings(max_examples=12)
def test_the_largest_batch_fits_and_the_next_does_not(name, mode, optimizer, dtype, megabytes):
    network = archcalc.load(name)
    budget = megabytes * 10**6
    found = fit(network.analyze(dtype=dtype), budget, mode, optimizer)

    def taken(batch: int) -> int:
        return memory(network.analyze(batch=batch, dtype=dtype), mode, optimizer).peak

    assert found.next_bytes == taken(found.batch + 1) > budget
    if found.batch:
        assert found.bytes == taken(found.batch) <= budget


def test_what_stands_may_alone_be_too_much():
    """The update's memory does not depend on the batch, so that no batch is small enough."""
    analysis = archcalc.load("vgg16").analyze()
    assert fit(analysis, 2 * 4 * 138_357_544, "training", "adam").batch == 0


def test_words():
    with pytest.raises(ValueError, match="did you mean 'training"):
        memory(archcalc.load("lenet5").analyze(), "trainin")
    with pytest.raises(ValueError, match="did you mean 'momentum"):
        archcalc.load("lenet5").analyze().memory("training", "momentun")
    with pytest.raises(ValueError, match="for inference"):
        archcalc.load("lenet5").analyze().memory("training", in_place=True)


GPU_BATCH = 128
MORE, WORKSPACE = 1.25, 512 * 2**20
"""How much more than its tensors a GPU's allocator may hand out: it rounds up, and cuDNN takes workspaces."""
LESS = 0.9
"""And how much less: dropout keeps bytes there, and statistics are laid out otherwise."""


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "densenet121", "vgg16"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_inference_on_a_gpu(name, dtype):
    subject = VerificationTarget(archcalc.load(name), torch.device("cuda"), getattr(torch, dtype), GPU_BATCH)
    predicted = peak(subject.network.analyze(batch=GPU_BATCH, dtype=dtype)).live_bytes
    measured = inference_peak(subject.module, subject.inputs())
    assert LESS * predicted <= measured <= MORE * predicted + WORKSPACE


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "densenet121", "vgg16"])
def test_a_training_step_on_a_gpu(name):
    subject = VerificationTarget(archcalc.load(name), torch.device("cuda"), torch.float32, GPU_BATCH)
    predicted = training_peak(subject.analyze(), "none").live_bytes
    measured = training_peak_measured(subject.module, subject.inputs())
    assert LESS * predicted <= measured <= MORE * predicted + WORKSPACE
