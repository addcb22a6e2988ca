"""Closed forms: the lectures' statements in symbols, and the table's numbers at random sizes."""

from __future__ import annotations

import random

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import archcalc
from archcalc.analysis import Counting
from archcalc.errors import SpecError
from archcalc.language.family import InlineSpec, SpecFamily
from archcalc.language.library import find
from archcalc.ops import registry
from archcalc.render.mathematics import formulas_document
from archcalc.render.writers import write_document
from archcalc.symbolic.formulas import formulas, python_source
from tests.bundled import spec_at, variants

C, H, W, K, L, h, w = (sympy.Symbol(name, integer=True, positive=True) for name in ["C", "H", "W", "K", "L", "h", "w"])

# Lecture decks 000, 001 and 004; multiply-adds, no bias, size kept.
STATEMENTS = [
    ("conv(5, C->C)", "params", 25 * C**2),
    ("conv(5, C->C)", "macs", 25 * C**2 * H * W),
    ("conv 3x3 C->C, conv 3x3 C->C", "params", 18 * C**2),
    ("conv 3x3 C->C, conv 3x3 C->C", "macs", 18 * C**2 * H * W),
    ("conv 5x5 C->C", "rf", sympy.Integer(5)),
    ("conv 3x3 C->C, conv 3x3 C->C", "rf", sympy.Integer(5)),
    ("conv 1x5 C->C, conv 5x1 C->C", "params", 10 * C**2),
    ("conv K C->C repeat=L", "rf", 1 + L * (K - 1)),
    ("conv K C->C repeat=L", "params", L * K**2 * C**2),
    ("conv 3x3 256->256", "params", sympy.Integer(589_824)),
    ("conv 1x1 256->64, conv 3x3 64->64, conv 1x1 64->256", "params", sympy.Integer(69_632)),
    ("conv 1x1 4*C->C, conv 3x3 C->C, conv 1x1 C->4*C", "params", 17 * C**2),
    ("linear C->D", "params", C * sympy.Symbol("D", integer=True, positive=True)),
]


@pytest.mark.parametrize(("piece", "quantity", "expected"), STATEMENTS)
def test_the_lectures_statements(piece, quantity, expected):
    if piece.startswith("linear"):
        piece += " bias=false"
        found = formulas(InlineSpec("global_avg_pool, flatten, " + piece), [quantity])
    else:
        found = formulas(InlineSpec(piece), [quantity])
    assert sympy.expand(found.sympy(quantity) - expected) == 0


def test_vgg_costs_the_same_at_every_stage():
    """Deck 001: 36·HWC² for a 3×3 convolution on C×2H×2W and for one on 2C×H×W."""
    (form,) = (formulas(InlineSpec("conv 3x3 C->C"), ["macs"]).sympy("macs"),)
    assert sympy.expand(form.subs({H: 2 * H, W: 2 * W}, simultaneous=True)) == 36 * H * W * C**2
    assert sympy.expand(form.subs({C: 2 * C})) == 36 * H * W * C**2


def test_depthwise_separable_speed_up():
    """Against a plain 3×3 convolution 9C/(9 + C), which tends to 9 (Howard et al., MobileNets, 2017, section 3.1)."""
    plain = formulas(InlineSpec("conv 3x3 C->C"), ["macs"]).sympy("macs")
    separable = formulas(InlineSpec("conv 3x3 C->C groups=C, conv 1x1 C->C"), ["macs"]).sympy("macs")
    ratio = sympy.cancel(plain / separable)
    assert ratio == sympy.cancel(9 * C / (9 + C))
    assert sympy.limit(ratio, C, sympy.oo) == 9


def of_spec(reference, **lets):
    spec, variant = find(reference)
    return SpecFamily(spec, variant, {}, None, lets)


def test_resnet_50_in_two_symbols():
    """The closed form that the design states."""
    found = formulas(of_spec("resnet50", H="32*h", width="w"), ["params", "macs"])
    assert found.sympy("params") == 5724 * w**2 + 32977 * w + 1000
    assert found.sympy("macs") == 19776 * h**2 * w**2 + 37632 * h**2 * w + 32000 * w
    assert found.guards == ()


