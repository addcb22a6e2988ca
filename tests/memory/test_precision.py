"""Types by role, recipes, and autocast: against PyTorch on a CPU, and against arithmetic by hand."""

from __future__ import annotations

import pytest
import torch

import archcalc
from archcalc.analysis import Counting, analyze
from archcalc.analysis.precision import RECIPES, parse_precision
from archcalc.errors import SpecError, UserError
from archcalc.memory.inference import peak
from archcalc.memory.summary import memory
from archcalc.memory.training import saved_tensor_bytes, training_peak
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.ops.vocabulary import Autocast
from archcalc.runtime.memory import inference_peak, saved_bytes
from archcalc.runtime.memory import training_peak as measured_peak
from tests.memory.test_memory import subject_of

POLICIES = {
    (torch.float32, torch.bfloat16): [Autocast.WIDEST],
    (torch.bfloat16, torch.bfloat16): [Autocast.LOWER],
    (torch.float32, torch.float32): [Autocast.FLOAT32, Autocast.INSIDE],
}


def in_precision(network: Network, text: str, batch: int = 2):
    return analyze(network, Counting(batch, precision=parse_precision(text)))


COMPUTED = [kind for kind, operator in registry().items() if operator.examples and not operator.numbers_are_given]


@pytest.mark.parametrize("kind", [kind for kind in COMPUTED if not registry()[kind].gives_indices])
def test_autocast_gives_the_type_that_pytorch_gives(kind):
    operator = registry()[kind]
    for inputs, arguments in operator.examples:
        op = operator(inputs, **arguments)
        names = [f"x{number}" for number in range(len(inputs))]
        network = Network("n", dict(zip(names, inputs, strict=True)), (Layer("it", op, tuple(names)),), ("it",))
        module, given = archcalc.build(network), []
        for dtype in (torch.float32, torch.bfloat16):
            tensors = [torch.ones(2, *shape, dtype=torch.long if op.takes_indices else dtype) for shape in inputs]
            with torch.autocast("cpu", torch.bfloat16):
                given.append(module(*tensors).dtype)
        assert op.autocast_policy() in POLICIES[tuple(given)], (kind, arguments)


CAST = {
    "a convolution after another": "input: [4, 9, 9]\nlayers: [{conv: 8, kernel: 3}, relu, {conv: 4, kernel: 3}]",
    "batch normalization between": "input: [4, 9, 9]\nlayers: [{conv: 8, kernel: 3}, batch_norm, {conv: 8, kernel: 3}]",
    "a shortcut in float32": "input: [7, 9]\nlayers: [{add: [[layer_norm, {linear: 9}], []]}, layer_norm, {linear: 4}]",
}


def measured(subject) -> tuple[int, int, int]:
    """Peak of inference, saved tensors and peak of a training step, whose forward pass runs under autocast."""
    forward = subject.module.forward

    def cast(*inputs):
        with torch.autocast("cpu", torch.bfloat16):
            return forward(*inputs)

    subject.module.forward = cast
    inputs = subject.inputs()
    return tuple(measure(subject.module, inputs) for measure in (inference_peak, saved_bytes, measured_peak))


@pytest.mark.parametrize("text", CAST.values(), ids=CAST)
def test_memory_under_autocast_to_the_byte(text):
    """Casts of inputs and weights, and float32 statistics, are tensors too."""
    network = archcalc.loads(text)
    analysis = in_precision(network, "autocast-bfloat16")
    assert (peak(analysis).live_bytes, saved_tensor_bytes(analysis)) == measured(subject_of(network))[:2]


@pytest.mark.parametrize(
    "name", ["alexnet", "resnet18", "mobilenet_v3_small", "vit_b_32", "googlenet", "swin_t", "swin_v2_t"]
)
def test_memory_of_networks_under_autocast(name):
    side = {"alexnet": 227, "googlenet": 75}.get(name, 64)
    network = archcalc.load(name, input=(3, side, side))
    analysis = in_precision(network, "autocast-bfloat16")
    predicted = peak(analysis).live_bytes, saved_tensor_bytes(analysis), training_peak(analysis, "none").live_bytes
    for mine, theirs in zip(predicted, measured(subject_of(network)), strict=True):
        assert mine == pytest.approx(theirs, rel=0.002)


