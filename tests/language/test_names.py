"""Names of several steps, of a block's outputs, and of the reference implementation; groups in several parts."""

from __future__ import annotations

import pytest
import torch

import archcalc
from archcalc.language.lint import warnings
from archcalc.runtime import checks
from archcalc.runtime.checks import VerificationTarget, check_reference
from tests.language.mistakes import mistakes

SCALES = """
input: [8, 32, 32]
params: {scales: 3}
outputs: ["scale{range(scales)}", all]
layers:
  - for: {scale: range(scales)}
    layers: [{conv: scale + 1, kernel: 1, name: "scale{scale}"}]
  - {concat, from: %s, name: all}
"""


def test_a_list_in_a_name_is_one_step_for_each_value():
    network = archcalc.loads(SCALES % '"scale{range(scales)}"')
    assert network["all"].inputs == ("scale0", "scale1", "scale2")
    assert network.outputs == ("scale0", "scale1", "scale2", "all")
    network = archcalc.loads(SCALES % '[input, "scale{[2, 0]}", scale1]', scales=4)
    assert network["all"].inputs == ("input", "scale2", "scale0", "scale1")
    assert network.outputs[:-1] == ("scale0", "scale1", "scale2", "scale3")


def test_lists_in_one_name_are_walked_side_by_side():
    text = """
        input: [4]
        layers:
          - g1: [{relu, name: a}, {tanh, name: b}]
          - g2: [{relu, name: a}, {tanh, name: b}]
          - {add, from: "g{[1, 2]}.{['b', 'a']}", name: sum}
    """
    assert archcalc.loads(text)["sum"].inputs == ("g1.b", "g2.a")
    assert "must have the same length" in mistakes(text.replace("[1, 2]", "[1]"))[0].message


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ('"scale{range(0)}"', "from names no step"),
        ('"scale{range(4)}"', "unknown step 'scale3'"),
        ('"scale{range(2000)}"', "a list has at most 1000 values"),
        ("[[input]]", "expected a name"),
        ("{for: 3}", "expected a name"),
    ],
)
def test_lists_of_names_that_cannot_be(names, message):
    assert message in mistakes(SCALES % names)[0].message


# -- outputs of blocks

CELL = """
inputs: {tokens: [4, 10], h: [20], c: [20]}
outputs: [t3.h_next, t3.c_next]
blocks:
  cell:
    inputs: [x, h, c]
    outputs: [h_next, c_next]
    params: {width: h.features}
    layers:
      - {linear: 4 * width, from: x, name: ih}
      - {linear: 4 * width, from: h, name: hh}
      - {add, from: [ih, hh], name: gates}
      - for: {gate: range(4), name: "['i', 'f', 'g', 'o']"}
        layers:
          - {chunk: 4, index: gate, axis: 0, from: gates}
          - {use: "'tanh' if name == 'g' else 'sigmoid'", name: "{name}"}
      - {mul, from: [f, c], name: kept}
      - {mul, from: [i, g], name: new}
      - {add, from: [kept, new], name: c_next}
      - {tanh, name: squashed}
      - {mul, from: [o, squashed], name: h_next}
layers:
  - for: {t: range(4)}
    layers:
      - {slice, axis: 0, start: t, stop: t + 1, from: tokens}
      - {reshape: [10], name: "x{t}"}
      - {cell, from: [x0, h, c], name: t0, when: t == 0}
      - {share: t0, from: ["x{t}", "t{t - 1}.h_next", "t{t - 1}.c_next"], name: "t{t}", when: t > 0}
"""


