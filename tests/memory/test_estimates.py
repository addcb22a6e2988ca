"""Networks with layers that do not model their memory: an estimate that says so wherever it is given."""

import json

import pytest

import archcalc
from archcalc.quantities.table import FACTS
from tests.command_line import run

SPEC = """
name: net
input: [6, 8]
layers:
- {linear: 4, name: before}
- {generic: [6, 5], operation: cumsum, other: 30, name: odd}
- {linear: 3, name: after}
"""
NOTE = "Estimated: memory of generic is not modelled (layer odd)"


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return str(path)


def test_a_layer_is_taken_to_save_its_inputs_and_its_output():
    """By hand: `before` saves the input, `odd` its input and its output, `after` the output of `odd` again."""
    analysis = archcalc.loads(SPEC).analyze(batch=2)
    memory = analysis.memory("training", "sgd")
    assert memory.saved == 4 * 2 * 6 * (8 + 4 + 5)
    assert memory.estimated == ("odd",)


def test_at_inference_it_makes_an_output():
    """By hand: the input, which the caller holds, and at most the inputs and outputs of two neighbors."""
    memory = archcalc.loads(SPEC).analyze().memory()
    assert memory.live_peak.live_bytes == 4 * 6 * (8 + 4 + 5)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--mode", "training"],
        ["--fit", "1GiB"],
        ["--fit", "1GiB", "--batch", "4", "--mode", "training"],
        ["--checkpoint", "1GiB"],
    ],
)
def test_every_answer_says_it(spec, words):
    shown = run("memory", spec, *words)
    assert NOTE in " ".join(shown.out.split())
    data = run("memory", spec, *words, "--format", "json")
    assert json.loads(data.out)["estimated"] == ["odd"]


def test_a_network_without_such_layers_says_nothing():
    assert "stimated" not in run("memory", "lenet5").out
    assert json.loads(run("memory", "lenet5", "--format", "json").out)["estimated"] == []


@pytest.mark.parametrize("fact", [key for key, quantity in FACTS.items() if quantity.is_simulated])
def test_a_budget_marks_what_is_checked_against_an_estimate(spec, fact):
    """The mark is in the text, in every kind of data, and in the list of names; what is exact has none."""
    value = FACTS[fact].of_network(archcalc.loads(SPEC).analyze())
    words = ["budget", spec, f"{fact} <= {value}", "params <= 1"]
    text = run(*words).out
    checked, exact = (line for line in text.splitlines() if "<=" in line)
    assert checked.split()[:2] == ["ok", "estimated"]
    assert f"{fact} ≈ {value:,}" in checked
    assert "estimated" not in exact
    assert "≈" not in exact
    assert NOTE in " ".join(text.split())
    data = json.loads(run(*words, "--format", "json").out)["networks"][0]["assertions"]
    assert [outcome["estimated"] for outcome in data] == [True, False]
    junit = run(*words, "--format", "junit").out
    assert f"<system-out>estimated: {fact} ≈ {value:,}</system-out>" in junit
    assert junit.count("estimated") == 1
    (listed,) = (line for line in run("budget", spec).out.splitlines() if line.startswith(f"{fact} "))
    assert f"≈ {value:,}" in listed
    assert fact in json.loads(run("budget", spec, "--format", "json").out)["networks"][0]["estimated"]


def test_a_budget_of_modelled_layers_has_no_mark():
    assert "stimated" not in run("budget", "lenet5", "training_memory <= 10 * MB").out
    assert json.loads(run("budget", "lenet5", "--format", "json").out)["networks"][0]["estimated"] == []


@pytest.mark.parametrize("words", [["sweep", "--over", "width=1,2"], ["formula", "--let", "width=w"]])
def test_numbers_without_a_place_for_the_mark_are_refused(tmp_path, words):
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace("input:", "params: {width: 4}\ninput:").replace("linear: 4", "linear: width"))
    found = run(words[0], str(path), *words[1:], "--of", "params,training_memory")
    assert found.code == 2
    assert "memory of generic is not modelled (layer odd), only estimated" in found.err
    assert "archcalc budget give" in " ".join(found.err.split())


def test_an_explanation_of_an_estimate_says_it(spec):
    found = run("explain", spec, "--quantity", "training_memory,weight_memory").out
    training, weights = found.split("\n\n")
    assert "training step with Adam, estimated" in training
    assert NOTE in " ".join(training.split())
    assert "stimated" not in weights
