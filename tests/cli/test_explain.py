"""`archcalc explain`."""

from __future__ import annotations

import pytest


def test_a_spec_that_fails_is_explained(cli, spec_file):
    """The derivation of the size that came out zero."""
    path = spec_file("name: n\ninput: [3, 2, 2]\nlayers:\n  - {conv: 8, kernel: 3, name: c}\n")
    result = cli("explain", path)
    assert result.code == 2
    assert "c: the kernel spans 3" in result.err or "the kernel spans 3" in result.err
    assert "W' = W − K + 1 = 2 − 3 + 1 = 0" in result.out


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("text", "W' = ⌊(W − K)/S + 1⌋"),
        ("markdown", r"$$W' = \left\lfloor \frac{W - K}{S} + 1 \right\rfloor"),
        ("latex", r"\begin{align*}"),
        ("html", "<li>W&#x27; = ⌊(W − K)/S + 1⌋"),
    ],
)
def test_formats(cli, format, expected):
    result = cli("explain", "alexnet", "pool1", "--quantity", "output", "--format", format)
    assert result.code == 0
    assert expected in result.out


def test_an_unknown_layer_is_an_error_in_words(cli):
    result = cli("explain", "alexnet", "conf1")
    assert result.code == 2
    assert "did you mean 'conv1" in result.err


def test_the_layer_and_every_letter_come_first(cli):
    """Letters that the derivations use are named, others are not."""
    lines = cli("explain", "alexnet", "conv2", "--quantity", "params,rf").out.split("\n\n")[0].splitlines()
    assert lines[0] == "conv2: {conv: 192, kernel: 5, padding: 2} · 64×27×27 → 192×27×27"
    assert "Convolution" in lines[1]
    assert lines[2:] == [
        "  input: C channels, J effective stride, R receptive field size",
        "  output: C' channels, J' effective stride, R' receptive field size",
        "  where: K kernel",
    ]


def test_every_letter_of_every_operator_has_a_meaning():
    """A letter is a symbol of one character, with a number or a prime; a longer name is an argument's own."""
    from archcalc import load
    from archcalc.render.legend import with_legend
    from archcalc.symbolic.derivations import explain
    from archcalc.symbolic.terms import names_in

    seen = set()
    for network in map(load, ("googlenet", "unet", "vit_b_16", "mobilenet_v3_small", "lstm_classifier")):
        for layer in network:
            if layer.op.kind in seen:
                continue
            seen.add(layer.op.kind)
            head, *rest = with_legend(network, layer.name, explain(network, layer.name))
            told = {word.split()[0] for line in head.lines[1:] for word in line.remark.split(", ")}
            used = {name for one in rest for line in one.lines for term in line.terms for name in names_in(term)}
            assert {name for name in used if len(name.rstrip("'0123456789")) == 1} <= told, (layer.name, used - told)


def test_a_network_without_spatial_dimensions_has_no_receptive_field(cli, spec_file):
    path = spec_file("input: [8]\nlayers: [{linear: 4, name: fc}]\n")
    assert "the input has no spatial dimensions" in cli("explain", path, "fc", "--quantity", "rf").out
    assert "The input has no spatial dimensions" in cli("rf", path).out
    assert "rf,rf_global\nfc,,false" in cli("table", path, "--columns", "name,rf", "--format", "csv").out
