"""A tape: an operator that PyTorch runs as several steps, and the memory of every step, forward and backward.

A program takes the steps in the order of PyTorch's source. The tape keeps what autograd would save,
then runs autograd's engine: of the nodes that have all their gradients, the one made last runs first.

A storage is freed when nothing refers to it. Python counts references as PyTorch does, so the tape leaves it to Python:
a program holds what the local variables of PyTorch's function hold, and ``del`` is the end of their scope.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from archcalc.arithmetic import product
from archcalc.ops.layout import Layout, elementwise
from archcalc.ops.tape.tensors import Gradients, Node, Point, Rule, TapeStorage, TapeTensor, view_of
from archcalc.ops.vocabulary import GRADIENT

OUTPUT, WEIGHT = -2, -3
"""Keys of memory of others, beside the numbers of inputs and `GRADIENT`."""


AFTERWARDS = "afterwards"
"""Label of steps after the operator's module has returned: its inputs may be free by then."""


class Tape:
    """The steps of one operator, and what is live at each."""

    def __init__(self, training: bool) -> None:
        self.training = training
        self.elements: Any = 0
        """Live elements in the operator's type."""
        self.bytes: Any = 0
        """Live bytes beside them."""
        self.precise: Any = 0
        """Live elements beside them that take at least 4 bytes, whatever the type."""
        self.label: Hashable = ""
        """The part of the program that runs; its nodes remember it."""
        self.points: list[Point] = []
        self._released: frozenset[int] = frozenset()
        self._grows = False
        self.given_on: dict[int, tuple[int, Point]] = {}
        """For each input, the number of the first point after its gradient, and what is live before that."""
        self.complete: dict[int, TapeTensor] = {}
        """For each input, its gradient at the end of the backward pass."""
        self._nodes: list[Node] = []

    # -- storages

    def new(self, elements: Any, size: Any = 0, precise: Any = 0, is_view: bool = False) -> TapeTensor:
        """Return a new tensor of elements, or of bytes; ``is_view`` for what PyTorch returns as a view of it."""
        self.elements += elements
        self.bytes += size
        self.precise += precise
        point = self._point()
        if self._grows and self.points[-1].label == self.label:
            self.points[-1] = point
        else:
            self.points.append(point)
        self._grows = True
        return TapeTensor(TapeStorage(self.free, elements, size, precise, None), elements, is_view)

    def _point(self) -> Point:
        return Point(self.label, self.elements, self.bytes, self.precise, self._released)

    def free(self, storage: TapeStorage) -> None:
        """Take away a storage that nothing refers to."""
        self._grows = False
        if storage.key is None:
            self.elements -= storage.elements
            self.bytes -= storage.bytes
            self.precise -= storage.precise
        elif storage.key >= GRADIENT:
            self._released |= {storage.key}

    def tensor(self, layout: Layout, precise: bool = False, is_view: bool = False) -> TapeTensor:
        """Return a new tensor with a layout; ``precise`` in at least 4 bytes, whatever the type."""
        elements = product(layout.sizes)
        value = self.new(0 if precise else elements, precise=elements if precise else 0, is_view=is_view)
        value.elements, value.is_precise, value.known_layout = elements, precise, layout
        return value

    def like(self, value: TapeTensor) -> Callable[[], TapeTensor]:
        """Return a function that makes tensors of a tensor's size, in order."""
        elements, layout = value.elements, value.known_layout
        if layout is None:
            return lambda: self.new(elements)
        return lambda: self.tensor(Layout.in_order(layout.sizes))

    def given(self, elements: Any, key: int, needs_gradient: bool, layout: Layout | None = None) -> TapeTensor:
        """Return a tensor of others: an input by its number, the output's gradient, or a weight."""
        value = TapeTensor(TapeStorage(self.free, elements, 0, 0, key), elements, is_view=True, layout=layout)
        if needs_gradient and self.training:
            leaf = Node(len(self._nodes), "", (), 1)
            leaf.key = key
            value.edge = (leaf, 0)
        return value

    def weight(self, elements: Any, is_trained: bool) -> TapeTensor:
        """Return a weight."""
        value = self.given(elements, WEIGHT, is_trained)
        value.is_view = False
        return value

    def hand_over(self, output: TapeTensor) -> None:
        """Leave the storage of the output, which is new, to others: it is no longer counted."""
        self.elements -= output.storage.elements
        self.bytes -= output.storage.bytes
        output.storage.key = OUTPUT

    def saves(self, value: TapeTensor) -> bool:
        """Return True if autograd has saved a tensor."""
        return any(value.storage is storage for node in self._nodes for storage in node.saved)

    def saved_inputs(self) -> set[int]:
        """Return the numbers of the inputs that autograd has saved."""
        return {
            storage.key
            for node in self._nodes
            for storage in node.saved
            if storage.key is not None and storage.key >= 0
        }

    # -- steps

    def step(
        self,
        inputs: Sequence[TapeTensor],
        outputs: Sequence[TapeTensor],
        rule: Rule,
        saved: Iterable[TapeTensor | None] = (),
    ) -> None:
        """Make a step's node, if an input needs a gradient."""
        edges = [value.edge for value in inputs]
        if not any(edges):
            return
        node = Node(len(self._nodes), self.label, edges, len(outputs))
        node.rule = rule
        node.saved = tuple(value.storage for value in saved if value is not None)
        self._nodes.append(node)
        for number, value in enumerate(outputs):
            value.edge = (node, number)

    def compute(
        self, x: TapeTensor, elements: Any = None, saves: Sequence[TapeTensor] = (), saves_output: bool = False
    ) -> TapeTensor:
        """Return a new tensor; its gradient gives a new one too."""
        made, size = self.new(x.elements if elements is None else elements), x.elements
        self.step([x], [made], lambda given, _: [self.new(size)], [*saves, *([made] if saves_output else ())])
        return made

    def change(self, x: TapeTensor) -> TapeTensor:
        """Return a tensor computed in place (`sigmoid_`), which autograd saves; its gradient gives a new one."""
        made, size = x.view(), x.elements
        self.step([x], [made], lambda given, _: [self.new(size)], [made])
        return made

    def view(self, x: TapeTensor, elements: Any = None) -> TapeTensor:
        """Return a view in another shape; of fewer elements, its gradient gives a new tensor with zeros."""
        made, size = x.view(elements), x.elements
        if elements is None:
            self.step([x], [made], lambda given, _: [view_of(given[0])])
        else:
            self.step([x], [made], lambda given, _: [self.new(size)])
        return made

    def alias(self, x: TapeTensor) -> TapeTensor:
        """Return the tensor again (`x[...]`), whose gradient is passed on when all of it is there."""
        made = TapeTensor(x.storage, x.elements, is_view=True, layout=x.known_layout)
        self.step([x], [made], lambda given, _: [given[0]])
        return made

    def copy(self, x: TapeTensor) -> TapeTensor:
        """Return a copy in order; its gradient is passed on."""
        made = self.new(x.elements)
        if x.known_layout is not None:
            made.known_layout = Layout.in_order(x.known_layout.sizes)
        self.step([x], [made], lambda given, _: [given[0]])
        return made

    def parts(self, x: TapeTensor, shares: Sequence[int]) -> list[TapeTensor]:
        """Return views of a tensor, each so many shares of it; their gradients are joined to a new one."""
        whole, size = sum(shares), x.elements
        made = [x.view(size // whole * share) for share in shares]
        self.step([x], made, lambda given, _: [self.new(size)])
        return made

    def join(self, parts: Sequence[TapeTensor]) -> TapeTensor:
        """Return tensors joined (`cat`, `stack`); their gradients are views."""
        sizes = [part.elements for part in parts]
        made = self.new(sum(sizes))
        self.step(parts, [made], lambda given, _: [view_of(given[0], size) for size in sizes])
        return made

    def add(self, x: TapeTensor, y: TapeTensor, in_place: bool = False) -> TapeTensor:
        """Return the sum; both gradients are that of the sum."""
        made = x.view() if in_place else self.new(x.elements)
        self.step([x, y], [made], lambda given, _: [given[0], given[0]])
        return made

    def add_repeated(self, x: TapeTensor, y: TapeTensor) -> TapeTensor:
        """Return the sum with a smaller tensor, which is repeated; its gradient is a sum."""
        made, size = self.new(x.elements), y.elements
        self.step([x, y], [made], lambda given, wanted: [given[0], self.new(size, is_view=True) if wanted[1] else None])
        return made

    def subtract(self, x: TapeTensor, y: TapeTensor) -> TapeTensor:
        """Return the difference; the gradient of the second is a new tensor."""
        made, size = self.new(x.elements), x.elements
        self.step([x, y], [made], lambda given, wanted: [given[0], self.new(size) if wanted[1] else None])
        return made

    def multiply(self, x: TapeTensor, y: TapeTensor, in_place: bool = False) -> TapeTensor:
        """Return the product; autograd saves each factor for the gradient of the other, one in place as a copy."""
        saved = x if y.edge else None
        if in_place and saved is not None:
            saved = self.new(x.elements)
        made, size = x.view() if in_place else self.new(x.elements), x.elements
        self.step(
            [x, y],
            [made],
            lambda given, wanted: [self.new(size) if is_wanted else None for is_wanted in wanted],
            [saved, y if x.edge else None],
        )
        return made

    def matrix_product(
        self, x: TapeTensor, weight: TapeTensor, elements: Any, bias: TapeTensor | None = None
    ) -> TapeTensor:
        """Return the product of rows with a transposed weight (`addmm`, or `mm` without a bias)."""
        transposed = self.view(weight)
        made = self.new(elements)
        layout = x.known_layout
        if layout is not None:
            made.known_layout = Layout.in_order((layout.sizes[0], elements // layout.sizes[0]))
        saved = [x if transposed.edge else None]
        of_rows, of_matrix = x.elements, weight.elements

        def rows() -> TapeTensor:
            if layout is None:
                return self.new(of_rows)
            if layout.strides == (1, layout.sizes[0]):  # PyTorch then computes the transposed gradient
                return self.tensor(layout, is_view=True)
            return self.tensor(Layout.in_order(layout.sizes))

        if bias is None:

            def of_product(given: Gradients, wanted: Sequence[bool]) -> Gradients:
                matrix = self.new(of_matrix) if wanted[1] else None
                return [rows() if wanted[0] else None, matrix]

            self.step([x, transposed], [made], of_product, saved)
        else:
            of_bias = bias.elements

            def of_sum(given: Gradients, wanted: Sequence[bool]) -> Gradients:
                found = [rows() if wanted[1] else None, self.new(of_matrix) if wanted[2] else None]
                return [self.new(of_bias, is_view=True) if wanted[0] else None, *found]

            self.step([bias, x, transposed], [made], of_sum, saved)
        return made

    def each_new(self, sizes: Sequence[Any], wanted: Sequence[bool]) -> list[TapeTensor | None]:
        """Return a new gradient of each size that is wanted."""
        return [self.new(size) if is_wanted else None for size, is_wanted in zip(sizes, wanted, strict=True)]

    # -- backward

    def backward(self, output: TapeTensor, layout: Layout | None = None) -> None:
        """Run the backward pass, from the gradient of the output, which is not counted; its points replace the others.

        ``layout``: that of the gradient; None for that of the output.
        """
        self.points.clear()
        self._grows = False
        if output.edge is None:
            return
        root, number = output.edge
        reached, found = [root], {id(root)}
        for node in reached:
            for edge in node.edges:
                if edge is not None:
                    edge[0].awaited += 1
                    if id(edge[0]) not in found:
                        found.add(id(edge[0]))
                        reached.append(edge[0])
        del reached, node
        gradient = self.given(output.elements, GRADIENT, needs_gradient=False, layout=layout or output.known_layout)
        gradient.held += 1
        root.gradients[number] = gradient
        del gradient
        ready = [root]
        while ready:
            node = max(ready, key=lambda node: node.order)
            ready.remove(node)
            if node.rule is not None:
                self.label = node.label
                ready += self._run(node)

    def _run(self, node: Node) -> list[Node]:
        """Run the backward pass of a node; return the nodes that have then all their gradients."""
        returned, ready = self._returned(node), []
        node.saved = ()
        for place, edge in enumerate(node.edges):
            if edge is None:
                continue
            target, number = edge
            new = returned[place]
            if new is not None:
                if number not in target.gradients:
                    returned[place] = None  # moved; one that is added to another lives until the node has run
                self._accumulate(target, number, new)
            del new
            target.awaited -= 1
            if not target.awaited:
                ready.append(target)
                if target.key is not None and target.key >= 0:
                    self.complete[target.key] = target.gradients[number]
        return ready

    def _returned(self, node: Node) -> list[TapeTensor | None]:
        assert node.rule is not None
        given = [node.gradients.pop(number, None) for number in range(node.outputs)]
        for value in given:
            if value is not None:
                value.held -= 1
        wanted = [edge is not None for edge in node.edges]
        return [new if is_wanted else None for new, is_wanted in zip(node.rule(given, wanted), wanted, strict=True)]

    def _accumulate(self, node: Node, number: int, new: TapeTensor) -> None:
        """Add a gradient to the one that waits, in place if nothing else holds that."""
        old = node.gradients.get(number)
        if node.key is not None and node.key >= 0 and old is None:
            self.given_on[node.key] = (len(self.points), self._point())
            self._grows = False
        if old is not None:
            dense = old.known_layout is None or old.known_layout.is_dense
            if dense and not old.is_view and old.held == 1 and old is not new:
                return
            old.held -= 1
            both = (old.known_layout, new.known_layout)
            known = [layout for layout in both if layout is not None]
            new = self.tensor(elementwise(known)) if len(known) == len(both) else self.new(old.elements)
        new.held += 1
        node.gradients[number] = new
