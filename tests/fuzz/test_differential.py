"""Random valid specs against PyTorch, fvcore, their formulas and their own exports; and what they found.

`python -m tests.fuzz --examples 20000` runs more of them.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, reject, settings

import archcalc
from archcalc import SpecError
from archcalc.language.language import Spec
from archcalc.language.source import Document
from tests.fuzz.likeness import likeness
from tests.fuzz.properties import check
from tests.fuzz.refusals import applications, check_refused
from tests.fuzz.specs import meanings, replacements, specs

# Four slices, which run at the same time.
SLICES = 4


@pytest.mark.parametrize("slice", range(SLICES))
def test_random_specs(slice):
    @settings(max_examples=200 // SLICES, suppress_health_check=list(HealthCheck))
    @given(specs())
    def run(text):
        check(text)

    run()


def test_words_of_control_mean_what_is_written_out():
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(meanings())
    def run(texts):
        said, meant = texts
        assert likeness(archcalc.loads(said)) == likeness(archcalc.loads(meant)), meant

    run()


def test_a_step_that_replaces_another_is_the_step_in_its_place():
    @settings(max_examples=50, suppress_health_check=list(HealthCheck))
    @given(replacements())
    def run(texts):
        base, extending, meant = texts
        try:
            expected = likeness(archcalc.loads(meant))
        except SpecError:  # turns that all take the same, of which only the last is taken
            reject()
        spec = Spec(Document(extending, "fuzz.yaml"), lambda *_: (Spec(Document(base, "base.yaml"), nothing), None))
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
