"""The memory of a training step: forward pass, backward pass, and the weights' update.

Autograd saves tensors of its own for every operator (`Operator.keeps`) until its backward pass. A tensor that several
operators save, or that is a view of another, is one piece of memory, and counts once. The backward pass takes the
layers in reverse order; a gradient lives until the layer whose output's it is has used it, and gradients that meet are
added, in place where nothing else holds the first. The weights' gradients stay until the update.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from archcalc.analysis.costs import ITEM_SIZES, Analysis
from archcalc.analysis.heap import Heap, Moment, Peak, Piece, peak_of
from archcalc.analysis.run import Run, piece_of, shown
from archcalc.arithmetic import product
from archcalc.network import Layer
from archcalc.ops.layout import Layout, elementwise
from archcalc.ops.operator import GRADIENT, Gradient, Held, Keeps, Operator, Returned


class Optimizer(NamedTuple):
    """What an optimizer needs, in numbers for each weight."""

    state: int
    """Kept between steps."""
    scratch: int
    """Made on the way through an update of all weights at once (PyTorch's `foreach`, its default on a GPU)."""


OPTIMIZERS = {
    "none": Optimizer(0, 0),
    "sgd": Optimizer(0, 0),
    "momentum": Optimizer(1, 0),
    "adam": Optimizer(2, 1),
}


class Saved(NamedTuple):
    """What one layer adds to the saved tensors."""

    layer: str
    saved_bytes: int


class TrainingMemory(NamedTuple):
    """Bytes that a training step needs at the end of its forward pass."""

    weights: int
    gradients: int
    optimizer: int
    saved: int
    """Tensors that autograd keeps for the backward pass."""

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)


def saved_activations(analysis: Analysis, recomputed: Sequence[range] = ()) -> list[Saved]:
    """What each layer adds to the tensors that autograd saves, for the whole batch, in order of execution.

    Of layers that are recomputed, only what their block takes is kept.
    """
    step = Step(analysis, recomputed)
    for _ in step.forward():
        pass
    known: set[Piece] = set()
    saved = []
    for row, kept in zip(analysis.rows, step.kept, strict=True):
        saved.append(Saved(row.name, sum(size for piece, size in kept.items() if piece not in known)))
        known.update(kept)
    return saved


def training_memory(analysis: Analysis, optimizer: str = "sgd") -> TrainingMemory:
    """Weights, their gradients, the optimizer's state (a key of `OPTIMIZERS`) and what autograd saves."""
    weights = analysis.totals.params * ITEM_SIZES[analysis.dtype]
    saved = sum(one.saved_bytes for one in saved_activations(analysis))
    return TrainingMemory(weights, weights, weights * OPTIMIZERS[optimizer].state, saved)


def training_timeline(analysis: Analysis, optimizer: str = "sgd", recomputed: Sequence[range] = ()) -> list[Moment]:
    """The tensors alive at every moment of a training step, for the whole batch; weights and optimizer's state apart.

    ``recomputed`` are blocks, as numbers of layers in their order, that `torch.utils.checkpoint` is applied to.
    """
    return list(_start(analysis, optimizer, recomputed)[1])


def training_peak(analysis: Analysis, optimizer: str = "sgd", recomputed: Sequence[range] = ()) -> Peak:
    """The moment of a training step with the most live bytes, and what is alive then."""
    return peak_of(lambda: _start(analysis, optimizer, recomputed))


def last_saving(layers: Sequence[Layer], block: range) -> int | None:
    """Number of the last layer of a block that autograd saves anything for: recomputing ends there."""
    return next((at for at in reversed(block) if any(layers[at].op.keeps())), None)


def runs_when_last(op: Operator) -> bool:
    """Whether recomputing ends after the operator's own work: not where it only saves what it is given."""
    keeps = op.keeps()
    return keeps != Keeps(inputs=keeps.inputs)


def _start(analysis: Analysis, optimizer: str, recomputed: Sequence[range]) -> tuple[Heap, Iterator[Moment]]:
    step = Step(analysis, recomputed)
    return step.run.heap, step.moments(OPTIMIZERS[optimizer])


class _Gradient(NamedTuple):
    """A gradient on its way."""

    piece: Piece
    layout: Layout
    is_view: bool = False


