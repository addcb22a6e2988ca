"""Loops, conditions, names and replacements do what they say; each network was read wrongly once."""

from __future__ import annotations

import pytest

import archcalc
from archcalc import SpecError
from archcalc.language.language import Spec
from archcalc.language.library import bundled, open_spec
from archcalc.language.source import SpecDocument
from tests.language.mistakes import mistakes


def layers(text: str) -> dict[str, tuple[int, ...]]:
    """The layers' names with the shapes that they give."""
    return {layer.name: layer.output_shape for layer in archcalc.loads(text)}


def parameters(text: str) -> int:
    return archcalc.loads(text).analyze().totals.params


def replaced(replacement: str) -> archcalc.Network:
    """LeNet with another conv2, and a conv3 that takes whatever that gives."""
    text = f"extends: lenet\nreplace:\n  conv2: {replacement}\n  conv3: {{linear: 7}}\n"
    path, _ = bundled()["lenet"]
    return Spec(SpecDocument(text, "a.yaml"), lambda *_: (open_spec(path), None)).network()


def test_a_replacing_step_keeps_its_repeat():
    """156 of conv1; 16·6·25 + 16 and twice 16·16·25 + 16 of conv2."""
    network = replaced("{conv: 16, kernel: 5, padding: 2, repeat: 3}")
    assert [layer.name for layer in network if layer.op.kind == "conv"] == ["conv1", "conv2.0", "conv2.1", "conv2.2"]
    costs = network.analyze()
    assert sum(costs[name].params for name in ("conv1", "conv2.0", "conv2.1", "conv2.2")) == 156 + 2416 + 2 * 6416


def test_a_replacing_step_keeps_its_when_for_and_from():
    assert [layer.name for layer in replaced("{conv: 16, kernel: 5, when: false}")][:4] == [
        "conv1", "tanh1", "pool1", "tanh2",
    ]  # fmt: skip
    network = replaced("{conv: c, kernel: 1, for: {c: [4, 5]}}")
    assert [network[f"conv2.{turn}"].output_shape[0] for turn in (0, 1)] == [4, 5]
    assert replaced("{add, from: [pool1, pool1]}")["conv2"].inputs == ("pool1", "pool1")


def test_a_loop_is_replaced_whole():
    base = "input: [4]\nlayers: [{linear: 4, name: a, repeat: 3}, {linear: 2, name: b}]\n"
    text = "extends: base.yaml\nreplace: {a: {linear: 9}}\n"
    find = {"base.yaml": Spec(SpecDocument(base, "base.yaml"), lambda *_: None)}
    network = Spec(SpecDocument(text, "a.yaml"), lambda name, _: (find[name], None)).network()
    assert [layer.name for layer in network] == ["a", "b"]


def test_a_turn_of_a_loop_among_branches_is_a_branch():
    """8 + 3·8 + 2·8 channels; 64·8 + 8 and five times 64·8·9 + 8 parameters."""
    text = """
        input: [64, 32, 32]
        layers:
          - concat:
              - {conv: 8, kernel: 1}
              - for: {rate: [2, 4, 6]}
                layers:
                  - {conv: 8, kernel: 3, padding: rate, dilation: rate}
              - {conv: 8, kernel: 3, padding: 1, repeat: 2}
    """
    assert layers(text)["concat1"] == (48, 32, 32)
    assert parameters(text) == 520 + 5 * 4616


@pytest.mark.parametrize(
    ("branch", "channels"), [("{conv: 8, kernel: 1, when: skip}", 8), ("[{conv: 8, kernel: 1, when: skip}]", 16)]
)
def test_a_branch_that_is_left_out_is_not_there_and_one_without_steps_is_the_input(branch, channels):
    text = (
        f"input: [8, 9, 9]\nparams: {{skip: false}}\nlayers: [concat: [{{conv: 8, kernel: 3, padding: 1}}, {branch}]]\n"
    )
    assert layers(text)["concat1"] == (channels, 9, 9)


@pytest.mark.parametrize("kind", ["add", "mul", "concat"])
def test_a_join_of_which_nothing_is_left_says_how_the_input_passes(kind):
    found = mistakes(f"input: [8]\nlayers: [{kind}: [{{relu, when: false}}, {{tanh, repeat: 0}}]]\n")
    assert "when leaves out all but 0\nhelp: write - - {…, when: …}" in found[0].message