@pytest.mark.parametrize(("path", "variant"), variants())
def test_formulas_are_the_table_at_random_sizes(path, variant):
    """For bundled networks: their closed forms in the input's size, wherever their conditions hold."""
    spec = spec_at(path)
    network = spec.network(variant)
    (name, shape), *others = network.inputs.items()
    if others or len(shape) != 3:
        pytest.skip("several inputs, or no image")
    family = SpecFamily(spec, variant, {}, None, {"H": "H"})
    found = formulas(family, ["params", "macs", "flops", "memory", "output_elements"], Counting(convention="full"))
    tried = 0
    sizes = random.Random(variant or path.stem).sample(range(max(1, shape[1] // 2), 4 * shape[1] + 6), 6)
    for size in (shape[1], 2 * shape[1], *sizes):
        if not found.holds(H=size):
            continue
        totals = spec.network(variant, {}, {name: (shape[0], size, size)}).analyze(convention="full").totals
        for quantity in ("params", "macs", "flops", "memory"):
            assert found.evaluate(quantity, H=size) == getattr(totals, quantity)
        tried += 1
    assert tried >= 1


def test_resnet_anywhere():
    found = formulas(of_spec("resnet50", H="H", width="w"), ["params", "macs", "memory"])
    scope: dict = {}
    exec(python_source(found), scope)

    @settings(max_examples=25)
    @given(size=st.integers(33, 700), width=st.integers(1, 200))
    def anywhere(size, width):
        totals = archcalc.load("resnet50", input=(3, size, size), width=width).analyze().totals
        assert found.holds(H=size, w=width)
        for quantity in ("params", "macs", "memory"):
            assert found.evaluate(quantity, H=size, w=width) == getattr(totals, quantity)
        assert scope["macs"](size, width) == totals.macs

    anywhere()


def test_conditions_say_where_a_formula_holds():
    """AlexNet's conv1 and three pools need an image of so many pixels."""
    found = formulas(of_spec("alexnet", H="H"), ["macs"])
    small = [size for size in range(1, 120) if not found.holds(H=size)]
    for size in small[-1:] + small[:1]:
        with pytest.raises(SpecError, match="kernel spans"):
            archcalc.load("alexnet", input=(3, size, size))
    archcalc.load("alexnet", input=(3, small[-1] + 1, small[-1] + 1))


def test_sympy_handed_to_a_rule_gives_the_same():
    """The closed form of a convolution is what its rule says over SymPy's own symbols."""
    op = registry()["conv"]([(C, H, W)], channels=2 * C, kernel=3, stride=2, padding=1, bias=False)
    piece = formulas(InlineSpec("conv 3x3 C->2*C stride=2 padding=1"), ["macs", "output_elements"])
    for values in ({C: 5, H: 7, W: 9}, {C: 1, H: 8, W: 30}):
        assert op.work()["mac"].subs(values) == piece.sympy("macs").subs(values)


@pytest.mark.parametrize("piece", ["conv 3x3 C->C", "conv 1x7 C->C", "conv C->C kernel=5"])
def test_a_convolution_of_a_piece_keeps_the_size_and_with_a_stride_divides_it(piece):
    """Half of an odd kernel on every side gives ⌈n / stride⌉ positions (Dumoulin and Visin, 2016, section 2.3)."""
    numbers = {"C": 4, "H": 9, "W": 10}
    assert InlineSpec(piece).network(numbers).layers[-1].output_shape == (4, 9, 10)
    strided = InlineSpec(f"{piece} stride=2").network(numbers).layers[-1]
    assert strided.output_shape == (4, 5, 5)
    assert "bias" not in strided.op.weights()


def test_text():
    found = formulas(of_spec("resnet50", H="32*h", width="w"), ["params", "macs"])
    assert write_document(formulas_document(found, "lecture"), "text") == (
        "params = 5,724w² + 32,977w + 1,000\nMACs = 19,776h²·w² + 37,632h²·w + 32,000w\n"
    )


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        ("konv 3x3 C->C", "unknown operator 'konv'\nhelp: did you mean 'conv"),
        ("conv 3x3 C->C sride=2", "did you mean 'stride"),
        ("conv 3x3 C->D, conv 3x3 C->C", None),
        ("conv 3x3 64->32, conv 3x3 64->64", "takes 64 channels, got 32"),
        ("conv 3x3 C->C groups=5", "groups 5 do not divide"),
        ("conv C->C stride=2", "conv needs kernel"),
        ("conv null C->C stride=2", "kernel must be an integer above 0"),
    ],
)
def test_wrong_pieces_are_refused(piece, message):
    if message is None:  # C and D are the same where the formula holds
        found = formulas(InlineSpec(piece), ["params"])
        assert [guard.relation for guard in found.guards] == ["=="]
        return
    with pytest.raises(SpecError, match=message):
        formulas(InlineSpec(piece), ["params"])


def test_a_name_that_is_no_parameter_is_refused():
    with pytest.raises(SpecError, match="did you mean 'width"):
        of_spec("resnet50", widht="w")
