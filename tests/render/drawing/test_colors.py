"""Colors of drawings, measured: text can be read, fills can be told apart in grey and by the color-blind."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.ops import registry
from archcalc.render.drawing.colors import (
    DARK,
    FILLS,
    HEAT,
    LIGHT,
    ON_FILL,
    OTHER,
    PALE,
    channels,
    contrast,
    heat,
    luminance,
    text_on,
)

# Machado, Oliveira and Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency, 2009,
# severity 1.0, in linear RGB.
SIGHTS = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# Ottosson, A perceptual color space for image processing, 2020.
TO_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def seen(color: str, access: str) -> numpy.ndarray:
    part = numpy.array(channels(color)) / 255
    linear = numpy.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    linear = numpy.clip(numpy.array(SIGHTS[access]) @ linear, 0, 1)
    return numpy.array(TO_OKLAB) @ numpy.cbrt(numpy.array(TO_CONES) @ linear)


@pytest.mark.parametrize("access", SIGHTS)
def test_fills_are_told_apart(access):
    """Two colors are just told apart at a distance of about 0.02."""
    for fills, least in ((FILLS, 0.08), ({name: PALE[name] for name in FILLS}, 0.04)):
        closest = min(numpy.linalg.norm(seen(a, access) - seen(b, access)) for a, b in combinations(fills.values(), 2))
        assert closest > least


def test_fills_differ_in_grey():
    assert all(a < b for fills in (FILLS, PALE) for a, b in pairwise(luminance(fills[name]) for name in FILLS))


def test_text_is_read_on_every_fill():
    """WCAG 2.2 asks for 4.5."""
    assert min(contrast(ON_FILL, fill) for fill in (*FILLS.values(), OTHER)) >= 4.5
    assert all(contrast(look.ink, look.paper) > 7 and contrast(look.line, look.paper) > 4.5 for look in (LIGHT, DARK))


def test_every_category_has_a_fill():
    """But for opaque layers, which are gray as whole groups are."""
    assert {operator.category for operator in registry().values()} - FILLS.keys() == {"opaque"}


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_cost_is_never_lighter(one, other):
    low, high = sorted((one, other))
    assert luminance(heat(high)) <= luminance(heat(low)) + 0.006  # channels are rounded
    assert contrast(text_on(heat(one)), heat(one)) >= 4.5


def test_the_scale_has_its_ends():
    assert (heat(0), heat(1), heat(-1), heat(2)) == (HEAT[0], HEAT[-1], HEAT[0], HEAT[-1])
