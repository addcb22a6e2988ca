"""The network: a flat, validated graph of layers, each an operator bound to its input shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from archcalc.arithmetic import Shape
from archcalc.errors import UnknownLayer
from archcalc.ops.operator import Operator

if TYPE_CHECKING:
    import networkx

    from archcalc.errors import Place


class Origin(Protocol):
    """The step of a spec that a layer comes from."""

    @property
    def place(self) -> Place:
        """Its place in the spec."""


class Layer:
    """One use of an operator in a network."""

    __slots__ = ("inputs", "name", "op", "origin", "shares", "side", "train")

    def __init__(
        self,
        name: str,
        op: Operator,
        inputs: tuple[str, ...],
        origin: Origin | None = None,
        side: bool = False,
        train: bool = False,
    ) -> None:
        self.name = name
        """Its full name: the path `layer1.0.conv1`."""
        self.op = op
        self.inputs = inputs
        """Names of the layers, or network inputs, whose outputs it takes."""
        self.origin = origin
        self.side = side
        """True if it belongs to a side output, such as an auxiliary classifier."""
        self.train = train
        """True if it exists only in training."""
        self.shares: str | None = None
        """The layer whose weights it uses; None if they are its own."""

    @property
    def place(self) -> Place | None:
        """Its place in the spec; None if it does not come from a spec."""
        return self.origin.place if self.origin is not None else None

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, per sample."""
        return self.op.output

    def tensors(self) -> dict[str, Shape]:
        """Return the shapes of its own weights and buffers by state dict name; none if they are shared.

        A weight without a name has the name of its layer.
        """
        if self.shares is not None:
            return {}
        shapes = {**self.op.weights(), **self.op.buffers()}
        return {f"{self.name}.{name}" if name else self.name: shape for name, shape in shapes.items()}

    @property
    def auxiliary(self) -> bool:
        """True for a side output or a layer that exists only in training; it is outside the totals."""
        return self.side or self.train

    def __repr__(self) -> str:
        return f"<Layer {self.name}: {self.op!r} → {'×'.join(map(str, self.output_shape))}>"


@dataclass(frozen=True)
class About:
    """Title, source and notes of a spec."""

    title: str = ""
    source: str = ""
    year: int | None = None
    reference: str = ""
    """The reference implementation: `torchvision:resnet50`; empty if there is none."""
    notes: str = ""


@dataclass(frozen=True, repr=False)
class Network:
    """An expanded network: its layers in the order of execution.

    >>> import archcalc
    >>> network = archcalc.load("alexnet")
    >>> network["pool1"].output_shape
    (64, 27, 27)
    """

    name: str
    inputs: Mapping[str, Shape]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    """Names of the layers whose outputs are those of the network."""
    sides: Mapping[str, str] = field(default_factory=dict)
    """Path of every side step to the layer, or network input, that is its side output."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The spec parameters with their values."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Path of every group and block to the block's name, or to `""` for a plain group."""
    about: About = About()

    analyze: ClassVar[Callable[..., Any]]
    """`archcalc.analyze` of this network; attached by `archcalc.methods`."""

    @property
    def indices(self) -> frozenset[str]:
        """Names of inputs that are indices, for an embedding."""
        return frozenset(layer.inputs[0] for layer in self.layers if layer.op.takes_indices)

    @property
    def side_outputs(self) -> tuple[str, ...]:
        """Names of the layers, or network inputs, that are side outputs."""
        return tuple(self.sides.values())

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def __getitem__(self, name: str) -> Layer:
        """Return the layer of that name. Raises `UnknownLayer`, a `KeyError`, if there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            from archcalc.words import did_you_mean, quote

            inside = [layer for layer in self._by_name if layer.startswith(f"{name}.")] if name in self.groups else []
            if inside:
                hint = f": it is a group, which ends with {inside[-1]}"
            else:
                hint = did_you_mean(name, self._by_name) or "; list the layers with: archcalc table --all"
            raise UnknownLayer(f"{self.name} has no layer {quote(name)}{hint}") from None

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def shape_of(self, source: str) -> Shape:
        """Return the shape of a layer's output or of a network input, per sample."""
        return self.inputs[source] if source in self.inputs else self[source].output_shape

    @cached_property
    def graph(self) -> networkx.DiGraph:
        """The graph: a node for each input and layer (attribute `layer`), an edge for each tensor (`shape`)."""
        import networkx

        graph = networkx.DiGraph(name=self.name)
        for name in self.inputs:
            graph.add_node(name, layer=None)
        for layer in self.layers:
            graph.add_node(layer.name, layer=layer)
            for position, source in enumerate(layer.inputs):
                graph.add_edge(source, layer.name, shape=self.shape_of(source), position=position)
        return graph

    def __repr__(self) -> str:
        inputs = ", ".join("×".join(map(str, shape)) for shape in self.inputs.values())
        return f"<Network {self.name}: {len(self.layers)} layers, input {inputs}>"