class Step:
    """A training step, moment by moment."""

    def __init__(self, analysis: Analysis, recomputed: Sequence[range]) -> None:
        self.run = Run(analysis, training=True)
        self.network = analysis.network
        self.weights = analysis.totals.params * self.run.item
        self._kept: list[dict[Piece, int]] = []
        self.differentiable = self.run.differentiable
        self._block_of = {at: block for block in map(self.run.within, recomputed) for at in block}
        self._saved_by: dict[int, list[Piece]] = {}
        self._taken_by: dict[range, list[Piece]] = {}
        """What blocks that are recomputed take from outside."""
        self._added: set[Piece] = set()
        """Gradients of shared weights that are a sum already: what comes next is added in place."""
        self._gradients: dict[str, _Gradient] = {}
        """Of each name, its output's gradient so far."""

    @property
    def kept(self) -> list[dict[Piece, int]]:
        """Of each of the analysis' layers, what autograd keeps for it at the end of the forward pass, and its bytes."""
        return [{piece: size for at in row for piece, size in self._kept[at].items()} for row in self.run.rows]

    def moments(self, optimizer: Optimizer) -> Iterator[Moment]:
        """All of them, to the weights' update."""
        yield from self.forward()
        yield from self.backward()
        yield self.at_update(optimizer)

    def at_update(self, optimizer: Optimizer) -> Moment:
        """The moment after the backward pass."""
        return self.run.heap.moment("update", "", optimizer.scratch * self.weights)

    def waiting(self, row: int) -> list[str]:
        """Names of layers before the analysis' layer number ``row`` whose outputs a layer from there on takes."""
        at = self.run.rows[row].start
        before = {layer.name for layer in self.run.layers[:at]}
        return [name for names in self.run.ends[at:] for name in names if name in before]

    # -- forward

    def forward(self) -> Iterator[Moment]:
        """The moments of the forward pass."""
        run = self.run
        for at, layer in enumerate(run.layers):
            block = self._block_of.get(at)
            kept = self._take(block) if block is not None and at == block.start else []
            if block is None and layer.name in self.differentiable:
                yield from self._scratch("forward", at, layer.op.scratch_of(run.given[at]).training)
                run.give(at)
                kept = self._keep(at)
            else:
                yield from self._passing("forward", at)
                run.give(at)
            self._kept.append({piece: run.heap.size(piece) for piece in kept})
            yield run.moment("forward", at)
            run.forget(at)

    def _scratch(self, phase: str, at: int, scratch: tuple[Held, ...]) -> Iterator[Moment]:
        for held in scratch:
            yield self.run.moment(phase, at, self.run.bytes_of(held))

    def _passing(self, phase: str, at: int) -> Iterator[Moment]:
        """A layer without autograd, as nothing is trained or it is recomputed: what would be saved is gone at once."""
        moments = self.run.layers[at].op.scratch_of(self.run.given[at])
        scratch = moments.inference or moments.training  # the latter of what does nothing in inference
        if scratch:
            yield from self._scratch(phase, at, scratch)
        else:
            own = self.run.output_bytes(at) + self._own_bytes(self._keeps(at))
            yield self.run.moment(phase, at, own)

    def _keeps(self, at: int) -> Keeps:
        return self.run.layers[at].op.keeps_of(self.run.given[at])

    def _own_bytes(self, keeps: Keeps) -> int:
        """Bytes that autograd saves beside an operator's inputs and output."""
        return self.run.bytes_of(Held(keeps.elements, keeps.shared, keeps.index_bytes, precise=keeps.precise))

    def _keep(self, at: int) -> list[Piece]:
        """Hold what autograd saves for a layer that has just run."""
        layer, run = self.run.layers[at], self.run
        keeps = self._keeps(at)
        names = [name for number, name in enumerate(layer.inputs) if keeps.input(number)]
        pieces = self._hold([*names, *([layer.name] if keeps.output else ())])
        own = self._own_bytes(keeps)
        if own:
            pieces.append(piece_of(layer.name, "saved"))
            run.heap.make(pieces[-1], own)
        self._saved_by[at] = pieces
        return pieces

    def _take(self, block: range) -> list[Piece]:
        """Hold what a block takes from outside, for when it is recomputed."""
        inside = {self.run.layers[at].name for at in block}
        names = [name for at in block for name in self.run.layers[at].inputs if name not in inside]
        self._taken_by[block] = self._hold(names)
        return self._taken_by[block]

    def _hold(self, names: Sequence[str]) -> list[Piece]:
        pieces = list(dict.fromkeys(self.run.piece[name] for name in names))
        for piece in pieces:
            self.run.heap.hold(piece)
        return pieces

    # -- backward

    def backward(self) -> Iterator[Moment]:
        """The moments of the backward pass, for given gradients of the outputs."""
        run = self.run
        number_of = {layer.name: at for at, layer in enumerate(run.layers)}
        for name in run.outputs:
            if name in self.differentiable:
                piece = self._make_gradient(name, "")
                run.heap.hold(piece)  # who gives it has it still
                layout = elementwise([run.placed[number_of[name]].layout])
                yield from self._meet(name, _Gradient(piece, layout), number_of[name])
        for at in reversed(range(len(run.layers))):
            layer, block = run.layers[at], self._block_of.get(at)
            if block is not None and at == last_saving(run.layers, block):
                yield from self._recompute(block, at)
            if layer.name in self._gradients:
                yield from self._go_back(at, self._gradients.pop(layer.name), self._saved_by.pop(at, []))
            if block is not None and at == block.start:
                self._drop(self._taken_by.pop(block))

    def _recompute(self, block: range, last: int) -> Iterator[Moment]:
        """Run a block again up to layer number ``last``, and keep what autograd saves."""
        run = self.run
        made: dict[str, Piece] = {}
        for at in range(block.start, last + 1):
            layer = run.layers[at]
            trained = layer.name in self.differentiable
            if trained:
                yield from self._scratch("recompute", at, layer.op.scratch_of(run.given[at]).training)
            else:
                yield from self._passing("recompute", at)
            if at < last or runs_when_last(layer.op):
                run.give(at, "recomputed")
                made[layer.name] = run.piece[layer.name]
            if trained:
                self._keep(at)
            yield run.moment("recompute", at)
            self._drop([made.pop(name) for name in run.ends[at] if name in made])
        self._drop(made.values())

    def _go_back(self, at: int, gradient: _Gradient, saved: list[Piece]) -> Iterator[Moment]:
        """The backward pass of one layer: from its output's gradient to those of its inputs and weights."""
        layer, given, heap = self.run.layers[at], self.run.given[at], self.run.heap
        op = layer.op
        if op.copies_gradient(given, gradient.layout):
            copy = self._make_gradient(layer.name, shown(layer.name))
            yield self.run.moment("backward", at)
            self._drop([gradient.piece])
            gradient = _Gradient(copy, Layout.in_order(gradient.layout.sizes))
        wanted = [
            (source, returned)
            for source, returned in zip(layer.inputs, op.returns(given, gradient.layout), strict=True)
            if source in self.differentiable and returned is not None
        ]
        scratch = op.scratch_of(given)
        inside = scratch.backward
        for number, held in enumerate(inside):
            given_back = {self._piece_of(layer, one, gradient) for one, since in scratch.frees if number >= since}
            kept = given_back & {*saved, gradient.piece}
            freed = sum(heap.size(piece) for piece in kept if heap.is_held_once(piece))
            yield self.run.moment("backward", at, self.run.bytes_of(held) - freed)
        made = [(source, returned, self._gradient_of(source, returned, gradient, layer)) for source, returned in wanted]
        weights = Piece(layer.shares or layer.name, "weights' gradient")
        size = sum(map(product, op.weights().values())) * self.run.item
        added = heap.has(weights)  # shared weights: added to what is there
        if not added:
            heap.make(weights, size)
        if not inside:
            yield self.run.moment("backward", at, size if added else 0)
        self._drop([*saved, gradient.piece])
        yield self.run.moment("backward", at)
        for source, returned, one in made:
            if not returned.is_view:
                yield from self._meet(source, one, at)
        copied = int(op.copied_weights(given)) * self.run.item
        on_the_way = max(copied, self._adding(at, weights) if added else 0)
        if on_the_way:
            yield self.run.moment("backward", at, on_the_way)
        for source, returned, one in made:
            if returned.is_view:  # the view's own node comes after the weights
                yield from self._meet(source, one, at)

    def _piece_of(self, layer: Layer, number: int, gradient: _Gradient) -> Piece:
        return gradient.piece if number == GRADIENT else self.run.piece[layer.inputs[number]]

    def _adding(self, at: int, weights: Piece) -> int:
        """Bytes beside the gradients of shared weights that are there, while those of one more use are added."""
        op, item = self.run.layers[at].op, self.run.item
        sizes = [product(shape) * item for shape in op.weights().values()]
        if not op.weights_by_views or weights in self._added:
            return sum(sizes)  # in place
        self._added.add(weights)
        left = sum(sizes)
        most = 0
        for size in reversed(sizes):  # the bias first; each in a tensor of its own
            most = max(most, left + size)
            left -= size
        return most

    def _gradient_of(self, source: str, returned: Returned, gradient: _Gradient, layer: Layer) -> _Gradient:
        if returned.kind is Gradient.NEW:
            return _Gradient(self._make_gradient(source, layer.name), returned.layout, returned.is_view)
        self.run.heap.hold(gradient.piece)
        return _Gradient(gradient.piece, returned.layout, gradient.is_view or returned.is_view)

    def _make_gradient(self, name: str, made_by: str) -> Piece:
        piece = piece_of(name, "gradient", made_by)
        while self.run.heap.has(piece):  # a layer that takes one tensor twice makes two
            piece = piece._replace(made_by=f"{piece.made_by}, again")
        size = product(self.run.shapes[name]) * self.run.batch * self.run.item
        self.run.heap.make(piece, size)
        return piece

    def _meet(self, name: str, new: _Gradient, at: int) -> Iterator[Moment]:
        """A gradient of a layer's output comes to those that are there: they are added."""
        heap, old = self.run.heap, self._gradients.get(name)
        if old is None:
            self._gradients[name] = new
            return
        if old.layout.is_dense and not old.is_view and heap.is_held_once(old.piece):
            heap.drop(new.piece)
            return
        total = self._make_gradient(name, f"{shown(self.run.layers[at].name)}, added")
        yield self.run.moment("backward", at)
        self._drop([old.piece, new.piece])
        self._gradients[name] = _Gradient(total, elementwise([old.layout, new.layout]))

    def _drop(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self.run.heap.drop(piece)
