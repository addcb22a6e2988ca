"""Checking a spec with all its variants."""

from __future__ import annotations

from pathlib import Path

from archcalc.spec.errors import Mistake, SpecError
from archcalc.spec.library import open_spec


def lint(path: Path) -> list[Mistake]:
    """Every mistake in a spec and its variants; sizes that are left open are tried as symbols."""
    found: dict[Mistake, None] = {}
    try:
        spec = open_spec(path)
    except SpecError as error:
        return list(error.mistakes)
    variants: list[str | None] = [*spec.variants]
    for variant in variants or [None]:
        open_sizes = spec.free_dimensions(variant)
        settings = {}
        if open_sizes:
            import sympy

            settings = {name: sympy.Symbol(name, integer=True, positive=True) for name in open_sizes}
        try:
            spec.network(variant, settings)
        except SpecError as error:
            found.update(dict.fromkeys(error.mistakes))
    return list(found)
