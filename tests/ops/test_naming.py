"""What the axes of an operator's output are."""

from __future__ import annotations

import pytest

from archcalc.ops import registry
from archcalc.ops.arguments import BadArgument
from archcalc.ops.naming import LETTERS, letters_of, reshaped, usual_names

CASES = [(kind, example) for kind, operator in registry().items() for example in operator.examples]
MAP = ("channels", "height", "width")
SEQUENCE = ("tokens", "features")


def names_after(kind, *inputs, names, **arguments):
    return registry()[kind](inputs, **arguments).axis_names(names)


@pytest.mark.parametrize(("kind", "example"), CASES, ids=[f"{kind}-{at}" for at, (kind, _) in enumerate(CASES)])
def test_every_operator_names_every_axis_of_its_output(kind, example):
    op = registry()[kind](example.inputs, **example.arguments)
    expected = op.expected_axes()
    assert len(expected) in (0, len(op.x))
    given = [usual_names(len(shape)) for shape in op.inputs]
    for inputs in (given, [expected or given[0], *given[1:]]):
        names = op.axis_names(inputs)
        assert len(names) == len(op.output)
        assert set(names) <= {*LETTERS, ""}


@pytest.mark.parametrize(
    ("kind", "inputs", "names", "arguments", "expected"),
    [
        ("conv", [(3, 8, 8)], [MAP], {"channels": 5, "kernel": 3}, MAP),
        ("conv", [(3, 9)], [("features", "tokens")], {"channels": 5, "kernel": 3}, ("channels", "tokens")),
        ("linear", [(7, 12)], [SEQUENCE], {"features": 5}, SEQUENCE),
        ("linear", [(4, 4, 12)], [("height", "width", "channels")], {"features": 5}, ("height", "width", "channels")),
        ("linear", [(12, 7)], [("features", "tokens")], {"features": 5}, ("features", "tokens")),
        ("linear", [(3, 8, 8)], [MAP], {"features": 5}, ("channels", "height", "features")),
        ("linear", [(3,)], [("channels",)], {"features": 5}, ("features",)),
        ("embedding", [(7,)], [("tokens",)], {"features": 5, "entries": 9}, SEQUENCE),
        ("flatten", [(3, 8, 8)], [MAP], {}, ("features",)),
        ("flatten", [(3, 8, 8)], [MAP], {"start": 1}, ("features", "tokens")),
        ("permute", [(3, 8, 8)], [MAP], {"order": (1, 2, 0)}, ("height", "width", "channels")),
        ("transpose", [(7, 12)], [SEQUENCE], {"dims": (0, 1)}, ("features", "tokens")),
        ("mean", [(7, 12)], [SEQUENCE], {"over": 0}, ("features",)),
        ("mean", [(3, 8, 8)], [MAP], {}, ("channels",)),
        ("lstm", [(7, 12)], [SEQUENCE], {"features": 5, "bidirectional": True}, SEQUENCE),
        ("lstm", [(7, 12)], [SEQUENCE], {"features": 5, "last": True}, ("features",)),
        ("multi_head_attention", [(7, 12)], [("length", "features")], {"heads": 3}, ("length", "features")),
        ("unfold", [(3, 8, 8)], [MAP], {"kernel": 2, "stride": 2}, ("features", "tokens")),
        ("fold", [(12, 16)], [("features", "tokens")], {"size": (8, 8), "kernel": 2, "stride": 2}, MAP),
        ("pixel_shuffle", [(12, 4, 4)], [MAP], {"factor": 2}, MAP),
        ("range", [(7, 12)], [SEQUENCE], {"size": 7}, ("tokens",)),
        ("stack", [(7, 12), (7, 12)], [SEQUENCE, SEQUENCE], {}, ("", "tokens", "features")),
        ("opaque", [(3, 8, 8)], [MAP], {"shape": {"tokens": 4, "features": 9}}, SEQUENCE),
        ("parameter", [(3, 8, 8)], [MAP], {"shape": {"tokens": 4, "features": 9}}, SEQUENCE),
        ("add", [(7, 12), (7, 12)], [("", ""), SEQUENCE], {}, SEQUENCE),
        ("mul", [(3, 1, 1), (3, 8, 8)], [("channels", "", ""), MAP], {}, MAP),
    ],
)
def test_what_an_operator_makes_of_its_inputs(kind, inputs, names, arguments, expected):
    assert names_after(kind, *inputs, names=names, **arguments) == expected


