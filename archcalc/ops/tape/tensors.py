"""What is on a tape: storages, tensors, the nodes of autograd's graph, and points in time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from archcalc.ops.layout import Layout


class Point(NamedTuple):
    """The live memory of a tape, before something is freed."""

    label: Hashable
    elements: Any
    bytes: Any
    precise: Any
    released: frozenset[int]
    """The tensors of others that the tape needs no more: `GRADIENT`, or numbers of inputs."""


class TapeStorage:
    """Memory that is live as long as something refers to this object."""

    def __init__(
        self, free: Callable[[TapeStorage], None], elements: Any, size: Any, precise: Any, key: int | None
    ) -> None:
        self.free, self.elements, self.bytes, self.precise = free, elements, size, precise
        self.key = key
        """The number of an input, or `GRADIENT`, for memory of others."""

    def __del__(self) -> None:
        self.free(self)


class TapeTensor:
    """A tensor: a storage or a view of one, and where autograd has it from."""

    __slots__ = ("edge", "elements", "held", "is_precise", "is_view", "known_layout", "storage")

    def __init__(
        self, storage: TapeStorage, elements: Any, is_view: bool = False, layout: Layout | None = None
    ) -> None:
        self.storage = storage
        self.elements = elements
        self.is_view = is_view
        self.known_layout = layout
        """Its sizes and strides; None if the program does not know them."""
        self.is_precise = False
        """True if its elements take at least 4 bytes, whatever the type."""
        self.edge: tuple[Node, int] | None = None
        """The node that gets this tensor's gradient, and its number among the node's outputs; None without one."""
        self.held = 0
        """How many nodes wait with this as their gradient."""

    def view(self, elements: Any = None) -> TapeTensor:
        """Return a view of the same storage, of as many elements unless they are given."""
        return TapeTensor(self.storage, self.elements if elements is None else elements, is_view=True)

    @property
    def is_laid_out(self) -> bool:
        """True if the program knows its sizes and strides."""
        return self.known_layout is not None

    @property
    def layout(self) -> Layout:
        """Its sizes and strides, if the program knows them."""
        assert self.known_layout is not None
        return self.known_layout


Gradients = Sequence["TapeTensor | None"]
Rule = Callable[[Gradients, Sequence[bool]], Gradients]
"""From the gradients of a step's outputs, and whether each input needs one, to the gradients of the inputs.

It may not refer to tensors, which would then live as long as the node.
"""


class Node:
    """A step in autograd's graph; it holds what is saved for its backward pass."""

    def __init__(self, order: int, label: Hashable, edges: Sequence[tuple[Node, int] | None], outputs: int) -> None:
        self.order, self.label, self.edges, self.outputs = order, label, edges, outputs
        self.rule: Rule | None = None
        """None for a tensor of others, whose gradient is the end of the backward pass."""
        self.key: int | None = None
        """For a tensor of others, which one it is."""
        self.saved: Sequence[TapeStorage] = ()
        self.gradients: dict[int, TapeTensor] = {}
        self.awaited = 0
        """How many nodes have yet to give it gradients."""


def view_of(gradient: TapeTensor | None, elements: Any = None) -> TapeTensor | None:
    """Return a gradient viewed in another shape, or a part of it."""
    return None if gradient is None else gradient.view(elements)


def last(made: Sequence[TapeTensor]) -> TapeTensor:
    """Return the last of some tensors: what a step makes, after others that it needs and then frees."""
    return made[-1]
