"""Example inputs: by order, by name, as indices; and what is missing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from archcalc.errors import UserError
from archcalc.imports.inputs import GivenInput, example, given_inputs


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(2, 2)

    def forward(self, image, input_ids, mask=None):
        return image


def shapes(*given: tuple[str, tuple[int, ...]], usual=None):
    found = example(Two(), tuple(GivenInput(*one) for one in given), usual or {})
    kinds = {torch.float32: "f", torch.int64: "i"}

    def show(tensor):
        return kinds[tensor.dtype], *tensor.shape

    return [show(one) for one in found.positional], {name: show(one) for name, one in found.named.items()}


@pytest.mark.parametrize(
    "given",
    [
        [("", (3, 8, 8)), ("tokens", (16,))],
        [("", (3, 8, 8)), ("", (16,))],
        [("input_ids", (16,)), ("image", (3, 8, 8))],
        [("", (3, 8, 8)), ("input_ids", (16,))],
    ],
)
def test_in_order_or_by_name(given):
    assert shapes(*given) == ([("f", 1, 3, 8, 8), ("i", 1, 16)], {})


def test_what_is_given_takes_the_place_of_what_is_usual():
    usual = {"image": (3, 8, 8), "input_ids": (128,)}
    assert shapes(usual=usual) == ([("f", 1, 3, 8, 8), ("i", 1, 128)], {})
    assert shapes(("tokens", (7,)), usual=usual) == ([("f", 1, 3, 8, 8), ("i", 1, 7)], {})
    assert shapes(("", (1, 4, 4)), usual=usual) == ([("f", 1, 1, 4, 4), ("i", 1, 128)], {})


def test_an_input_after_one_that_is_left_out_is_given_by_name():
    usual = {"image": (3, 8, 8), "input_ids": (128,)}
    assert shapes(("mask", (4,)), usual=usual)[0][2:] == [("f", 1, 4)]


def test_what_is_missing_is_named():
    with pytest.raises(UserError, match=r"not known\nhelp: give each .*--input image=3,224,224 --input input_ids=128"):
        example(Two(), (), {})
    with pytest.raises(UserError, match="Two needs the input input_ids too"):
        shapes(("image", (3, 8, 8)))
    with pytest.raises(UserError, match=r"Two has no input 'imag'\nhelp: did you mean 'image'\?"):
        shapes(("imag", (3, 8, 8)), ("input_ids", (4,)))
    with pytest.raises(UserError, match="not known\nhelp: give it without the batch: --input 3,224,224 for an image"):
        example(nn.Linear(2, 2), (), {})


def test_the_only_input_may_be_called_input():
    assert example(nn.Linear(2, 2), (GivenInput("input", (2,)),), {}).positional[0].shape == (1, 2)


def test_inputs_of_a_call():
    assert given_inputs((3, 8, 8)) == (("", (3, 8, 8)),)
    assert given_inputs([(3, 8, 8), (5,)]) == (("", (3, 8, 8)), ("", (5,)))
    assert given_inputs({"x": (3,)}) == (("x", (3,)),)
    assert given_inputs(None) == ()


def test_the_type_of_numbers_is_that_of_the_weights():
    assert example(nn.Linear(2, 2).double(), (GivenInput("", (2,)),), {}).positional[0].dtype == torch.float64
