"""The state of an expansion: the layers so far, and the steps that names mean."""

from __future__ import annotations

from typing import Any, NamedTuple

from archcalc.arithmetic import Shape
from archcalc.language.steps import Step
from archcalc.network import Layer


class Flow(NamedTuple):
    """The tensor that the next step takes."""

    source: str
    """Name of the layer or network input that gives it."""
    shape: Shape | None
    """Shape per sample; None after an error."""


NOWHERE = Flow("", None)
"""The output of a step with an error."""
ABSENT = Flow("", None)
"""The end of a branch that its `when` leaves out."""


class Named(NamedTuple):
    """A step that was taken: what `from` and `share` find under its name."""

    flow: Flow
    step: Step
    variables: dict[str, Any]
    first: int
    """Its layers are ``layers[first:last]``."""
    last: int
    unshared: str = ""
    """Why `share` cannot take it: `a loop`, `left out`, or `in several parts`."""


class GraphBuilder:
    """The layers, names, groups and side outputs made so far, and the counts that limits bound."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.named: dict[str, Named] = {}
        """Path to the step that was taken under it."""
        self.groups: dict[str, str] = {}
        """Path of a group to its block; `""` for a plain group."""
        self.sides: dict[str, str] = {}
        """Path of a side output to the layer that it ends with."""
        self.offered: set[str] = set()
        """Layers whose outputs are those of a block."""
        self.taken = 0
        """Number of steps taken."""
        self.work = 0
        """Sum of the weights of the expressions evaluated."""
