"""The bundled networks, read once for all tests of a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from archcalc.language.language import Spec
from archcalc.language.library import bundled_networks, open_spec
from archcalc.network import Network

FIRST = dict(reversed(bundled_networks()))
"""File of each family to the first variant in it."""


class Bundled(NamedTuple):
    """A bundled network, and the family that its file is."""

    family: str
    network: Network


@cache
def spec_at(path: Path) -> Spec:
    """Return the spec in a bundled file."""
    return open_spec(path)


@cache
def every_network() -> tuple[Bundled, ...]:
    """Return every bundled network."""
    return tuple(Bundled(path.stem, spec_at(path).network(variant)) for path, variant in bundled_networks())


def variants(*always: str) -> list[pytest.ParameterSet]:
    """Return file and variant of every bundled network, as parameters of a test.

    Those that are named, or the first of each family if none is, are always tried, the others with `--slow`.
    """
    return [
        pytest.param(
            path,
            variant,
            id=name,
            marks=() if (name in always if always else FIRST[path] == variant) else pytest.mark.slow,
        )
        for path, variant in bundled_networks()
        for name in [variant or spec_at(path).name]
    ]
