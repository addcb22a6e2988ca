"""`archcalc formula`."""

from __future__ import annotations

import pytest


def test_a_piece(cli):
    result = cli("formula", "conv(5, C->C)")
    assert (result.code, result.out) == (0, "params = 25C²\nMACs = 25C²·H·W\n")


def test_python(cli):
    scope: dict = {}
    exec(cli("formula", "resnet50", "--let", "H=32*h", "--let", "width=w", "--format", "python").out, scope)
    # torchvision's own parameter count of resnet50
    assert scope["params"](h=7, w=64) == 25_557_032


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet50"], "the closed form needs a free symbol"),
        (["resnet50", "--let", "H"], "--let takes NAME=EXPRESSION"),
        (["resnet50", "--let", "H=32*"], "invalid expression"),
        (["resnet50", "--let", "H=h", "--of", "parms"], "did you mean 'params"),
        (["conv 3x3 C->C", "--let", "C=3"], "an inline spec has its numbers in its text"),
    ],
)
def test_mistakes_are_said_in_words(cli, arguments, message):
    result = cli("formula", *arguments)
    assert result.code == 2
    assert message in result.err


def test_channels_on_one_side_of_an_arrow_are_not_enough(cli):
    assert "needs the channels on both sides of ->" in cli("formula", "conv 3x3 C->").err