def test_what_passes_a_step_that_is_left_out_is_what_its_from_names():
    network = archcalc.loads("""
        input: [4]
        layers:
          - {linear: 4, name: a}
          - {linear: 4, name: b}
          - {relu, from: a, when: false, name: gone}
          - {tanh, name: t}
          - {add, from: [t, b, gone]}
    """)
    assert network["t"].inputs == ("a",)
    assert network["add1"].inputs == ("t", "b", "a")


def test_names_in_a_group_that_is_left_out_mean_what_passed():
    network = archcalc.loads("""
        input: [4]
        layers:
          - {linear: 4, name: a}
          - {layers: [{relu, name: b}, {g: [{relu, name: c}]}], when: false}
          - {add, from: [b, g.c, a]}
    """)
    assert network["add1"].inputs == ("a", "a", "a")


def test_of_alternatives_with_one_name_it_means_the_one_that_is_there():
    text = "input: [4]\nlayers: [{relu, name: x, when: %s}, {tanh, name: x, when: %s}, {sigmoid, from: x}]\n"
    for first in ("true", "false"):
        network = archcalc.loads(text % (first, "true" if first == "false" else "false"))
        assert [layer.name for layer in network] == ["x", "sigmoid1"]
        assert network["sigmoid1"].inputs == ("x",)


def test_when_is_asked_before_from_is_looked_up():
    text = 'input: [4]\nlayers: [{relu, name: "s{i}", from: "s{i - 1}", when: i > 0, repeat: 3}]\n'
    assert [layer.name for layer in archcalc.loads(text)] == ["s1", "s2"]


def test_the_name_of_a_loop_means_what_its_last_turn_gives():
    loops = ["repeat: 4", "for: {k: [1, 2, 3, 4]}", "for: {k: [1, 2]}, repeat: 2"]
    for loop in loops:
        network = archcalc.loads(f"input: [4]\nlayers: [{{relu, name: l, {loop}}}, tanh, {{add, from: [l, tanh1]}}]\n")
        assert network["add1"].inputs == ("l.3", "tanh1")


def test_neither_a_loop_nor_what_is_left_out_can_be_shared():
    text = "input: [4]\nlayers: [{linear: 4, name: l, %s}, {share: l}]\n"
    assert "'l' is a loop\nhelp: share one of its turns: l.0" in mistakes(text % "repeat: 2")[0].message
    assert "'l' is left out, so it has no weights to share" in mistakes(text % "when: false")[0].message


def test_texts_in_lists_are_texts():
    """A pruned VGG: 9·in·out of each convolution, 2·out of each normalization, 31·10 + 10 at the end."""
    text = """
        input: [3, 32, 32]
        params: {cfg: [39, 64, 'M', 115, 128, 'M', 200, 'M', 51, 'M', 31]}
        layers:
          - for: {c: cfg}
            name: s{i}
            layers:
              - {max_pool: 2, when: c == 'M'}
              - {conv: c, kernel: 3, padding: 1, bias: false, when: c != 'M'}
              - {batch_norm, when: c != 'M'}
              - {relu, when: c != 'M'}
          - global_avg_pool
          - flatten
          - {linear: 10}
    """
    assert parameters(text) == 560_242


@pytest.mark.parametrize(
    ("item", "value"), [("'3x3'", "3x3"), ("'a-b'", "a-b"), ("'w'", 5), ('"max(2, w)"', 5), ("'7'", 7)]
)
def test_what_stands_in_quotes_in_a_list_is_an_expression_if_it_can_be_one(item, value):
    network = archcalc.loads(f"input: [4]\nparams: {{w: 5, k: [{item}]}}\nlayers: [relu]\n")
    assert network.parameters["k"] == [value]


def test_a_wrong_share_is_shown_where_it_is_shared():
    text = "input: [3, 8, 8]\nlayers:\n  - {conv: 3, kernel: 5, name: a}\n  - {g: [relu, {share: a}]}\n"
    [found] = mistakes(text)
    assert str(found.place) == "spec.yaml:4:16"
    assert found.message.startswith("'a' does not fit here (line 3): ")


def test_an_input_of_another_rank_is_a_mistake_of_the_option():
    with pytest.raises(SpecError) as caught:
        archcalc.load("alexnet", input=(224,))
    [found] = caught.value.diagnostics
    assert found.place is None
    assert found.message == "the input of alexnet has 3 sizes, 3,227,227; got 1: 224\nhelp: use --input 3,224,224"
