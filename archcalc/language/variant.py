"""Variants of a spec: named settings of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from archcalc.language.source import AnyNode, Scalar
from archcalc.language.source import Mapping as MappingNode
from archcalc.language.steps import Value
from archcalc.network import About

ABOUT = ("title", "source", "year", "reference", "notes")
"""Keys that describe the network in words."""


class Variant:
    """A variant of a spec, or the spec itself."""

    def __init__(
        self,
        name: str,
        node: MappingNode | None,
        of_spec: Callable[[str], AnyNode | None],
        params: Mapping[str, Value | None],
    ) -> None:
        self.name = name
        self._node = node
        self._of_spec = of_spec
        self._params = params

    def get(self, key: str) -> AnyNode | None:
        """Return the value of a key: its own, or that of the spec."""
        return (self._node.get(key) if self._node is not None else None) or self._of_spec(key)

    @cached_property
    def values(self) -> dict[str, Value | None]:
        """Parameter to its value; None if it must be set."""
        values = dict(self._params)
        for key, node in self._node or ():
            if key.text in values:
                values[key.text] = Value(node)
        return values

    @cached_property
    def about(self) -> About:
        """Title, source, year, reference and notes of the network."""
        nodes = {key: self.get(key) for key in ABOUT}
        texts = {key: " ".join(node.text.split()) if isinstance(node, Scalar) else "" for key, node in nodes.items()}
        year = texts.pop("year")
        return About(**texts, year=int(year) if year.isdigit() else None)
