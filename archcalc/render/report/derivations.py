"""The derivation of every layer's numbers, each text kept once: most layers of a network are like another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archcalc.analysis import Analysis
from archcalc.network import Layer
from archcalc.render.mathematics import line_text
from archcalc.structs import replace
from archcalc.symbolic.derivations import DERIVED, explain

COUNTED = ("memory", "flops")
"""Quantities that a convention decides."""
DerivationEntry = tuple[str, str, str]
"""Quantity, lines, and the convention of the counts; `""` if all conventions agree."""


class Derivations:
    """The derivations of a network's layers by several conventions."""

    def __init__(self, analysis: Analysis, conventions: Iterable[str]) -> None:
        self.analysis = analysis
        self.conventions = tuple(conventions)
        self.propagation = analysis.fields.propagation
        self.pool: dict[DerivationEntry, int] = {}
        self.alike: dict[tuple[Any, ...], list[int]] = {}

    def of(self, layer: Layer) -> list[int]:
        """Return the indices in `entries` of a layer's derivations."""
        # Equal operators on equal shapes cost the same; their receptive fields depend on their inputs.
        alike = (id(layer.op), layer.shares, tuple(layer.ties.items()))
        if alike not in self.alike:
            fixed = tuple(quantity for quantity in DERIVED if quantity not in (*COUNTED, "rf"))
            found = self._places(layer, fixed, self.analysis.convention.name, "")
            for convention in self.conventions:
                found += self._places(layer, COUNTED, convention, convention)
            self.alike[alike] = found
        return self.alike[alike] + self._places(layer, ("rf",), self.analysis.convention.name, "")

    def entries(self) -> list[dict[str, str]]:
        """Return every derivation, once."""
        return [{"of": of, "text": text, "convention": convention} for of, text, convention in self.pool]

    def _places(self, layer: Layer, quantities: tuple[str, ...], convention: str, marked: str) -> list[int]:
        analysis = self.analysis
        explanations = explain(
            analysis.network,
            layer.name,
            quantities,
            replace(analysis.counting, convention=convention),
            propagation=self.propagation,
        )
        entries = ((each.heading, "\n".join(map(line_text, each.lines)), marked) for each in explanations)
        return [self.pool.setdefault(entry, len(self.pool)) for entry in entries]
