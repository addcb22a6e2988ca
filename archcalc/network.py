"""The network: a flat, validated graph of layers, each an operator bound to the shapes that it is given."""

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
    """What a layer was made of: a step of a spec."""

    @property
    def place(self) -> Place:
        """Where it stands."""


class Layer:
    """One application of an operator in a network."""

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
        """The path of its names: `layer1.0.conv1`."""
        self.op = op
        self.inputs = inputs
        """Names of the layers, or of the network's inputs, whose outputs it takes."""
        self.origin = origin
        self.side = side
        """True if it belongs to a side output, such as an auxiliary classifier."""
        self.train = train
        """True if it exists only in training."""
        self.shares: str | None = None
        """The layer whose weights it uses, if they are not its own."""

    @property
    def place(self) -> Place | None:
        """Where the spec says it."""
        return self.origin.place if self.origin is not None else None

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, per sample."""
        return self.op.output

    def tensors(self) -> dict[str, Shape]:
        """Name in a state dict to shape of its own weights and buffers; none where the weights are another layer's.

        A weight without a name is called as its layer.
        """
        if self.shares is not None:
            return {}
        shapes = {**self.op.weights(), **self.op.buffers()}
        return {f"{self.name}.{name}" if name else self.name: shape for name, shape in shapes.items()}

    @property
    def auxiliary(self) -> bool:
        """True for a side output, or a layer that exists only in training: outside the totals."""
        return self.side or self.train

    def __repr__(self) -> str:
        return f"<Layer {self.name}: {self.op!r} → {'×'.join(map(str, self.output_shape))}>"


@dataclass(frozen=True)
class About:
    """What a spec says of itself."""

    title: str = ""
    source: str = ""
    year: int | None = None
    reference: str = ""
    """The implementation that it equals: `torchvision:resnet50`."""
    notes: str = ""


@dataclass(frozen=True, repr=False)
class Network:
    """A network, expanded. Layers stand in the order of execution; every input stands before its layer.

    >>> import archcalc
    >>> network = archcalc.load("alexnet")
    >>> network["pool1"].output_shape
    (64, 27, 27)
    """

    name: str
    inputs: Mapping[str, Shape]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    """Names of the layers whose outputs are the network's."""
    sides: Mapping[str, str] = field(default_factory=dict)
    """Path of every side step to the layer, or the network's input, whose output it ends with."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The spec's parameters with the values in force."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Path of every group and block to what it is: the block's name, or `""` for a plain group."""
    about: About = About()

    analyze: ClassVar[Callable[..., Any]]
    """`archcalc.analyze` of this network; attached by `archcalc.methods`."""

    @property
    def indices(self) -> frozenset[str]:
        """Inputs that are indices, of which each says a row of an embedding's table."""
        return frozenset(layer.inputs[0] for layer in self.layers if layer.op.takes_indices)

    @property
    def side_outputs(self) -> tuple[str, ...]:
        """What the side steps end with."""
        return tuple(self.sides.values())

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def __getitem__(self, name: str) -> Layer:
        """The layer of that name; `UnknownLayer`, a `KeyError`, with the nearest name if there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            from archcalc.words import did_you_mean, quote

            inside = [one for one in self._by_name if one.startswith(f"{name}.")] if name in self.groups else []
            hint = f": it is a group, which ends with {inside[-1]}" if inside else did_you_mean(name, self._by_name)
            raise UnknownLayer(f"{self.name} has no layer {quote(name)}{hint}") from None

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def shape_of(self, source: str) -> Shape:
        """Shape of what a layer or an input of the network gives, per sample."""
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
