"""The cost of every layer, in exact integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from archcalc.analysis.conventions import Convention
from archcalc.analysis.counting import DEFAULT, Counting
from archcalc.analysis.survival import survivals
from archcalc.analysis.types import tensor_types
from archcalc.arithmetic import Shape, product
from archcalc.collection import no_collection
from archcalc.dtypes import bytes_of
from archcalc.network import Layer, Network
from archcalc.ops.naming import AxisNames
from archcalc.ops.operator import Operator
from archcalc.receptive.fields import Fields, ReceptiveField
from archcalc.structs import Struct, replace


class LayerCosts(NamedTuple):
    """The costs of one layer. Counts and bytes are for the whole batch, shapes for one sample."""

    layer: Layer
    fields: Fields
    """The receptive fields of all layers."""
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    weights: int
    """Trainable elements other than biases; 0 if the layer shares another layer's weights."""
    biases: int
    buffers: int
    """Stored elements that are not trainable."""
    active_params: int
    """Trainable elements that a token uses: all but those of experts that it is not given to."""
    weight_memory: int
    """Bytes of the weights and biases; 0 if they are another layer's."""
    macs: int
    """Multiply-accumulate operations of the forward pass, the same in every convention."""
    flops: int
    """FLOPs of the forward pass, as the convention counts them."""
    memory: int
    """Activation memory: bytes of the output, as the convention counts them."""
    bytes_read: int
    """Bytes of the inputs, weights and biases."""
    bytes_written: int
    """Bytes of the output."""
    backward_macs: int = 0
    """MACs of the backward pass: of the gradients of trained weights, and of inputs that a trained layer precedes."""
    backward_flops: int = 0
    """FLOPs of the backward pass, as the convention counts them; 0 if it does not count them."""

    @property
    def name(self) -> str:
        """The layer's full name."""
        return self.layer.name

    @property
    def params(self) -> int:
        """Trainable elements: weights and biases."""
        return self.weights + self.biases

    @property
    def trained_params(self) -> int:
        """Elements that training changes: the parameters, unless the layer is frozen."""
        return self.params if self.layer.trainable else 0

    @property
    def step_flops(self) -> int:
        """FLOPs of a training step, forward and backward, as the convention counts them."""
        return self.flops + self.backward_flops

    @property
    def input_axes(self) -> tuple[AxisNames, ...]:
        """The names of each input's axes."""
        axes = self.fields.network.axes
        return tuple(axes[source] for source in self.layer.inputs)

    @property
    def output_axes(self) -> AxisNames:
        """The names of the output's axes."""
        return self.fields.network.axes[self.layer.name]

    @property
    def receptive_field(self) -> ReceptiveField:
        """The receptive field of one output position."""
        return self.fields[self.layer.name]

    @property
    def field_bound(self) -> tuple[Any, ...]:
        """The published recurrence's receptive field size, along each dimension; None where positions are lost."""
        return self.fields.bounds[self.layer.name]


class Totals(Struct):
    """Sums over layers, in the units of `LayerCosts`."""

    weights: int = 0
    biases: int = 0
    params: int = 0
    active_params: int = 0
    trained_params: int = 0
    buffers: int = 0
    weight_memory: int = 0
    macs: int = 0
    flops: int = 0
    memory: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    backward_macs: int = 0
    backward_flops: int = 0
    step_flops: int = 0

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Totals:
        """Return the sum of each quantity over the rows."""
        rows = list(rows)
        return cls(**{name: sum(map(attrgetter(name), rows)) for name in cls.__match_args__})


