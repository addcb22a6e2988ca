"""Random valid specs against PyTorch, fvcore, their formulas and their own exports; and what they found.

`python -m tests.fuzz --examples 20000` runs more of them.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings

import archcalc
from archcalc import SpecError
from archcalc.language.edits import EDITS
from archcalc.language.language import KEYS, Spec
from archcalc.language.source import SpecDocument
from archcalc.language.steps import MODIFIERS, SPECIAL_HEADS
from archcalc.language.variant import ABOUT
from archcalc.ops import registry
from tests.fuzz.likeness import likeness
from tests.fuzz.properties import check
from tests.fuzz.refusals import applications, check_refused
from tests.fuzz.specs import meanings, replacements, specs

# Four slices, which run at the same time.
SLICES = 4
EXAMPLES = 120


@pytest.mark.parametrize("slice", range(SLICES))
def test_random_specs(slice):
    @settings(max_examples=EXAMPLES // SLICES, suppress_health_check=list(HealthCheck))
    @given(specs())
    def run(text):
        check(text)

    run()


@pytest.mark.parametrize("kind", registry())
def test_every_operator_is_drawn(kind):
    @settings(max_examples=2, suppress_health_check=list(HealthCheck))
    @given(specs(kind))
    def run(text):
        assert kind in {layer.op.kind for layer in archcalc.loads(text)}
        check(text)

    run()


# Said of a network for its reader alone, or by how a spec is opened; `replacements` edits a spec.
NOT_DRAWN = {*ABOUT, "variants", "extends", *EDITS}


def test_every_word_of_the_language_is_drawn():
    drawn: set[str] = set()

    @settings(max_examples=250, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(specs())
    def run(text):
        drawn.update(re.findall(r"^[- ]*(\w+):", text, re.MULTILINE))

    run()
    assert {*KEYS, *MODIFIERS, *SPECIAL_HEADS} - drawn == NOT_DRAWN


def test_words_of_control_mean_what_is_written_out():
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(meanings())
    def run(texts):
        said, meant = texts
        assert likeness(archcalc.loads(said)) == likeness(archcalc.loads(meant)), meant

    run()


def test_a_step_that_replaces_another_is_the_step_in_its_place():
    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(replacements())
    def run(texts):
        base, extending, meant = texts
        try:
            expected = likeness(archcalc.loads(meant))
        except SpecError:  # turns that all take the same, of which only the last is taken
            reject()
        spec = Spec(
            SpecDocument(extending, "fuzz.yaml"), lambda *_: (Spec(SpecDocument(base, "base.yaml"), nothing), None)
        )
        assert likeness(spec.network()) == expected, (extending, meant)

    run()


def nothing(*_):
    raise SpecError("nothing to extend")


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(applications())
def test_what_archcalc_refuses_pytorch_refuses_too(application):
    check_refused(application)


# Each was wrong once, and a random spec found it.
AGREE = {
    "adaptive pooling to the input's own size": "input: [4, 6, 6]\nlayers: [{adaptive_avg_pool, size: null}]\n",
    "the same of a sequence, of which PyTorch takes no null": (
        "input: [4, 6]\nlayers: [{adaptive_avg_pool, size: [null]}, {adaptive_max_pool, size: null}]\n"
    ),
    "a smaller map, over symbols": "input: [4, 5, 6]\nlayers: [{upsample, scale: 0.5}]\n",
    "a scale whose product rounds to a whole number": "input: [2, 3, 6]\nlayers: [{upsample: 1/3}]\n",
    "a scale whose product rounds below one": "input: [1, 100]\nlayers: [{upsample: 0.29}]\n",
    "the channels of a vector dropped": "input: [10]\nlayers: [softmax, {dropout, channels: true}]\n",
    "the only number of a sample dropped": "input: [10]\nlayers: [{mean, over: 0}, {dropout, channels: true}]\n",
    "a tied embedding": "input: [5]\nlayers: [{embedding: 4, entries: 9, name: e}, {linear: 9, weight: e}]\n",
    "a weight of three": (
        "input: [4]\nlayers: [{linear: 4, name: a}, {linear: 4, weight: a, name: b}, {linear: 4, weight: b}]\n"
    ),
    "a matrix of one sample that is repeated": (
        "inputs: {a: [1, 5, 6], b: [3, 6, 4]}\nlayers: [{matmul, from: [a, b]}]\n"
    ),
    "windows farther from each other than they are wide": (
        "input: [4, 23, 21]\nlayers: [{layer_scale: 0}, {unfold: 5, stride: 11}, "
        "{fold, kernel: 5, stride: 11, size: [23, 21]}]\n"
    ),
    "a condition after trained weights": (
        "input: [4, 5]\nlayers: [{linear: 5}, {where, from: [linear1, input, input]}]\n"
    ),
    "one tensor of filters for all samples, and an input in another order": (
        "input: [5, 3, 8]\nlayers: [position_embedding, {permute: [2, 0, 1], name: t}, "
        "{parameter: [1, 8, 1, 1], name: f}, {dynamic_conv, from: [t, f]}]\n"
    ),
    "an input of a dynamic convolution without a gradient": (
        "input: [4, 6, 7]\nlayers: [{mean: [1, 2]}, {linear: 32}, {reshape: [4, 2, 2, 2], name: f}, "
        "{dynamic_conv, from: [input, f], groups: 2, padding: 1}]\n"
    ),
    "sides that differ, and repeat the border": (
        "input: [4, 30]\nlayers: [{conv: 2, kernel: 4, padding: same, padding_mode: replicate}]\n"
    ),
    "a group that no output needs": "input: [4, 5]\noutputs: relu1\nlayers: [relu, {g: [tanh, tanh]}]\n",
    "a stand-in with two inputs": (
        "input: [4]\nlayers: [{linear: 3, name: a}, {linear: 2, from: input, name: b}, {opaque: [5], from: [a, b]}]\n"
    ),
    "a number for each sample": "input: [5]\nlayers: [{mean, over: 0}, relu, {scale: 2}]\n",
}

REFUSED = {
    "- {mean: [0, 1]}\n- batch_norm": "batch_norm needs an input with an axis",
    "- {mean: [0, 1]}\n- {group_norm, groups: 1}": "group_norm needs an input with an axis",
    "- {mean: [0, 1]}\n- layer_scale": "axis 0 is not one of 1",
    "- {mean: [0, 1]}\n- class_token": "class_token needs an input with an axis",
    "- {mean: [0, 1]}\n- {prelu, per_channel: true}": "prelu needs an input with an axis",
    "- {layer_scale: 5}": "axis 5 is not one of 4×6",
    "- {hardtanh, low: 1, high: 1}": "low 1 is not below high 1",
    "- {global_avg_pool}\n- instance_norm": "instance_norm needs more than one position",
    "- {reshape: [1, 4, 3, 2]}\n- {avg_pool: 3, padding: 1}": "the kernel, 3, cannot be larger than the input, 2",
    "- {pad: [[-1, 1]], mode: circular}": "circular cannot cut",
    "- {max_pool: 2, dilation: 3, padding: 2}": "padding 2 is more than half the kernel 2",
    "- {reshape: [-2, -12]}": "sizes must be above 0, or -1 once",
    "- {fold, size: [0, 1], kernel: 1, padding: 1}": "sizes must be above 0: 0×1",
    "- {mean: []}": "mean is over one axis or more",
    "- flatten\n- {local_response_norm: 3}": "local_response_norm needs [C, L] or more",
    "- {reshape: [2, 1, 2, 2, 3]}\n- batch_norm": "batch_norm needs at most [C, D, H, W]",
}


@pytest.mark.parametrize("what", AGREE)
def test_what_was_found_agrees_now(what):
    check(AGREE[what])


@pytest.mark.parametrize("steps", REFUSED)
def test_what_pytorch_refuses_is_refused_in_words(steps):
    lines = "".join(f"{line}\n" for line in steps.split("\n"))
    with pytest.raises(SpecError) as caught:
        archcalc.loads(f"input: [4, 6]\nlayers:\n{lines}")
    assert REFUSED[steps] in str(caught.value)
