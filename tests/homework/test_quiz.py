"""Exercises: reproducible, sensible, and right."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.errors import SpecError
from archcalc.homework.exercises.quiz import TRIES, quiz, topic_names
from archcalc.ops.reads import Reads
from archcalc.render.writers import write_document

EVERY = ("conv", "pool", "linear", "norm", "rf", "chain")


@pytest.fixture(scope="module")
def exercises():
    return quiz(7, 120, EVERY)


def test_the_answers_are_those_of_real_modules(exercises):
    """PyTorch's own shapes and parameter counts, on the meta device."""
    torch = pytest.importorskip("torch")
    for exercise in exercises:
        lines = exercise.spec.splitlines()
        for ask in exercise.asks:
            layers = [layer.name for layer in exercise.network.layers]
            until = layers.index(ask.layer) + 1 if ask.layer else len(layers)
            network = archcalc.loads("\n".join(lines[: 3 + until]))
            module = archcalc.build(network).to("meta").eval()
            if ask.quantity == "params":
                assert sum(one.numel() for one in module.parameters()) == ask.answer
            if ask.quantity == "output":
                assert tuple(module(torch.empty(1, *network.inputs["input"], device="meta")).shape[1:]) == ask.answer


def test_receptive_fields_by_the_published_sum(exercises):
    """r = 1 + Σ (k − 1)·Π strides before (Araujo, Norris and Sim, Distill, 2019), dilated kernels written out."""
    for exercise in (one for one in exercises if one.topic == "rf"):
        size, jump = 1, 1
        for layer in exercise.network.layers:
            kernel, stride = layer.op.hyperparameters()["kernel"], layer.op.hyperparameters()["stride"]
            dilation = getattr(layer.op, "dilation", (1,))
            size += (kernel[0] - 1) * dilation[0] * jump
            jump *= stride[0]
        assert exercise.asks[0].answer == size


def test_sizes_divide(exercises):
    """No window is cut off: what torch gives in ceil mode is what it gives without."""
    seen = 0
    for exercise in exercises:
        for layer in exercise.network.layers:
            for axis, look in enumerate(layer.op.access()):
                if isinstance(look, Reads) and (taps := look.taps[0]).last > taps.first:
                    seen += 1
                    padded = layer.op.x[axis] - 2 * taps.first
                    assert (padded - (taps.last - taps.first + 1)) % look.advance == 0
    assert seen > 100


def test_the_key_derives_each_answer(exercises):
    from archcalc.homework.exercises.quiz_document import answer, key_document, quiz_document

    key = key_document(exercises, "t").plain_data()
    for exercise, data in zip(exercises, key["exercises"], strict=True):
        for ask, shown in zip(exercise.asks, data["asks"], strict=True):
            if isinstance(ask.answer, int) and ask.quantity != "rf":
                assert shown["derivation"][-1].replace(" B", "").endswith(answer(ask))
            if ask.quantity == "rf":
                assert any(line.split(" = ")[-1] == str(ask.answer) for line in shown["derivation"][-2:])
    plain = write_document(quiz_document(exercises, "t"), "text")
    assert "=" not in plain
    assert all(
        "answer" not in one for data in quiz_document(exercises, "t").plain_data()["exercises"] for one in data["asks"]
    )


def test_reproducible(cli):
    """A seed gives the same exercises; the first numbers of `random.Random(7).random()` are Python's promise."""
    first = cli("quiz", "--seed", "7", "--count", "12").out
    assert cli("quiz", "--seed", "7", "--count", "12").out == first
    assert cli("quiz", "--seed", "8", "--count", "12").out != first
    assert first.startswith(cli("quiz", "--seed", "7", "--count", "5").out.rstrip("\n"))
    import random

    assert random.Random(7).random() == 0.32383276483316237  # CPython 2.3 to 3.14


def test_without_a_seed_the_title_says_it(cli):
    out = cli("quiz", "--count", "3").out
    seed = out.split("seed ")[1].split()[0]
    assert cli("quiz", "--count", "3", "--seed", seed).out == out


@pytest.mark.parametrize("topic", topic_names())
def test_every_topic(topic):
    for exercise in quiz(1, 5, [topic]):
        assert exercise.topic == topic
        assert exercise.asks
        assert exercise.asks[0].answer


def test_topics_by_their_beginning():
    kinds = {layer.op.category for one in quiz(3, 40, ["pool"]) for layer in one.network.layers}
    assert kinds == {"pooling"}
    assert TRIES >= 1000


@pytest.mark.parametrize(("count", "topics"), [(0, ["conv"]), (10**9, ["conv"]), (1, ["cnv"]), (1, [""]), (1, ["add"])])
def test_refused(count, topics):
    with pytest.raises(SpecError):
        quiz(1, count, topics)


def test_mistakes_on_the_command_line(cli):
    result = cli("quiz", "--topic", "cnv")
    assert result.code == 2
    assert "did you mean 'conv'?" in result.err


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "json", "html"])
def test_formats(cli, format):
    """Exercise and key have the same questions; only the key has numbers for them."""
    plain = cli("quiz", "--seed", "7", "--format", format).out
    key = cli("quiz", "--seed", "7", "--format", format, "--key").out
    assert "9,600" not in plain
    assert "9,600" in key.replace("{,}", ",")
    if format == "latex":
        assert plain.count(r"\begin") == plain.count(r"\end")
        assert key.count(r"\begin") == key.count(r"\end")