class Analysis(Struct):
    """The costs of every layer under one convention, for a whole batch.

    Examples:
        >>> import archcalc
        >>> analysis = archcalc.load("alexnet").analyze(batch=32)
        >>> analysis["conv1"].output_shape
        (64, 56, 56)
        >>> analysis.totals.params
        61100840
    """

    network: Network
    counting: Counting
    rows: tuple[LayerCosts, ...]
    """The layers that run at inference, in the order of execution."""
    auxiliary: tuple[LayerCosts, ...]
    """Layers outside the totals: side outputs, and layers that exist only in training."""
    fields: Fields
    """The receptive field of each layer, by its name."""

    @property
    def batch(self) -> int:
        """Samples at once."""
        return self.counting.batch

    @property
    def dtype(self) -> str:
        """The element type, or the name of the precision."""
        return self.counting.types

    @property
    def convention(self) -> Convention:
        """The rule for what counts as a FLOP."""
        return self.counting.rule

    @property
    def unaligned(self) -> tuple[str, ...]:
        """Joins whose paths differ in effective stride or center."""
        return tuple(self.fields.propagation.unaligned)

    @cached_property
    def unknown_work(self) -> tuple[str, ...]:
        """Layers whose multiply-adds are not known: with one, the totals of work are lower bounds."""
        return tuple(row.name for row in self.rows if not row.layer.op.work_is_known)

    @cached_property
    def totals(self) -> Totals:
        """The sums of the rows."""
        return Totals.of(self.rows)

    @cached_property
    def auxiliary_totals(self) -> Totals:
        """The sums of the auxiliary layers."""
        return Totals.of(self.auxiliary)

    @cached_property
    def expected_training_macs(self) -> float | None:
        """Mean MACs of a forward pass in training; None without stochastic depth."""
        chances = survivals(row.layer for row in self.rows)
        return sum(row.macs * chances.get(row.name, 1) for row in self.rows) if chances else None

    def __getitem__(self, name: str) -> LayerCosts:
        """Return the costs of the layer of that name. Raises `UnknownLayer`, a `KeyError`, if there is none."""
        layer = self.network[name]
        return next(row for row in (*self.rows, *self.auxiliary) if row.layer is layer)

    def __contains__(self, name: object) -> bool:
        """Return True for the name of a layer."""
        return name in self.network

    def __iter__(self) -> Iterator[LayerCosts]:
        """Yield the costs of each layer that totals count."""
        return iter(self.rows)

    # Attached by `archcalc.methods`, because memory and rendering are above this package.
    memory: ClassVar[Callable[..., Any]]
    fit: ClassVar[Callable[..., Any]]
    to_dict: ClassVar[Callable[..., Any]]
    to_json: ClassVar[Callable[..., str]]
    to_csv: ClassVar[Callable[..., str]]
    to_markdown: ClassVar[Callable[..., str]]
    to_latex: ClassVar[Callable[..., str]]
    to_html: ClassVar[Callable[..., str]]

    def __repr__(self) -> str:
        counted = f"batch {self.batch}, {self.dtype}, convention {self.convention.name}"
        return f"<Analysis of {self.network.name}: {len(self.rows)} layers, {counted}>"


@no_collection()
def analyze(network: Network, counting: Counting = DEFAULT) -> Analysis:
    """Compute the costs and receptive fields of every layer of ``network``."""
    fields = Fields(network)
    gradients: set[str] = set()  # layers whose outputs need gradients: they or a layer before them have trained weights
    types = tensor_types(network, counting)
    is_uniform = counting.precision is None and not types
    # A batch that is a symbol is another one in each run: nothing is kept for the next.
    profile_of = _known_profile if counting.batch.__class__ is int else _Profile
    rows: list[LayerCosts] = []
    auxiliary: list[LayerCosts] = []
    for layer in network.layers:
        profile = profile_of(layer.op, counting if is_uniform else _counting_of(layer, counting, types))
        needed = tuple(
            [source in gradients and layer.op.differentiates(number) for number, source in enumerate(layer.inputs)]
        )
        trained = network.trained_weights(layer) if network.frozen else profile.weights
        if trained or True in needed:
            gradients.add(layer.name)
        # As `_make`, which would check the number of fields of every row.
        costs = profile.costs(layer.shares is None, tuple(layer.ties), needed, trained)
        if layer.name in network.needless:
            costs = profile.needless(costs, counting.rule)
        elif layer.name in network.without_gradient:
            costs = (*costs[:-2], 0, 0)
        row = tuple.__new__(LayerCosts, (layer, fields, *costs))
        if types:
            row = _with_own_types(row, types, counting.batch)
        (auxiliary if layer.auxiliary else rows).append(row)
    return Analysis(network, counting, tuple(rows), tuple(auxiliary), fields)


def _counting_of(layer: Layer, counting: Counting, types: Mapping[str, str]) -> Counting:
    """Return the counting with the types of a layer's own weights and output."""
    roles = counting.roles.of_layer(layer.dtype, layer.is_frozen)
    return replace(counting, precision=replace(roles, activations=types.get(layer.name, roles.activations)))


def _with_own_types(row: LayerCosts, types: Mapping[str, str], batch: int) -> LayerCosts:
    """Return the costs with the bytes of inputs that have other types."""
    own = types[row.name]
    shapes = zip(row.input_shapes, (types[source] for source in row.layer.inputs), strict=True)
    differ = [(product(shape) * batch, dtype) for shape, dtype in shapes if dtype != own]
    more = sum(bytes_of(elements, dtype) - bytes_of(elements, own) for elements, dtype in differ)
    return row._replace(bytes_read=row.bytes_read + more)


