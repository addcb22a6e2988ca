"""Checking a spec with all its variants: what is wrong, and what is allowed but probably not meant."""

from __future__ import annotations

from pathlib import Path

from archcalc.errors import Diagnostic, SpecError
from archcalc.language.library import open_spec
from archcalc.network import Network


def lint(path: Path) -> list[Diagnostic]:
    """Every mistake and every warning of a spec and its variants; sizes that are left open are tried as symbols."""
    found: dict[Diagnostic, None] = {}
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
            found.update(dict.fromkeys(warnings(spec.network(variant, settings))))
        except SpecError as error:
            found.update(dict.fromkeys(error.mistakes))
    return list(found)


def warnings(network: Network) -> list[Diagnostic]:
    """What operators warn of, given which of their input's axes are sides of an image."""
    sides: dict[str, tuple[bool, ...]] = {
        name: (False, True, True) if len(shape) == 3 else (False,) * len(shape)
        for name, shape in network.inputs.items()
    }
    found: dict[Diagnostic, None] = {}
    for layer in network:
        given = sides[layer.inputs[0]]
        made = [bool(axes) and all(given[axis] for axis in axes) for axes in layer.op.axes()]
        warning = layer.op.warning(given)
        if warning:
            found[Diagnostic(warning, layer.place, is_warning=True)] = None
            made[-1] = False  # once is enough for all that follows from it
        sides[layer.name] = tuple(made)
    return list(found)
