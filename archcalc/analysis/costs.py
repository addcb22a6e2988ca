"""The cost of every layer, in exact integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from archcalc.analysis.conventions import Convention
from archcalc.analysis.counting import DEFAULT, Counting
from archcalc.analysis.survival import survivals
from archcalc.arithmetic import Shape, product
from archcalc.collection import no_collection
from archcalc.network import Layer, Network
from archcalc.ops.naming import AxisNames
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import Backward
from archcalc.receptive.fields import Fields, ReceptiveField


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
    idle_params: int
    """Trainable elements of experts that a token is not given to."""
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
    """MACs of the backward pass, with all weights trained."""
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
    def active_params(self) -> int:
        """Trainable elements that a token uses: all but those of experts that it is not given to."""
        return self.params - self.idle_params

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


@dataclass(frozen=True)
class Totals:
    """Sums over layers, in the units of `LayerCosts`."""

    weights: int = 0
    biases: int = 0
    buffers: int = 0
    idle_params: int = 0
    macs: int = 0
    flops: int = 0
    memory: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    backward_macs: int = 0
    backward_flops: int = 0

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Totals:
        """Return the sum of each quantity over the rows."""
        rows = list(rows)
        return cls(**{name: sum(map(attrgetter(name), rows)) for name in cls.__dataclass_fields__})

    @property
    def params(self) -> int:
        """Trainable elements: weights and biases."""
        return self.weights + self.biases

    @property
    def active_params(self) -> int:
        """Trainable elements that a token uses: all but those of experts that it is not given to."""
        return self.params - self.idle_params

    @property
    def step_flops(self) -> int:
        """FLOPs of a training step, forward and backward, as the convention counts them."""
        return self.flops + self.backward_flops


@dataclass(frozen=True, repr=False)
class Analysis:
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
        """Element type."""
        return self.counting.dtype

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
    gradients: set[str] = set()  # layers whose outputs need gradients: they or a layer before them have weights
    rows: list[LayerCosts] = []
    auxiliary: list[LayerCosts] = []
    for layer in network.layers:
        profile = _profile(layer.op, counting)
        enters = not gradients.isdisjoint(layer.inputs)
        if enters or profile.trained:
            gradients.add(layer.name)
        # As `_make`, which would check the number of fields of every row.
        costs = profile.costs(layer.shares is None, tuple(layer.ties), enters)
        if layer.name in network.needless:
            costs = profile.needless(costs, counting.rule)
        row = tuple.__new__(LayerCosts, (layer, fields, *costs))
        (auxiliary if layer.auxiliary else rows).append(row)
    return Analysis(network, counting, tuple(rows), tuple(auxiliary), fields)


@lru_cache(maxsize=8192)
def _profile(op: Operator, counting: Counting) -> _Profile:
    return _Profile(op, counting)


class _Profile:
    """The costs of an operator, wherever in a network it is used."""

    __slots__ = ("_backward", "_costs", "_forward", "_op", "_shapes", "_tensors", "trained")

    def __init__(self, op: Operator, counting: Counting) -> None:
        rule, batch, itemsize = counting.rule, counting.batch, counting.itemsize
        self._op = op
        self._tensors = self._elements(())
        weights, biases, *_ = self._tensors
        self.trained = bool(op.weights())
        work = op.work()
        backward = op.backward()
        inner, inputs = rule.backward_flops(backward)
        once, backward_once = op.work_per_batch(), op.backward_per_batch()
        self._shapes = op.inputs, op.output
        self._forward = (
            (work.get("mac", 0) + work.get("matmul", 0)) * batch + once.get("mac", 0),
            rule.flops(op, work) * batch + rule.flops_per_batch(op, once),
            (0 if op.category in rule.in_place else op.elements) * itemsize * batch,
            (sum(map(product, op.inputs)) * batch + weights + biases) * itemsize,
            op.elements * itemsize * batch,
        )
        self._backward = (
            self._trained_backward(backward, backward_once, inner, counting) if self.trained else (0, 0),
            (backward.inputs * batch, inputs * batch),
        )
        self._costs: dict[tuple[bool, tuple[str, ...], bool], tuple[Any, ...]] = {}

    @staticmethod
    def _trained_backward(backward: Backward, once: Backward, inner: int, counting: Counting) -> tuple[int, int]:
        """Return the MACs and FLOPs of the gradients of weights, of which ``once`` are per batch."""
        macs = (backward.weights + backward.inner) * counting.batch + once.weights + once.inner
        return macs, inner * counting.batch + counting.rule.backward_flops(once)[0]

    def _elements(self, tied: tuple[str, ...]) -> tuple[Any, ...]:
        """Return the elements of weights, biases, buffers and idle experts, without those that other layers own."""
        weights = biases = 0
        for name, shape in self._op.weights().items():
            if name in tied:
                continue
            if name.endswith("bias"):
                biases += product(shape)
            else:
                weights += product(shape)
        return weights, biases, sum(map(product, self._op.buffers().values())), self._op.idle_params()

    def needless(self, costs: tuple[Any, ...], rule: Convention) -> tuple[Any, ...]:
        """Return the costs of a layer that no output needs: it has no backward pass, and a traced graph lacks it."""
        macs, flops, *memory = self._forward
        before = costs[: -len(self._forward) - 2]
        return (*before, macs, 0 if rule.traces else flops, *memory, 0, 0)

    def costs(self, own: bool, tied: tuple[str, ...], enters: bool) -> tuple[Any, ...]:
        """Return the fields of `LayerCosts` after the layer and the receptive fields.

        ``own`` is False if the weights are another layer's; ``tied`` names weights that other layers own; ``enters`` is
        True if the inputs need gradients.
        """
        known = self._costs.get((own, tied, enters))
        if known is None:
            (macs, flops), entering = self._backward
            if enters:
                macs, flops = macs + entering[0], flops + entering[1]
            tensors = (self._elements(tied) if tied else self._tensors) if own else (0, 0, 0, 0)
            known = self._costs[own, tied, enters] = (*self._shapes, *tensors, *self._forward, macs, flops)
        return known