class _BackwardCosts(NamedTuple):
    """MACs and FLOPs of the parts of a layer's backward pass."""

    weights: tuple[int, int]
    inner: tuple[int, int]
    """Of gradients inside the operator, which lead to its weights and to its inputs."""
    inputs: tuple[int, int]

    def needed(self, trained: bool, enters: bool) -> list[tuple[int, int]]:
        """Return the parts that are computed if the weights are trained, and if the inputs need gradients."""
        parts = [(self.weights, trained), (self.inner, trained or enters), (self.inputs, enters)]
        return [part for part, is_needed in parts if is_needed]


@lru_cache(maxsize=8192)
def _known_profile(op: Operator, counting: Counting) -> _Profile:
    return _Profile(op, counting)


class _Profile:
    """The costs of an operator, wherever in a network it is used."""

    __slots__ = ("_batch", "_costs", "_forward", "_op", "_roles", "_rule", "_shapes", "_tensors", "weights")

    def __init__(self, op: Operator, counting: Counting) -> None:
        rule, batch, roles = counting.rule, counting.batch, counting.roles
        dtype = roles.activations
        self._op = op
        self._roles, self._rule, self._batch = roles, rule, batch
        self._tensors = self._elements(())
        self.weights = tuple(op.weights())
        work = roles.work_left(op.work())
        once = op.work_per_batch()
        self._shapes = op.inputs, op.output
        self._forward = (
            (work.get("mac", 0) + work.get("matmul", 0)) * batch + once.get("mac", 0),
            rule.flops(op, work) * batch + rule.flops_per_batch(op, once),
            0 if op.category in rule.in_place else bytes_of(op.elements * batch, dtype),
            bytes_of(sum(map(product, op.inputs)) * batch, dtype) + self._tensors[-1],
            bytes_of(op.elements * batch, dtype),
        )
        self._costs: dict[tuple[bool, tuple[str, ...], tuple[bool, ...], tuple[str, ...]], tuple[Any, ...]] = {}

    def _backward(self, needed: tuple[bool, ...]) -> _BackwardCosts:
        """Return the costs of the backward pass, if the gradients of these inputs are needed."""
        rule, batch = self._rule, self._batch
        backward, once = self._op.backward_for(needed), self._op.backward_per_batch()
        weights, inner, inputs = rule.backward_flops(backward)
        return _BackwardCosts(
            (
                backward.weights * batch + once.weights + once.inner,
                weights * batch + sum(rule.backward_flops(once)),
            ),
            (backward.inner * batch, inner * batch),
            (backward.inputs * batch, inputs * batch),
        )

    def _elements(self, tied: tuple[str, ...]) -> tuple[Any, ...]:
        """Return the elements of weights, biases, buffers and what a token uses, and the bytes of weights and biases.

        Those that other layers own are left out.
        """
        weights = biases = 0
        for name, shape in self._op.weights().items():
            if name in tied:
                continue
            if name.endswith("bias"):
                biases += product(shape)
            else:
                weights += product(shape)
        buffers = sum(map(product, self._op.buffers().values()))
        active = weights + biases - self._op.idle_params()
        return weights, biases, buffers, active, self._roles.weight_bytes(self._op, tied)

    def needless(self, costs: tuple[Any, ...], rule: Convention) -> tuple[Any, ...]:
        """Return the costs of a layer that no output needs: it has no backward pass, and a traced graph lacks it."""
        macs, flops, *memory = self._forward
        before = costs[: -len(self._forward) - 2]
        return (*before, macs, 0 if rule.traces else flops, *memory, 0, 0)

    def costs(
        self, own: bool, tied: tuple[str, ...], needed: tuple[bool, ...], trained: tuple[str, ...]
    ) -> tuple[Any, ...]:
        """Return the fields of `LayerCosts` after the layer and the receptive fields.

        ``own`` is False if the weights are another layer's; ``tied`` names weights that other layers own; ``needed``
        says which inputs need gradients; ``trained`` names the weights that do. The gradient of a bias has no
        multiply-adds.
        """
        known = self._costs.get((own, tied, needed, trained))
        if known is None:
            has_trained = any(not name.endswith("bias") for name in trained)
            parts = self._backward(needed).needed(has_trained, True in needed)
            macs, flops = (sum(amounts) for amounts in zip((0, 0), *parts, strict=True))
            tensors = (self._elements(tied) if tied else self._tensors) if own else (0, 0, 0, 0, 0)
            known = self._costs[own, tied, needed, trained] = (*self._shapes, *tensors, *self._forward, macs, flops)
        return known
