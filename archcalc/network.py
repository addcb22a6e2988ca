"""The network: a flat, validated graph of layers, each an operator bound to its input shapes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias

from archcalc.arithmetic import Shape
from archcalc.errors import UnknownLayer
from archcalc.ops.naming import AxisNames, usual_names
from archcalc.ops.operator import Operator
from archcalc.structs import Struct

if TYPE_CHECKING:
    import networkx

    from archcalc.errors import Place


Settings: TypeAlias = "Mapping[str, Any] | None"
"""Parameters and open input sizes to their values; None for none."""
Shapes: TypeAlias = "Mapping[str, Shape] | None"
"""Inputs to shapes per sample, in place of the network's own; None for none."""


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


def fits_pattern(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Return True if the parts of a path are those of a pattern as long, in which `*` is any name."""
    return all(part in ("*", name) for part, name in zip(pattern, parts, strict=True))


NO_TIES: Mapping[str, WeightRef] = {}


class Layer:
    """One use of an operator in a network."""

    __slots__ = ("dtype", "inputs", "name", "op", "origin", "shares", "side", "ties", "train", "trainable")

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
        self.trainable = True
        """False if its weights are frozen: training computes no gradients of them (PyTorch's `requires_grad`)."""
        self.dtype = ""
        """The type of its weights and of its output; empty if it is that of the network."""
        self.shares: str | None = None
        """The layer whose weights it uses; None if it has its own."""
        self.ties = NO_TIES
        """Its weights that are tensors of earlier layers, which own them."""

    def rewired(self, op: Operator, inputs: tuple[str, ...]) -> Layer:
        """Return a layer of the main path with the name and the weights of this one."""
        layer = Layer(self.name, op, inputs, self.origin)
        layer.shares, layer.ties = self.shares, self.ties
        layer.trainable, layer.dtype = self.trainable, self.dtype
        return layer

    def changed(self, **values: Any) -> Layer:
        """Return a copy with other values of its attributes."""
        layer = copy(self)
        for name, value in values.items():
            setattr(layer, name, value)
        return layer

    def moves(self, sources: Collection[str]) -> bool:
        """Return True if it gives elements of such sources as they are."""
        return bool(self.inputs) and self.op.moves_elements and all(source in sources for source in self.inputs)

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
        return {self._path(name): shape for name, shape in shapes.items()}

    def _path(self, tensor: str) -> str:
        return f"{self.name}.{tensor}" if tensor else self.name

    def own_weights(self) -> dict[str, Shape]:
        """Return state dict names to shapes of the weights that it owns; empty for shared weights."""
        owned = {} if self.shares is not None else self.op.weights()
        return {self._path(name): shape for name, shape in owned.items() if name not in self.ties}

    @property
    def owners(self) -> set[str]:
        """The other layers that own weights of it."""
        tied = {ref.layer for ref in self.ties.values()}
        return tied if self.shares is None else tied | {self.shares}

    @property
    def is_frozen(self) -> bool:
        """True if it has weights of its own that are not trained."""
        return not self.trainable and self.shares is None and bool(self.op.weights())

    @property
    def auxiliary(self) -> bool:
        """True for a side output or a layer that exists only in training; it is outside the totals."""
        return self.side or self.train

    def __repr__(self) -> str:
        return f"<Layer {self.name}: {self.op!r} → {'×'.join(map(str, self.output_shape))}>"


class About(Struct):
    """A spec's description of its network."""

    title: str = ""
    source: str = ""
    year: int | None = None
    reference: str = ""
    """The reference implementation that it must equal, such as `torchvision:resnet50`; empty if there is none."""
    notes: str = ""


class Network(Struct):
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
    sides: Mapping[str, str] = {}
    """Path of each side output to the layer or network input that it ends with."""
    parameters: Mapping[str, Any] = {}
    """Spec parameters with their values."""
    groups: Mapping[str, str] = {}
    """Path of each group to the name of its block; `""` for a group that is not a block."""
    about: About = About()
    offered: frozenset[str] = frozenset()
    """Layers whose outputs are outputs of blocks, which nothing must take."""
    renames: Mapping[str, str] = {}
    """Path of a layer, group or tensor to its name in the reference implementation; `*` is any one name."""
    input_axes: Mapping[str, AxisNames] = {}
    """Name of an input to the names that the spec gives its axes; without an input whose axes it does not name."""
    uncalled: Mapping[str, int] = {}
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
        for length in range(len(parts), 0, -1):
            given = self._rename_of(parts[:length])
            if given is not None:
                any_names = iter([name for part, name in zip(given.split("."), parts, strict=False) if part == "*"])
                new = [next(any_names) if part == "*" else part for part in self.renames[given].split(".")]
                return ".".join([*new, *parts[length:]])
        return path

    def _rename_of(self, parts: Sequence[str]) -> str | None:
        """Return which of `renames` all these parts of a path fit: the path itself, else the first with `*`."""
        path = ".".join(parts)
        if path in self.renames:
            return path
        fits = (own for own in self._patterns.get(len(parts), ()) if fits_pattern(own, parts))
        return next(map(".".join, fits), None)

    @cached_property
    def _patterns(self) -> dict[int, list[list[str]]]:
        """The parts of `renames` with `*`, by their number."""
        found: dict[int, list[list[str]]] = {}
        for given in self.renames:
            if "*" in (parts := given.split(".")):
                found.setdefault(len(parts), []).append(parts)
        return found

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
    def without_gradient(self) -> frozenset[str]:
        """Layers that no output has a derivative by: needless ones, and those before conditions alone."""
        reached = {*self.outputs, *self.sides.values()}
        for layer in reversed(self.layers):
            if layer.name in reached:
                passes = layer.op.differentiates
                reached.update([source for number, source in enumerate(layer.inputs) if passes(number)])
        return frozenset(layer.name for layer in self.layers if layer.name not in reached)

    @cached_property
    def frozen(self) -> frozenset[str]:
        """Layers with weights of their own that are not trained."""
        return frozenset(layer.name for layer in self.layers if layer.is_frozen)

    def trained_weights(self, layer: Layer) -> tuple[str, ...]:
        """Return the names of a layer's weights that are trained; whoever owns a weight decides."""
        names = tuple(layer.op.weights())
        if not self.frozen:
            return names
        owner = self[layer.shares] if layer.shares is not None else layer
        return tuple(
            name for name in names if (self[owner.ties[name].layer] if name in owner.ties else owner).trainable
        )

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def __getitem__(self, name: str) -> Layer:
        """Return a layer by name; raise `UnknownLayer`, a `KeyError`, with the nearest name if there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            from archcalc.words import quote

            raise UnknownLayer(f"{self.name} has no layer {quote(name)}{self._hint(name)}") from None

    def _hint(self, name: str) -> str:
        """Return a help line for a name that no layer has: a group's, the end of a full name, or a misspelt one."""
        from archcalc.words import did_you_mean, help_line

        if name in self.groups:
            inside = [path for path in self._by_name if path.startswith(f"{name}.")]
            return help_line(f"{name} is a group; its last layer is {inside[-1]}")
        ending = [path for path in (*self.groups, *self._by_name) if path.endswith(f".{name}")]
        guess = did_you_mean(ending[0], ending) if ending else did_you_mean(name, self._by_name)
        return guess or help_line("list the layers with: archcalc table NETWORK --all")

    def __contains__(self, layer: object) -> bool:
        """Return True for a layer of this network, or its name."""
        return layer in self._by_name if isinstance(layer, str) else layer in self.layers

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
