"""What is wrong with a spec."""

from __future__ import annotations

import pytest

import archcalc
from archcalc import SpecError


def mistakes(text: str, **settings):
    """Expand a wrong spec; give its mistakes."""
    with pytest.raises(SpecError) as caught:
        archcalc.loads(text, **settings)
    return caught.value.diagnostics
