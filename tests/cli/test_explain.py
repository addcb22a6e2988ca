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