def test_an_lstm_cell_written_out_is_pytorchs():
    network = archcalc.loads(CELL)
    cell = torch.nn.LSTMCell(10, 20)
    assert network.analyze().totals.params == sum(weight.numel() for weight in cell.parameters())
    assert warnings(network) == []
    module = archcalc.build(network)
    state = {f"t0.{key.partition('_')[2]}.{key.partition('_')[0]}": value for key, value in cell.state_dict().items()}
    module.load_state_dict(state, strict=True)
    tokens, h, c = torch.randn(2, 4, 10), torch.randn(2, 20), torch.randn(2, 20)
    given = module(tokens, h, c)
    for step in range(4):
        h, c = cell(tokens[:, step], (h, c))
    torch.testing.assert_close(given, (h, c))


def test_the_next_step_takes_the_first_output_of_a_block():
    text = (
        "input: [4]\nblocks: {two: {outputs: [b, a], layers: [{linear: 3, name: a}, {linear: 5, name: b},"
        " {linear: 7, name: c}]}}\nlayers: [two, {linear: 1, name: last}, {linear: 2, from: two1.a}, {two, name: t}]\n"
    )
    network = archcalc.loads(text)
    assert network["last"].inputs == ("two1.b",)
    assert network["linear1"].inputs == ("two1.a",)
    assert network.outputs == ("t.b",)
    assert [layer.name for layer in network.unused] == ["two1.c", "last", "t.c"]
    assert "unknown step 'd'" in mistakes(text.replace("[b, a]", "[b, d]"))[0].message
    assert "expected a list of names" in mistakes(text.replace("[b, a]", "[]"))[0].message


# -- layers that nothing takes

NEEDLESS = """
input: [8, 16, 16]
layers:
  - {conv: 8, kernel: 3, padding: 1, name: a}
  - {conv: 8, kernel: 3, padding: 1, name: needless}
  - {relu, name: end}
  - {conv: 8, kernel: 3, padding: 1, name: b, from: a}
"""


def test_a_layer_that_nothing_takes_is_a_warning():
    network = archcalc.loads(NEEDLESS)
    [warning] = warnings(network)
    assert (warning.is_warning, warning.message.partition("\n")[0]) == (True, "nothing takes the output of end")
    assert warning.place.line == 5
    assert network.needless == {"needless", "end"}


def test_it_runs_forward_and_not_backward():
    """A convolution is 8·16·16·8·9 = 147,456; the network's input needs no gradient."""
    analysis = archcalc.loads(NEEDLESS).analyze(convention="torch")
    assert [row.backward_macs for row in analysis.rows] == [147_456, 0, 0, 2 * 147_456]
    assert analysis.totals.macs == 3 * 147_456
    assert archcalc.loads(NEEDLESS).analyze(convention="fvcore").totals.flops == 2 * 147_456


# -- groups in several parts, and names of the reference

RES2 = """
input: [32, 14, 14]
layers:
  - for: {s: range(3)}
    layers:
      - {slice, start: 8 * s, stop: 8 * s + 8, from: input, name: "part{s}"}
      - {add, from: ["part{s}", "out{s - 1}"], when: s > 0}
      - convs: [{conv: 8, kernel: 3, padding: 1, bias: false}]
        numbered: true
      - bns: [batch_norm]
        numbered: true
      - {relu, name: "out{s}"}
"""


def test_a_group_is_taken_up_again():
    network = archcalc.loads(RES2)
    assert [layer.name for layer in network if layer.op.weights()] == [
        "convs.0", "bns.0", "convs.1", "bns.1", "convs.2", "bns.2",
    ]  # fmt: skip
    state = archcalc.build(network).state_dict()
    assert [key for key in state if key.startswith("convs")] == [f"convs.{turn}.weight" for turn in range(3)]


def test_what_a_group_in_parts_cannot_be():
    text = "input: [4]\nlayers: [{g: [{linear: 4, name: a}]}, relu, {g: [{linear: 4, name: %s}]}, %s]\n"
    assert "duplicate name 'g.a'" in mistakes(text % ("a", "relu"))[0].message
    assert "'g' is in several parts\nhelp: share its steps" in mistakes(text % ("b", "{share: g}"))[0].message
    assert archcalc.loads(text % ("b", "{share: g.a, name: c}"))["c"].shares == "g.a"
    assert "duplicate name 'g'" in mistakes(text % ("b", "{relu, name: g}"))[0].message


