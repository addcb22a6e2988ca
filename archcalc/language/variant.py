"""A variant of a spec: what it says in place of the spec itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from archcalc.language.source import AnyNode, Scalar
from archcalc.language.source import Mapping as MappingNode
from archcalc.language.steps import Value
from archcalc.network import About

ABOUT = ("title", "source", "year", "reference", "notes")
"""What a spec, or a variant of it, says about its network in words."""


class Variant:
    """A variant of a spec, or the spec itself where no variant is named."""

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
        """A part of the head: its own, or the spec's."""
        return (self._node.get(key) if self._node is not None else None) or self._of_spec(key)

    @cached_property
    def values(self) -> dict[str, Value | None]:
        """What each parameter is; None where it must be set."""
        values = dict(self._params)
        for key, node in self._node or ():
            if key.text in values:
                values[key.text] = Value(node)
        return values

    @cached_property
    def about(self) -> About:
        """What it says of its network."""
        nodes = {key: self.get(key) for key in ABOUT}
        texts = {key: " ".join(node.text.split()) if isinstance(node, Scalar) else "" for key, node in nodes.items()}
        year = texts.pop("year")
        return About(**texts, year=int(year) if year.isdigit() else None)
