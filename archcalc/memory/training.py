"""The memory of a training step: forward pass, backward pass, and the update of the weights.

Autograd saves tensors for every operator (`Operator.saved_tensors`) until its backward pass. A tensor that several
operators save, or that is a view of another, is one storage and counts once. The backward pass takes the layers in
reverse order. The gradient of a layer's output is freed after that layer's backward pass has used it. Gradients of one
tensor are added, in place if nothing else holds the first. The gradients of weights stay until the update.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from archcalc.analysis.costs import Analysis
from archcalc.arithmetic import product
from archcalc.dtypes import bytes_of
from archcalc.memory.casting import copied_weights, saves_copies
from archcalc.memory.graph import gradient_sources, node_holders
from archcalc.memory.heap import Peak, Storage, TimelinePoint, peak_of
from archcalc.memory.optimizers import TrainingStep, as_step
from archcalc.memory.simulation import MemorySimulation, layer_of, storage_of
from archcalc.network import Layer, WeightRef
from archcalc.ops.layout import InputTensors, Layout, elementwise
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import GRADIENT, Autocast, GradientKind, InputGradient, SavedTensors, Workspace, Workspaces
from archcalc.structs import replace


def saved_tensor_bytes(analysis: Analysis, recomputed: Sequence[range] = ()) -> int:
    """Return the bytes of saved tensors at the end of the forward pass, for the whole batch.

    Of a block in ``recomputed``, only its inputs are saved.
    """
    saved = _saved_after_forward(analysis, recomputed)
    return sum({storage: size for row in saved for storage, size in row.items()}.values())


def saved_by_layer(analysis: Analysis) -> dict[str, int]:
    """Return the bytes that each layer saves, of a tensor that several save at the first; without layers of none."""
    known: set[Storage] = set()
    found: dict[str, int] = {}
    for row, saved in zip(analysis.rows, _saved_after_forward(analysis), strict=True):
        new = {storage: size for storage, size in saved.items() if storage not in known}
        known |= new.keys()
        if new:
            found[row.name] = sum(new.values())
    return found


def _saved_after_forward(analysis: Analysis, recomputed: Sequence[range] = ()) -> list[dict[Storage, int]]:
    run = TrainingSimulation(analysis, recomputed, TrainingStep())
    for _ in run.forward():
        pass
    return run.saved


def training_timeline(analysis: Analysis, optimizer: str | TrainingStep = "sgd") -> list[TimelinePoint]:
    """Return the live tensors at every point of a training step, in bytes for the whole batch.

    Weights and optimizer state are not included.
    """
    return list(TrainingSimulation(analysis, (), as_step(optimizer)).points())


def training_peak(analysis: Analysis, optimizer: str | TrainingStep = "sgd", recomputed: Sequence[range] = ()) -> Peak:
    """Return the point of a training step with the most live bytes, and the tensors that are live there.

    ``recomputed`` are blocks under `torch.utils.checkpoint`, each as the numbers of its layers in the order of
    execution.
    """
    return peak_of(lambda: TrainingSimulation(analysis, recomputed, as_step(optimizer)))


def last_saving(layers: Sequence[Layer], block: range) -> int | None:
    """Return the last layer of a block for which autograd saves anything: recomputation ends there."""
    return next((number for number in reversed(block) if _saved_of_sample(layers[number].op) != SavedTensors()), None)


def runs_when_last(op: Operator) -> bool:
    """Return True if recomputation that ends with this operator runs it: not if it only saves its inputs."""
    saved = _saved_of_sample(op)
    return saved != SavedTensors(inputs=saved.inputs)


def _saved_of_sample(op: Operator) -> SavedTensors:
    return op.saved_tensors_for(InputTensors.one_sample(op.inputs))


class _PendingGradient(NamedTuple):
    """The gradient of a tensor whose layer's backward pass has not run yet."""

    storage: Storage
    layout: Layout
    is_view: bool = False