def test_a_4_bit_number_is_half_a_byte():
    """11,689,512 parameters of resnet18, two in a byte."""
    assert archcalc.load("resnet18").analyze(dtype="int4").totals.weight_memory == 5_844_756
    odd = archcalc.loads("input: [3]\nlayers: [{linear: 1, bias: false}]").analyze(dtype="int4")
    assert odd.totals.weight_memory == 2


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        # 256 outputs of 512 inputs, and their biases
        ("w4a16", 256 * 512 // 2 + 256 * 4 * 20 // 8 + 2 * 256),
        ("w8a8", 256 * 512 + 4 * 256 + 2 * 256),
        ("float8", 256 * 512 + 4 * 256 + 2 * 256),
        ("mixed-bfloat16", 2 * (256 * 512 + 256)),
        ("autocast-bfloat16", 4 * (256 * 512 + 256)),
    ],
)
def test_recipes_store_weights_as_they_say(recipe, size):
    network = archcalc.loads("input: [512]\nlayers: [{linear: 256}]")
    assert in_precision(network, recipe).totals.weight_memory == size


def test_scales_of_groups_take_the_published_bits():
    """Frantar et al., GPTQ, 2023, section 4: groups of 128 take about 0.15 bits more for each weight."""
    network = archcalc.loads("input: [4096]\nlayers: [{linear: 4096, bias: false}]")
    assert in_precision(network, "w4a16").totals.weight_memory * 8 / 4096**2 == pytest.approx(4.15, abs=0.01)


def test_qlora_stores_the_frozen_matrices_in_4_bits():
    """Dettmers et al., 2023: 0.127 bits per parameter for scales; the adapters stay in bfloat16."""
    network = archcalc.loads("input: [4096]\nlayers: [{linear: 4096, bias: false, name: it}]")
    adapted = archcalc.add_adapters(network, 8, ["it"])
    found = in_precision(adapted, "qlora").totals.weight_memory
    assert found == 4096**2 * (4 + 8 / 64 + 32 / (64 * 256)) / 8 + 2 * 2 * 8 * 4096


def test_a_step_has_its_own_type():
    network = archcalc.loads(
        "input: [4, 6, 6]\nlayers:\n  - {conv: 8, kernel: 3, bias: false, dtype: int8, name: a}\n"
        "  - body: [{conv: 8, kernel: 1, bias: false, name: b}, relu]\n    dtype: float16\n  - {conv: 2, kernel: 1}\n"
    )
    rows = network.analyze(convention="full").rows
    assert [row.weight_memory for row in rows] == [4 * 8 * 9, 2 * 64, 0, 4 * (16 + 2)]
    assert [row.bytes_written for row in rows] == [128, 2 * 128, 2 * 128, 4 * 32]
    assert rows[1].bytes_read == 128 + 2 * 64
    assert memory(network.analyze()).weights == sum(row.weight_memory for row in rows)


def test_the_master_copy_and_gradients_have_their_types():
    network = archcalc.load("resnet18")
    found = memory(in_precision(network, "mixed-bfloat16-kept"), "training", "adam")
    params = 11_689_512
    assert (found.weights, found.gradients, found.master, found.state) == (
        2 * params,
        4 * params,
        4 * params,
        8 * params,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mixd-float16", "unknown precision 'mixd-float16'"),
        ("weight=int8", "unknown role 'weight'"),
        ("weights=int7", "unknown dtype 'int7'"),
        ("weights=int8,w4a16", "unknown precision 'w4a16'"),
    ],
)
def test_a_precision_that_is_wrong(text, message):
    with pytest.raises(UserError, match=message):
        parse_precision(text)


def test_a_step_with_an_unknown_type():
    with pytest.raises(SpecError, match="unknown dtype 'int9'"):
        archcalc.loads("input: [4]\nlayers: [{linear: 2, dtype: int9}]")


def test_every_recipe_has_a_source():
    assert all(recipe.source and recipe.says for recipe in RECIPES.values())
