"""Check a spec in all its variants: errors, and warnings of what is allowed but probably not meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archcalc.errors import Diagnostic, SpecError
from archcalc.language.library import open_spec
from archcalc.network import Network

OPEN_SIZE = 6720
"""The size that the first open dimension is tried with, `H` of `input: [3, H, W]`; the second is twice as large, …

It is 2⁶·3·5·7: above what kernels need, and divided by what strides, windows and groups usually are.
"""


def lint(path: Path) -> list[Diagnostic]:
    """Return every error and every warning of a spec and its variants."""
    found: dict[Diagnostic, None] = {}
    try:
        spec = open_spec(path)
    except SpecError as error:
        return list(error.diagnostics)
    variants: list[str | None] = [*spec.variants]
    for variant in variants or [None]:
        settings = {name: OPEN_SIZE * number for number, name in enumerate(spec.free_dimensions(variant), 1)}
        try:
            diagnostics = warnings(spec.network(variant, settings))
        except SpecError as error:
            diagnostics = list(error.diagnostics)
        tried = ", ".join(f"{name}={size}" for name, size in settings.items())
        for diagnostic in diagnostics:
            message = f"{diagnostic.message} (tried with {tried})" if tried else diagnostic.message
            found[replace(diagnostic, message=message)] = None
    return list(found)


def warnings(network: Network) -> list[Diagnostic]:
    """Return what operators warn of; they are told which axes of their input are sides of an image."""
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
            made[-1] = False  # one warning is enough for all that follows from it
        sides[layer.name] = tuple(made)
    return list(found)
