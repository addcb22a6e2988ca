"""A spec that extends another: what it appends, inserts, removes and replaces."""

from __future__ import annotations

import pytest

import archcalc
from archcalc import SpecError
from archcalc.language.language import Spec
from archcalc.language.source import SpecDocument

BASE = """
input: [8]
params: {width: 4, more: true}
blocks: {pair: {params: {out: 4}, layers: [{linear: out, name: one}, {relu, name: act}, {linear: out, name: two}]}}
layers:
  - {linear: width, name: first}
  - relu
  - {pair: width, repeat: 2, name: pairs}
  - {linear: 3, name: head}
"""


def edited(*texts: str, variant: str | None = None, **settings) -> archcalc.Network:
    """The network of the last text, each of which extends the one before it; the first extends `BASE`."""
    spec = Spec(SpecDocument(BASE, "base.yaml"), lambda *_: None)
    for text in texts:
        document = SpecDocument("extends: base.yaml\n" + text, "edited.yaml")
        spec = Spec(document, lambda name, _, before=spec: (before, None))
    return spec.network(variant, settings)


def names(*texts: str) -> list[str]:
    return [layer.name for layer in edited(*texts)]


PLAIN = ["first", "relu1"]
PAIRS = [f"pairs.{turn}.{name}" for turn in range(2) for name in ("one", "act", "two")]


def test_steps_are_appended_and_the_edits_of_each_spec_follow_those_before():
    network = edited("append: [softmax]\n", "append: [{linear: 2, name: last}]\n")
    assert [layer.name for layer in network] == [*PLAIN, *PAIRS, "head", "softmax1", "last"]
    assert network["last"].op.x == (3,)


def test_steps_are_inserted_where_what_follows_takes_them():
    network = edited("insert: {after: first, steps: [batch_norm, {linear: 5, name: wide}]}\n")
    assert [layer.name for layer in network][:4] == ["first", "first_batch_norm1", "wide", "relu1"]
    assert network["relu1"].inputs == ("wide",)
    network = edited("insert: [{before: head, steps: [dropout, relu]}]\n")
    assert [layer.name for layer in network][-3:] == ["head_dropout1", "head_relu1", "head"]
    assert network["head"].inputs == ("head_relu1",)


def test_inside_blocks_and_around_loops():
    network = edited(
        "insert: [{after: pairs.1.act, steps: [{linear: 2 * out, name: inner}]},"
        " {before: pairs, steps: [{tanh, name: before}]}, {after: pairs, steps: [tanh]}]\n"
    )
    assert [layer.name for layer in network] == [
        *PLAIN, "before", *PAIRS[:5], "pairs.1.inner", PAIRS[5], "pairs_tanh1", "head",
    ]  # fmt: skip
    assert network["pairs.1.two"].op.x == (8,)


def test_what_is_removed_leaves_its_input():
    network = edited("remove: [relu1, pairs]\n")
    assert [layer.name for layer in network] == ["first", "head"]
    assert network["head"].inputs == ("first",)
    assert names("remove: pairs.0.act\n") == [*PLAIN, *(name for name in PAIRS if name != "pairs.0.act"), "head"]


def test_edits_of_several_specs_apply_one_after_another():
    """Each next to the step itself, as if the spec before were written out."""
    once = "insert: [{after: first, steps: [{tanh, name: a}]}, {before: head, steps: [{tanh, name: b}]}]\n"
    twice = "insert: [{after: first, steps: [{tanh, name: c}]}, {before: head, steps: [{tanh, name: d}]}]\n"
    assert names(once, twice) == ["first", "c", "a", "relu1", *PAIRS, "b", "d", "head"]
    assert names(once, "insert: {after: a, steps: [{relu, name: e}]}\nremove: b\n")[:4] == ["first", "a", "e", "relu1"]


def test_a_replaced_step_has_what_is_inserted_beside_it():
    network = edited("replace: {head: {linear: 9}}\ninsert: [{after: head, steps: [softmax]}]\n")
    assert [layer.name for layer in network][-2:] == ["head", "head_softmax1"]
    assert network["head_softmax1"].output_shape == (9,)


def test_variants_of_a_network_of_another_file():
    text = "variants: {small: {width: 2}, plain: {more: false}}\ninsert: {after: first, steps: [{tanh, when: more}]}\n"
    assert edited(text, variant="small")["first"].output_shape == (2,)
    assert "first_tanh1" in names(text)
    assert "first_tanh1" not in [layer.name for layer in edited(text, variant="plain")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("insert: {after: frist, steps: [relu]}", "unknown step 'frist' in insert\nhelp: did you mean 'first'?"),
        ("remove: [frist]", "unknown step 'frist' in remove"),
        ("insert: {steps: [relu]}", "expected a place and steps\nhelp: write {after: conv1, steps: [relu]}"),
        ("insert: {after: first, before: head, steps: [relu]}", "expected a place and steps"),
        ("insert: [relu]", "expected a place and steps"),
        ("insert: {after: first, steps: relu}", "expected a list of steps"),
        ("insert: {after: first, steps: [rleu]}", "unknown operator or block 'rleu'\nhelp: did you mean 'relu'?"),
        ("insert: {after: first, steps: [{relu, name: head}]}", "duplicate name 'head'"),
        ("insert: [{after: first, steps: [relu]}, relu]", "expected a place and steps"),
        ("append: relu", "expected a list of steps"),
        ("remove: {a: 1}", "expected a name"),
        ("layers: [relu]", "help: change steps with append, insert, remove or replace"),
    ],
)
def test_what_cannot_be_edited_is_said(text, message):
    with pytest.raises(SpecError) as caught:
        edited(text + "\n")
    assert message in caught.value.diagnostics[0].message


def test_a_step_with_from_takes_nothing_before_it():
    with pytest.raises(SpecError, match="'again' takes what its from names"):
        edited("append: [{linear: 3, from: first, name: again}]\n", "insert: {before: again, steps: [relu]}\n")


@pytest.mark.parametrize(
    "key", ["append: [relu]", "insert: {after: a, steps: [relu]}", "remove: a", "replace: {a: relu}"]
)
def test_edits_need_a_spec_to_edit(key):
    with pytest.raises(SpecError, match=f"{key.partition(':')[0]} needs extends"):
        archcalc.loads(f"input: [4]\nlayers: [{{relu, name: a}}]\n{key}\n")