class TrainingSimulation(MemorySimulation):
    """A training step, one timeline point after another."""

    def __init__(self, analysis: Analysis, recomputed: Sequence[range], step: TrainingStep) -> None:
        super().__init__(analysis, training=True)
        self.step = step
        self.trained_params = analysis.totals.trained_params
        self._saved: list[dict[Storage, int]] = []
        """For each layer, its saved tensors at the end of the forward pass, with their bytes."""
        self._block_of = {number: block for block in map(self.within, recomputed) for number in block}
        self._number_of = {layer.name: number for number, layer in enumerate(self.layers)}
        self._holders = node_holders(self, self._block_of)
        self._saved_by: dict[int, list[Storage]] = {}
        """The saved tensors that a layer's backward pass will drop."""
        self._inputs_of: dict[range, list[Storage]] = {}
        """For each recomputed block, the storages of its inputs."""
        self._views: set[Storage] = set()
        """Weights' gradients that are views: adding to one makes a new tensor, to which the next is added in place."""
        self._gradients: dict[str, _PendingGradient] = {}
        """For each tensor, the sum of its gradients so far."""

    @property
    def saved(self) -> list[dict[Storage, int]]:
        """For each layer of the analysis, its saved tensors at the end of the forward pass, with their bytes."""
        return [{key: size for number in row for key, size in self._saved[number].items()} for row in self.rows]

    def points(self) -> Iterator[TimelinePoint]:
        """Yield all points, up to the update of the weights; of several passes, those of the last."""
        yield from self.forward()
        yield from self.backward()
        yield self.at_update()

    def at_update(self) -> TimelinePoint:
        """Return the point after the backward pass.

        With a master copy, the gradients are first copied in its type. Clipping needs a number for each tensor, their
        stack, and their norm.
        """
        roles, step = self.roles, self.step
        updated = roles.master or roles.weights
        converted = bytes_of(self.trained_params, updated) if updated != roles.gradients else 0
        workspace = bytes_of(step.rule.workspace * self.trained_params, updated) + converted
        tensors = sum(map(len, self.trained.values()))
        clipping = bytes_of(2 * tensors + 1, roles.gradients) if step.clip else 0
        return self.heap.point("update", "", max(step.share(workspace, 1), clipping))

    def waiting(self, row: int) -> list[str]:
        """Return the layers before layer ``row`` of the analysis whose outputs it or a later layer takes."""
        number = self.rows[row].start
        before = {layer.name for layer in self.layers[:number]}
        return [name for names in self.last_uses[number:] for name in names if name in before]

    # -- forward

    def forward(self) -> Iterator[TimelinePoint]:
        """Yield the points of the forward pass."""
        if self.step.accumulate > 1:
            self._keep_gradients()
        for number, layer in enumerate(self.layers):
            block, workspaces = self._block_of.get(number), self.workspaces(number)
            copies = self.copy_weights(number)
            saved = self._hold_inputs(block) if block is not None and number == block.start else []
            saves = block is None and layer.name in self.differentiable
            yield from self._running("forward", number, workspaces, saves)
            self.make_output(number)
            if saves:
                saved = self._save(number, copies)
            self._saved.append({storage: self.heap.size(storage) for storage in saved})
            yield self.point("forward", number)
            self.release(number)
            self._drop_graphs(self.last_uses[number])
            yield from self.workspace_points("forward", number, workspaces.afterwards)
        self.drop_copies()

    def _keep_gradients(self) -> None:
        """Make the gradients of the passes before.

        That of weights with one use is added in place. Those of several uses are first added to each other.
        """
        found = [item for layer in self.layers for item in self._weight_gradients(layer).items()]
        uses = Counter(storage for storage, _ in found)
        for storage, sizes in dict(found).items():
            kept = storage if uses[storage] == 1 else storage._replace(made_by="the passes before")
            self.heap.make(kept, sum(sizes))

    def _running(self, phase: str, number: int, workspaces: Workspaces, saves: bool) -> Iterator[TimelinePoint]:
        """Yield the points of a layer until its output is there.

        If autograd ``saves`` nothing, the layer frees at once what it would save.
        """
        if saves:
            yield from self.workspace_points(phase, number, workspaces.training)
        elif points := workspaces.inference or workspaces.training:  # the latter if it is free at inference
            yield from self.workspace_points(phase, number, points)
        else:
            own = self.output_bytes(number) + self._own_bytes(self._saved_tensors(number), number)
            yield self.point(phase, number, own)

    def _saved_tensors(self, number: int) -> SavedTensors:
        return self.layers[number].op.saved_tensors_for(self.tensors[number])

    def _own_bytes(self, saved: SavedTensors, number: int) -> Any:
        """Return the bytes of saved tensors that are neither an input nor the output."""
        op = self.layers[number].op
        if self.roles.autocast and op.weights() and op.autocast_policy() is Autocast.WIDEST:
            # Statistics have the type of the weights.
            statistics = bytes_of(saved.shared, self.roles.weights) + saved.shared_bytes
            precise = saved.precise + saved.elements
            saved = replace(saved, elements=0, shared=0, shared_bytes=statistics, precise=precise)
        return self.bytes_of(saved, number)

    def _save(self, number: int, copies: Sequence[Storage] = ()) -> list[Storage]:
        """Hold the saved tensors of a layer that has just run, and the copies of its weights that it needs."""
        layer, saved = self.layers[number], self._saved_tensors(number)
        names = [name for position, name in enumerate(layer.inputs) if saved.input(position)]
        storages = self._hold_tensors([*names, *([layer.name] if saved.output else ())])
        own = self._own_bytes(saved, number)
        if own:
            storages.append(storage_of(layer.name, "saved"))
            self.heap.make(storages[-1], own)
        if copies and saves_copies(layer, self.tensors[number]):
            self.heap.hold(*copies)
            storages.extend(copies)
        self._saved_by[number] = storages
        return storages

    def _hold_inputs(self, block: range) -> list[Storage]:
        """Hold the inputs of a block until it is recomputed."""
        inside = {self.layers[number].name for number in block}
        names = [name for number in block for name in self.layers[number].inputs if name not in inside]
        self._inputs_of[block] = self._hold_tensors(names)
        return self._inputs_of[block]

    def _hold_tensors(self, names: Sequence[str]) -> list[Storage]:
        storages = list(dict.fromkeys(self.storage[name] for name in names))
        self.heap.hold(*storages)
        return storages

    def _drop_graphs(self, names: Sequence[str]) -> None:
        """Drop what autograd has saved for released tensors from which no gradient will come back."""
        for name in names:
            if name in self._holders:
                self._holders[name] -= 1
                if not self._holders[name]:
                    number = self._number_of[name]
                    self.heap.drop(*self._saved_by.pop(number, ()))
                    self._saved[number] = {}
                    self._drop_graphs(gradient_sources(self, number))

    # -- backward

    def backward(self) -> Iterator[TimelinePoint]:
        """Yield the points of the backward pass, from gradients of the outputs that the caller holds."""
        for name in self.outputs:
            if name in self.differentiable:
                storage, number = self._make_gradient(name, ""), self._number_of[name]
                self.heap.hold(storage)  # the caller holds it too
                layout = elementwise([self.placements[number].layout])
                yield from self._accumulate(name, _PendingGradient(storage, layout), number)
        for number in reversed(range(len(self.layers))):
            block = self._block_of.get(number)
            if block is not None and number == last_saving(self.layers, block):
                yield from self._recompute(block, number)
            if self.layers[number].name in self._gradients:
                yield from self._backward_of(number)
            if block is not None and number == block.start:
                self.heap.drop(*self._inputs_of.pop(block))

    def _recompute(self, block: range, last: int) -> Iterator[TimelinePoint]:
        """Run a block again up to layer ``last``, and hold its saved tensors."""
        made: dict[str, Storage] = {}
        for number in range(block.start, last + 1):
            layer = self.layers[number]
            saves = layer.name in self.differentiable
            yield from self._running("recompute", number, self.workspaces(number), saves)
            if number < last or runs_when_last(layer.op):
                self.make_output(number, "recomputed")
                made[layer.name] = self.storage[layer.name]
            if saves:
                self._save(number)
            yield self.point("recompute", number)
            self.heap.drop(*[made.pop(name) for name in self.last_uses[number] if name in made])
        self.heap.drop(*made.values())

    def _backward_of(self, number: int) -> Iterator[TimelinePoint]:
        """Run the backward pass of one layer: from its output's gradient to those of its inputs and weights."""
        layer, gradient = self.layers[number], self._gradients.pop(self.layers[number].name)
        op, tensors = layer.op, self.tensors[number]
        if op.copies_gradient(tensors, gradient.layout):
            copy = self._make_gradient(layer.name, layer_of(layer.name))
            yield self.point("backward", number)
            self.heap.drop(gradient.storage)
            gradient = _PendingGradient(copy, Layout.in_order(gradient.layout.sizes))
        tensors = tensors._replace(gradient=gradient.layout)
        wanted = {
            position: returned
            for position, returned in enumerate(op.input_gradients(tensors, gradient.layout))
            if returned is not None and layer.inputs[position] in self.differentiable
        }
        workspaces = op.workspaces_for(tensors)
        held = [*self._saved_by.pop(number, ()), gradient.storage]
        yield from self._while_backward(number, workspaces, gradient, held, wanted)
        made = [
            (layer.inputs[position], returned.is_view, self._gradient_of(layer, position, returned, gradient))
            for position, returned in wanted.items()
        ]
        sizes = self._weight_gradients(layer)
        added = {storage: own for storage, own in sizes.items() if self.heap.has(storage)}
        """Gradients of shared weights, which are added to those that are there."""
        new = {storage: sum(own) for storage, own in sizes.items() if storage not in added}
        lower = sum(copied_weights(layer, self.roles.autocast)) * tensors.trains_weights
        """Bytes of autocast's gradients of copied weights, which are cast after the saved tensors are freed."""
        if not lower:
            self._make_weight_gradients(op, new)
        if not workspaces.backward:
            yield self.point("backward", number, lower + sum(map(sum, added.values())))
        self.heap.drop(*held)
        if lower:
            self._make_weight_gradients(op, new)
        yield self.point("backward", number, lower)
        for source, is_view, pending in made:
            if not is_view:
                yield from self._accumulate(source, pending, number)
        copied = bytes_of(op.copied_weight_gradients(tensors), self.roles.gradients) * tensors.trains_weights
        temporary = max(copied, self._bytes_while_adding(added))
        if temporary:
            yield self.point("backward", number, temporary)
        for source, is_view, pending in made:
            if is_view:  # the view's own node runs after the gradients of the weights
                yield from self._accumulate(source, pending, number)

    def _while_backward(
        self,
        number: int,
        workspaces: Workspaces,
        gradient: _PendingGradient,
        held: Sequence[Storage],
        wanted: dict[int, InputGradient],
    ) -> Iterator[TimelinePoint]:
        """Yield the points of the workspaces in a backward pass.

        The gradients of inputs that are there before its end are made and added, and taken out of ``wanted``.
        """
        layer, early = self.layers[number], 0
        """Bytes of the early gradients, which the points count too."""

        def beside(workspace: Workspace, released: Iterable[int]) -> Any:
            sources = (held[-1] if index == GRADIENT else self.storage[layer.inputs[index]] for index in released)
            freed = sum(self.heap.size(storage) for storage in {*sources} & {*held} if self.heap.is_held_once(storage))
            return self.bytes_of(workspace, number) - early - freed

        gives = sorted(workspaces.gives)  # by the positions of the inputs
        for since, workspace in enumerate(workspaces.backward):
            for position, before, then, released in gives:
                if before == since and position in wanted and wanted[position].kind is GradientKind.NEW:
                    pending = self._gradient_of(layer, position, wanted.pop(position), gradient)
                    early += self.heap.size(pending.storage)
                    yield from self._accumulate(layer.inputs[position], pending, number, beside(then, released))
            yield self.point(
                "backward", number, beside(workspace, [index for index, first in workspaces.frees if since >= first])
            )

    def _make_weight_gradients(self, op: Operator, sizes: Mapping[Storage, int]) -> None:
        for storage, size in sizes.items():
            self.heap.make(storage, size)
            if op.weight_gradients_are_views:
                self._views.add(storage)

    def _weight_gradients(self, layer: Layer) -> dict[Storage, list[int]]:
        """Return the storages of the gradients of a layer's trained weights, with the bytes of each tensor in them."""
        found: dict[Storage, list[int]] = {}
        owner = self.by_name[layer.shares] if layer.shares else layer
        shapes = layer.op.weights()
        for name in self.trained.get(layer.name, ()):
            ref = owner.ties.get(name, WeightRef(owner.name, name))
            storage = Storage(ref.layer, "weights' gradient", ref.tensor if ref in self.tied else "")
            size = bytes_of(product(shapes[name]), self.roles.gradients)
            found.setdefault(storage, []).append(self.step.share(size, 2))
        return found

    def _bytes_while_adding(self, gradients: dict[Storage, list[int]]) -> int:
        """Return the bytes that adding more gradients of shared weights needs beside the first ones."""
        most = left = sum(map(sum, gradients.values()))
        for storage, sizes in reversed(gradients.items()):  # the bias first
            for size in reversed(sizes):
                if storage in self._views:  # the sum is a new tensor
                    most = max(most, left + size)
                left -= size
        self._views -= gradients.keys()
        return most

    def _gradient_of(
        self, layer: Layer, position: int, returned: InputGradient, gradient: _PendingGradient
    ) -> _PendingGradient:
        """Return the gradient of an input, in a storage of its own or in that of the output's gradient."""
        if returned.kind is GradientKind.NEW:
            storage = self._make_gradient(layer.inputs[position], layer.name, returned.elements)
            return _PendingGradient(storage, returned.layout, returned.is_view)
        self.heap.hold(gradient.storage)
        return _PendingGradient(gradient.storage, returned.layout, gradient.is_view or returned.is_view)

    def _make_gradient(self, name: str, made_by: str, elements: int | None = None) -> Storage:
        storage = storage_of(name, "gradient", made_by)
        while self.heap.has(storage):  # a layer that takes one tensor twice makes two gradients
            storage = storage._replace(made_by=f"{storage.made_by}, again")
        elements = product(self.shapes[name]) * self.batch if elements is None else elements
        self.heap.make(storage, self.tensor_bytes(name, elements))
        return storage

    def _accumulate(self, name: str, new: _PendingGradient, number: int, workspace: int = 0) -> Iterator[TimelinePoint]:
        """Add a gradient of a layer's output to the one that is there, beside what the layer uses at that time."""
        old = self._gradients.get(name)
        if old is None:
            self._gradients[name] = new
        elif old.layout.is_dense and not old.is_view and self.heap.is_held_once(old.storage):
            self.heap.drop(new.storage)
        else:
            total = self._make_gradient(name, f"{layer_of(self.layers[number].name)}, added")
            yield self.point("backward", number, workspace)
            self.heap.drop(old.storage, new.storage)
            self._gradients[name] = _PendingGradient(total, elementwise([old.layout, new.layout]))
