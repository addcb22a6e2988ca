"""Random networks in every style: a figure, or a refusal in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings

import archcalc
from archcalc.errors import UserError
from archcalc.render.figures.figure import STYLES, FigureOptions, figure
from tests.fuzz.specs import specs


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(text=specs())
def test_a_random_network(style, text):
    analysis = archcalc.loads(text).analyze()
    try:
        drawn = figure(analysis, FigureOptions(style=style)).items
    except UserError as error:
        drawn = re.search("draws no layers|does not fit", str(error))
    assert drawn
