"""The layers that an expansion has made so far, and what a block made, once more under another name.

The same block with the same parameters and shapes makes the same layers: deep networks repeat theirs many times, and
only the first is expanded step by step.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

from archcalc.arithmetic import Shape
from archcalc.language.limits import limit
from archcalc.language.steps import Step
from archcalc.network import Layer


class Flow(NamedTuple):
    """A tensor on its way: who gives it, and its shape (None after a mistake)."""

    source: str
    shape: Shape | None


NOWHERE = Flow("", None)
ABSENT = Flow("", None)
"""What a branch that is left out ends with."""


class Named(NamedTuple):
    """A step that was taken: what `from` and `share` find under its name."""

    flow: Flow
    step: Step
    variables: dict[str, Any]
    first: int
    """Its layers are ``layers[first:last]``."""
    last: int
    unshared: str = ""
    """What it is, where `share` cannot take it: `a loop`, or `left out`."""


class Mark(NamedTuple):
    """How much a draft held at some moment."""

    layers: int
    named: int
    groups: int
    sides: int
    taken: int
    work: int


class Made(NamedTuple):
    """What one block made of its inputs."""

    path: str
    flows: list[Flow]
    result: Flow
    start: Mark
    end: Mark
    named: list[tuple[str, Named]]
    groups: list[tuple[str, str]]
    sides: list[tuple[str, str]]


class GraphBuilder:
    """What an expansion has made so far."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.named: dict[str, Named] = {}
        self.groups: dict[str, str] = {}
        self.sides: dict[str, str] = {}
        self.taken = 0
        """Steps."""
        self.work = 0
        """The weight of the expressions evaluated."""

    def mark(self) -> Mark:
        """How much there is now."""
        return Mark(len(self.layers), len(self.named), len(self.groups), len(self.sides), self.taken, self.work)

    def since(self, start: Mark, path: str, flows: list[Flow], result: Flow) -> Made:
        """What the block of that path has made of ``flows`` since ``start``."""
        end = self.mark()
        named = list(islice(reversed(self.named.items()), end.named - start.named))[::-1]
        groups = list(islice(reversed(self.groups.items()), end.groups - start.groups))[::-1]
        sides = list(islice(reversed(self.sides.items()), end.sides - start.sides))[::-1]
        return Made(path, flows, result, start, end, named, groups, sides)

    def affords(self, made: Made) -> bool:
        """Whether the limits allow the same once more; where not, the steps are taken until one crosses a limit."""
        start, end = made.start, made.end
        return (
            self.taken + end.taken - start.taken <= limit("steps")
            and self.work + end.work - start.work <= limit("work")
            and len(self.layers) + end.layers - start.layers <= limit("layers")
        )

    def repeat(self, made: Made, path: str, flows: list[Flow]) -> Flow:
        """Make the same again, for the block of another path, from ``flows`` of the same shapes."""
        cut = len(made.path)
        layers = self.layers
        sources = {old.source: new.source for old, new in zip(made.flows, flows, strict=True)}
        shift = len(layers) - made.start.layers
        for layer in layers[made.start.layers : made.end.layers]:
            name = sources[layer.name] = path + layer.name[cut:]
            inputs = tuple([sources[one] for one in layer.inputs])
            copy = Layer(name, layer.op, inputs, layer.origin, layer.side, layer.train)
            if layer.shares is not None:
                copy.shares = sources[layer.shares]
            layers.append(copy)
        for name, old in made.named:
            flow = Flow(sources[old.flow.source], old.flow.shape)
            self.named[path + name[cut:]] = old._replace(flow=flow, first=old.first + shift, last=old.last + shift)
        for name, block in made.groups:
            self.groups[path + name[cut:]] = block
        for name, source in made.sides:
            self.sides[path + name[cut:]] = sources[source]
        self.taken += made.end.taken - made.start.taken
        self.work += made.end.work - made.start.work
        return Flow(sources[made.result.source], made.result.shape)