class Reference(torch.nn.Module):
    """A network with names of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = torch.nn.ModuleList([torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()) for _ in "ab"])
        self.classifier = torch.nn.Linear(4, 2)

    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return self.classifier(x)


RENAMED = """
input: [4]
reference: torchvision:any
rename: {body.*.lin: stages.*.0, head: classifier}
layers:
  - body: [{name: "0", layers: [{linear: 4, name: lin}, relu]}, {name: "1", layers: [{linear: 4, name: lin}, relu]}]
  - {linear: 2, name: head}
"""


def test_verify_compares_by_the_references_names(monkeypatch):
    monkeypatch.setattr(checks, "reference_module", lambda name: Reference())
    cpu = torch.device("cpu")
    check = check_reference(VerificationTarget(archcalc.loads(RENAMED), cpu, torch.float32, 1))
    assert (check.passed, check.detail) == (True, "")
    check = check_reference(
        VerificationTarget(archcalc.loads(RENAMED.replace(", head: classifier", "")), cpu, torch.float32, 1)
    )
    assert not check.passed
    assert "head.weight: archcalc (2, 4), torchvision:any has none" in check.detail


@pytest.mark.parametrize(
    ("given", "name"),
    [("body.1.lin.bias", "stages.1.0.bias"), ("head", "classifier"), ("body.1", "body.1"), ("input", "input")],
)
def test_names_of_the_reference(given, name):
    assert archcalc.loads(RENAMED).reference_name(given) == name


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ("{haed: a}", "unknown step 'haed' in rename\nhelp: did you mean 'head'?"),
        ("{body.*.*.*.*: a}", "unknown step 'body.*.*.*.*' in rename"),
        ("{head: a.*}", "'a.*' has more * than 'head'"),
        ("{head: [a]}", "expected a name"),
        ("[head]", "expected names and the reference's names after rename"),
        (f"{{{', '.join(f'a{number}.*: b' for number in range(101))}}}", "at most 100 names with *, got 101"),
    ],
)
def test_what_cannot_be_renamed(rename, message):
    text = RENAMED.replace("{body.*.lin: stages.*.0, head: classifier}", rename)
    assert message in mistakes(text)[0].message


def test_names_without_any_are_as_many_as_one_likes():
    names = [f"layer{number}" for number in range(300)]
    layers = ", ".join(f"{{relu, name: {name}}}" for name in names)
    renames = ", ".join(f"{name}: act{name[5:]}" for name in names)
    network = archcalc.loads(f"input: [3]\nrename: {{{renames}}}\nlayers: [{layers}]")
    assert network.reference_name("layer299.weight") == "act299.weight"


def test_an_opaque_step_is_read_with_any_spelling_of_a_number():
    text = "input: [3, 8, 8]\nlayers: [{opaque: [64, 56, 56], params: 1000, macs: %s, name: magic}]\n"
    for spelled in ("5e6", "5.0e6", "5000000", "5 * 10**6"):
        network = archcalc.loads(text % spelled)
        assert (network.analyze().totals.macs, network["magic"].output_shape) == (5_000_000, (64, 56, 56))
        assert warnings(network) == []


def test_a_block_with_the_name_of_an_operator_is_one_mistake():
    """At its name; its uses are read as those of a block."""
    text = "input: [1, 8, 8]\nblocks:\n  stack:\n    params: {c: required}\n    layers: [{conv: c, kernel: 3}]\n"
    (only,) = mistakes(f"{text}layers: [{{stack: 4}}, {{stack: 8, name: last}}, {{conv: 1, kernel: 1, from: last}}]")
    assert only.message.startswith("the block stack has the name of an operator")
    assert (only.place.line, only.place.column) == (2, 2)  # from 0