def test_scores_have_tokens_twice_and_their_product_with_values_features():
    heads = ("heads", "tokens", "features")
    scores = names_after("matmul", (4, 7, 8), (4, 9, 8), names=[heads, heads], transposed=True)
    assert scores == ("heads", "tokens", "tokens")
    assert letters_of(scores) == ("h", "L_1", "L_2")
    assert names_after("matmul", (4, 7, 9), (4, 9, 8), names=[scores, heads]) == heads


@pytest.mark.parametrize(
    ("old", "names", "new", "expected"),
    [
        ((768, 14, 14), MAP, (768, 196), ("features", "tokens")),  # the tokens of a ViT
        ((64, 196), ("features", "tokens"), (64, 14, 14), MAP),  # and back
        ((197, 768), SEQUENCE, (197, 12, 64), ("tokens", "heads", "features")),
        ((197, 2304), SEQUENCE, (197, 3, 12, 64), ("tokens", "", "heads", "features")),
        ((197, 12, 64), ("tokens", "heads", "features"), (197, 768), SEQUENCE),
        ((12, 8, 8), MAP, (3, 4, 8, 8), ("groups", "channels", "height", "width")),  # a shuffle of channels
        ((3, 4, 8, 8), ("groups", "channels", "height", "width"), (12, 8, 8), MAP),
        ((36, 8, 8), MAP, (3, 4, 3, 8, 8), ("", "groups", "channels", "height", "width")),  # values, heads, channels
        ((16, 8, 8), MAP, (4, 2, 2, 8, 8), ("channels", "", "", "height", "width")),  # a pixel shuffle: cut
        ((9, 8, 8), MAP, (1, 3, 3, 8, 8), ("channels", "", "", "height", "width")),  # to a single channel too,
        ((4, 8, 2, 8, 2), ("channels", "height", "", "width", ""), (4, 16, 16), MAP),  # and put together
        ((1024,), ("features",), (64, 4, 4), MAP),  # what a generator begins with
        ((2048, 1, 1), MAP, (2048,), ("channels",)),
        ((16, 8, 8), MAP, (1, 16, 8, 8), ("", *MAP)),
        # The windows of a Swin Transformer: cut, put side by side, and taken back.
        (
            (56, 56, 96),
            ("height", "width", "channels"),
            (8, 7, 8, 7, 96),
            ("windows", "height", "windows", "width", "channels"),
        ),
        (
            (8, 8, 7, 7, 96),
            ("windows", "windows", "height", "width", "channels"),
            (64, 49, 96),
            ("windows", "tokens", "features"),
        ),
        (
            (8, 7, 8, 7, 96),
            ("windows", "height", "windows", "width", "channels"),
            (56, 56, 96),
            ("height", "width", "channels"),
        ),
    ],
)
def test_the_axes_of_a_new_shape(old, names, new, expected):
    assert reshaped(old, names, new) == expected


def test_a_shape_may_name_its_axes():
    op = registry()["reshape"]([(197, 768)], shape={"tokens": -1, "heads": 12, "features": 64})
    assert op.output == (197, 12, 64)
    assert op.axis_names([("", "")]) == ("tokens", "heads", "features")


def test_an_unknown_axis_is_refused_with_the_nearest():
    with pytest.raises(BadArgument, match="unknown axis 'tokns'\nhelp: did you mean 'tokens'"):
        registry()["reshape"]([(6,)], shape={"tokns": 6})


def test_the_features_of_a_vector_are_channels_in_formulas_as_in_the_lectures():
    assert letters_of(("features",)) == ("C",)
    assert letters_of(SEQUENCE) == ("L", "d")
    assert letters_of(("", "heads")) == ("N0", "h")
