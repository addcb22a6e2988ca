"""The words that fit at the cursor, in texts that are not finished."""

from __future__ import annotations

import pytest

from archcalc.serve.completion import complete

HEAD = "input: [3, 32, 32]\nparams:\n  width: 8\nblocks:\n  unit:\n    layers: [relu]\nlayers:\n"


def words(text):
    """Return the proposals at the mark |."""
    before = text.partition("|")[0]
    line = before.count("\n")
    return {word.text: word for word in complete(text.replace("|", ""), line, len(before) - before.rfind("\n") - 1)}


def test_a_spec_begins_with_its_keys():
    assert {"name", "input", "params", "layers", "extends"} <= set(words("in|"))
    assert "conv" not in words("in|")


@pytest.mark.parametrize("text", ["  - |", "  - co|", "  - {co|", "  - add:\n      - - co|", "  - relu\n  - co|"])
def test_a_step_begins_with_an_operator_or_a_block(text):
    found = words(HEAD + text)
    assert (found["conv"].kind, found["unit"].kind) == ("operator", "block")
    assert "kernel" not in found


@pytest.mark.parametrize(
    "text", ["  - {conv: 8, ke|", "  - conv: 8\n    ke|", "  - {relu}\n  - {conv: 8, stride: 2, |}"]
)
def test_an_operator_has_its_arguments(text):
    found = words(HEAD + text)
    assert found["kernel"].kind == "argument"
    assert found["kernel"].says
    assert "repeat" in found
    assert "conv" not in found
    assert ("stride" in found) == ("stride: 2" not in text)


def test_the_default_of_an_argument_is_said():
    assert "Default: 1." in words(HEAD + "  - {conv: 8, |")["stride"].says


def test_an_argument_has_its_values_and_the_parameters():
    assert {"true", "false", "width"} <= set(words(HEAD + "  - {conv: 8, bias: |"))
    assert "reflect" in words(HEAD + "  - {conv: 8, padding_mode: re|")


@pytest.mark.parametrize("text", ["", "\0", "layers:\n  -", "}{", "a: [" * 500, "\n" * 50, "- " * 300, "{" * 3000])
def test_any_text_has_an_answer(text):
    for line in range(text.count("\n") + 3):
        for column in (0, 1, 5, 10_000):
            complete(text, line, column)
