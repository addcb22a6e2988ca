"""The network: a flat, validated graph of layers, each an operator bound to its input shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from archcalc.arithmetic import Shape
from archcalc.errors import UnknownLayer
from archcalc.ops.naming import AxisNames, usual_names
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
        """Full name: the names of its groups and its own, joined by dots (`layer1.0.conv1`)."""
        self.op = op
        self.inputs = inputs
        """Names of the layers or network inputs that it takes."""
        self.origin = origin
        """The step that it comes from; None for an imported network."""
        self.side = side
        """True if it belongs to a side output, such as an auxiliary classifier."""
        self.train = train
        """True if it exists only in training."""
        self.shares: str | None = None
        """The layer whose weights it uses; None if it has its own."""

    @property
    def place(self) -> Place | None:
        """Its place in the spec; None without a spec."""
        return self.origin.place if self.origin is not None else None

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, per sample."""
        return self.op.output

    def tensors(self) -> dict[str, Shape]:
        """Return state dict names to shapes of its own weights and buffers; empty for shared weights.

        A weight without a name has the name of the layer.
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
    """A spec's description of its network."""

    title: str = ""
    source: str = ""
    year: int | None = None
    reference: str = ""
    """The reference implementation that it must equal, such as `torchvision:resnet50`; empty if there is none."""
    notes: str = ""


@dataclass(frozen=True, repr=False)
class Network:
    """A network: layers in the order of execution, each after its inputs.

    Examples:
        >>> import archcalc
        >>> network = archcalc.load("alexnet")
        >>> network
        <Network alexnet: 21 layers, input 3×227×227>
        >>> network["pool1"].output_shape
        (64, 27, 27)
    """

    name: str
    inputs: Mapping[str, Shape]
    """Name to shape, per sample."""
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    """Names of the layers whose outputs the network returns."""
    sides: Mapping[str, str] = field(default_factory=dict)
    """Path of each side output to the layer or network input that it ends with."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Spec parameters with their values."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Path of each group to the name of its block; `""` for a group that is not a block."""
    about: About = About()
    input_axes: Mapping[str, AxisNames] = field(default_factory=dict)
    """Name of an input to the names that the spec gives its axes; without an input whose axes it does not name."""

    analyze: ClassVar[Callable[..., Any]]
    """`archcalc.analyze` of this network; attached by `archcalc.methods`."""

    @cached_property
    def axes(self) -> Mapping[str, AxisNames]:
        """Input or layer to the names of its axes (`channels`, `tokens`, …); an empty name is an unknown axis.

        Examples:
            >>> import archcalc
            >>> network = archcalc.load("vit_b_16")
            >>> network.axes["conv_proj"], network.axes["class_token"]
            (('channels', 'height', 'width'), ('tokens', 'features'))
        """
        found: dict[str, AxisNames] = {}
        for name, shape in self.inputs.items():
            found[name] = self.input_axes.get(name) or self._expected(name, shape) or usual_names(len(shape))
        for layer in self.layers:
            names = layer.op.axis_names([found[source] for source in layer.inputs])
            if not any(names):
                names = self._expected(layer.name, layer.output_shape) or names
            found[layer.name] = names
        return found

    def _expected(self, source: str, shape: Shape) -> AxisNames:
        """Return what the first layer that cares takes the axes of a tensor for; empty if none does."""
        takers = (layer.op.expected_axes() for layer in self.layers if source in layer.inputs)
        return next((names for names in takers if len(names) == len(shape)), ())

    @property
    def indices(self) -> frozenset[str]:
        """Inputs that hold indices into an embedding."""
        return frozenset(layer.inputs[0] for layer in self.layers if layer.op.takes_indices)

    @property
    def side_outputs(self) -> tuple[str, ...]:
        """Layers that the side outputs end with."""
        return tuple(self.sides.values())

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def __getitem__(self, name: str) -> Layer:
        """Return a layer by name; raise `UnknownLayer`, a `KeyError`, with the nearest name if there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            from archcalc.words import did_you_mean, help_line, quote

            inside = [path for path in self._by_name if path.startswith(f"{name}.")] if name in self.groups else []
            fix = f"{name} is a group; its last layer is {inside[-1]}" if inside else ""
            hint = help_line(fix) or did_you_mean(name, self._by_name)
            hint = hint or help_line("list the layers with: archcalc table --all")
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
        """The graph: a node for each input and layer (attribute `layer`), and an edge for each tensor (`shape`)."""
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
