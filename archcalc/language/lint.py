"""Check a spec in all its variants: errors, and warnings of what is allowed but probably not meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archcalc.errors import Diagnostic, SpecError
from archcalc.language.library import open_spec
from archcalc.network import Network
from archcalc.ops.naming import SIDES
from archcalc.words import help_line, split_help

OPEN_SIZE = 6720
"""Value for the first free dimension, `H` of `input: [3, H, W]`; the second is twice as large, and so on.

It is 2⁶·3·5·7: larger than most kernels, and a multiple of most strides, windows and groups.
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
            if tried:
                statement, fix = split_help(diagnostic.message)
                diagnostic = replace(diagnostic, message=f"{statement} (tried with {tried}){help_line(fix)}")
            found[diagnostic] = None
    return list(found)


def warnings(network: Network) -> list[Diagnostic]:
    """Return a warning for each layer that nothing takes, and those of the operators.

    Operators get told which axes of their input are spatial.
    """
    found: dict[Diagnostic, None] = {}
    for layer in network:
        warning = layer.op.warning([name in SIDES for name in network.axes[layer.inputs[0]]])
        if warning:
            found[Diagnostic(warning, layer.place, is_warning=True)] = None
    for layer in network.unused:
        fix = help_line("put it under side, or name it in outputs")
        found[Diagnostic(f"nothing takes the output of {layer.name}{fix}", layer.place, is_warning=True)] = None
    return list(found)
