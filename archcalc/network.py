"""The network: a flat, validated graph of layers, each an operator bound to its input shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from archcalc.arithmetic import Shape
from archcalc.errors import UnknownLayer
from archcalc.ops.naming import AxisNames, usual_names
from archcalc.ops.operator import Operator

if TYPE_CHECKING:
    import networkx

    from archcalc.errors import Place


class Origin(Protocol):
    """What a layer comes from: a step of a spec, or a call of a module."""

    @property
    def place(self) -> Place | None:
        """Its place in the spec; None without one."""


class WeightRef(NamedTuple):
    """A weight tensor: its layer and its name there, which is empty for a tensor that is the layer itself."""

    layer: str
    tensor: str

    def __str__(self) -> str:
        """Its name in a state dict."""
        return f"{self.layer}.{self.tensor}" if self.tensor else self.layer


NO_TIES: Mapping[str, WeightRef] = {}


class Layer:
    """One use of an operator in a network."""

    __slots__ = ("inputs", "name", "op", "origin", "shares", "side", "ties", "train")

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
        self.ties = NO_TIES
        """Its weights that are tensors of earlier layers, which own them."""

    def rewired(self, op: Operator, inputs: tuple[str, ...]) -> Layer:
        """Return a layer of the main path with the name and the weights of this one."""
        layer = Layer(self.name, op, inputs, self.origin)
        layer.shares, layer.ties = self.shares, self.ties
        return layer

    @property
    def place(self) -> Place | None:
        """Its place in the spec; None without a spec."""
        return self.origin.place if self.origin is not None else None

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, per sample."""
        return self.op.output

    def tensors(self) -> dict[str, Shape]:
        """Return state dict names to shapes of its weights and buffers; empty for shared weights.

        A weight without a name has the name of the layer. A tied weight has a name here and one at its owner.
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
    offered: frozenset[str] = frozenset()
    """Layers whose outputs are outputs of blocks, which nothing must take."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Path of a layer, group or tensor to its name in the reference implementation; `*` is any one name."""
    input_axes: Mapping[str, AxisNames] = field(default_factory=dict)
    """Name of an input to the names that the spec gives its axes; without an input whose axes it does not name."""
    uncalled: Mapping[str, int] = field(default_factory=dict)
    """Path of each module that an imported network has but never calls, to the number of its parameters."""

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
        looked_up = (layer.inputs[0] for layer in self.layers if layer.op.takes_indices)
        return frozenset(source for source in looked_up if source in self.inputs)

    @property
    def side_outputs(self) -> tuple[str, ...]:
        """Layers that the side outputs end with."""
        return tuple(self.sides.values())

    def reference_name(self, path: str) -> str:
        """Return the name of a layer or tensor in the reference implementation; the longest of `renames` that fits."""
        parts = path.split(".")
        for given, meant in sorted(self.renames.items(), key=lambda item: -item[0].count(".")):
            own = given.split(".")
            if len(own) <= len(parts) and all(part in ("*", name) for part, name in zip(own, parts, strict=False)):
                any_names = iter([name for part, name in zip(own, parts, strict=False) if part == "*"])
                new = [next(any_names) if part == "*" else part for part in meant.split(".")]
                return ".".join([*new, *parts[len(own) :]])
        return path

    @cached_property
    def unused(self) -> tuple[Layer, ...]:
        """Layers whose outputs nothing takes: no layer, and no output of the network, of a side or of a block."""
        used = {source for layer in self.layers for source in layer.inputs}
        used.update(self.outputs, self.sides.values(), self.offered)
        return tuple(layer for layer in self.layers if layer.name not in used)

    @cached_property
    def needless(self) -> frozenset[str]:
        """Layers that no output needs, neither of the network nor of a side: PyTorch runs them, but not backward."""
        if not self.unused and not self.offered:
            return frozenset()
        needed = {*self.outputs, *self.sides.values()}
        for layer in reversed(self.layers):
            if layer.name in needed:
                needed.update(layer.inputs)
        return frozenset(layer.name for layer in self.layers if layer.name not in needed)

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
