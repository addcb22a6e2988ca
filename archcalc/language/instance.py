"""One network of a spec: parameters and input shapes get values, and the steps are expanded with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from archcalc.arithmetic import Shape
from archcalc.errors import Diagnostic, Overflow, SpecError, TooMany
from archcalc.language.draft import Flow
from archcalc.language.edits import Edits
from archcalc.language.expand import Expansion
from archcalc.language.renames import renames_in
from archcalc.language.scope import Scope
from archcalc.language.source import AnyNode, Scalar, Sequence, items_of
from archcalc.language.source import Mapping as MappingNode
from archcalc.language.steps import DOTTED, Block, Step, Template, Value
from archcalc.language.values import ExpressionError, ShapeValue, checked, is_plain
from archcalc.language.variant import Variant
from archcalc.network import Layer, Network
from archcalc.ops.arguments import BadArgument, Integer
from archcalc.ops.naming import LETTERS, AxisNames
from archcalc.words import did_you_mean, help_line, nearest_or_all, quote

SIZE = Integer(1)
"""The type of the size of an input along an axis."""


class SpecParts(Protocol):
    """The parts of a `Spec` that expansion needs."""

    root: MappingNode
    params: dict[str, Value | None]
    variants: dict[str, MappingNode | None]
    blocks: dict[str, Block]
    steps: list[Step]
    step_names: Any
    edits: Edits
    words: dict[str, str]
    errors: list[SpecError]

    @property
    def name(self) -> str:
        """Name of the spec."""

    def get(self, key: str) -> AnyNode | None:
        """Return the value of a top-level key."""

    def free_dimensions(self) -> list[str]:
        """Return the names in the input shape that are not parameters."""


class Instance:
    """A spec with a variant, settings and input shapes."""

    def __init__(
        self, spec: SpecParts, variant: Variant, settings: Mapping[str, Any], inputs: Mapping[str, Shape]
    ) -> None:
        self.spec = spec
        self.variant = variant
        self.settings = settings
        self.inputs = inputs
        """Shapes that replace those of the spec, without the batch."""

    def network(self) -> Network:
        """Return the network; raise `SpecError` with every error of form and of expansion."""
        spec = self.spec
        diagnostics: dict[Diagnostic, None] = {
            diagnostic: None for error in spec.errors for diagnostic in error.diagnostics
        }
        try:
            self._check_settings()
            variables = self._variables()
            shapes = self._input_shapes(variables)
        except SpecError as error:
            raise SpecError([*diagnostics, *error.diagnostics]) from None
        plain = is_plain([*self.settings.values(), *shapes.values()])
        expansion = Expansion(spec.blocks, spec.edits, spec.step_names, variables, plain)
        expansion.diagnostics = diagnostics
        outputs = self._expand(expansion, shapes, variables)
        renames: dict[str, str] = {}
        renaming = spec.get("rename")
        if renaming is not None and not expansion.diagnostics:
            layers = expansion.draft.layers
            paths = [name for layer in layers for name in (layer.name, *layer.tensors())]
            renames = renames_in(renaming, paths)
        if expansion.diagnostics:
            raise SpecError([*sorted(expansion.diagnostics, key=_position), *_causes(expansion.diagnostics, shapes)])
        return Network(
            name=self.variant.name,
            inputs=shapes,
            layers=tuple(expansion.draft.layers),
            outputs=outputs,
            sides=expansion.draft.sides,
            parameters={name: variables[name] for name in spec.params},
            groups=expansion.draft.groups,
            renames=renames,
            offered=frozenset(expansion.draft.offered),
            about=self.variant.about,
            input_axes={name: names for name, node in self._input_nodes().items() if (names := axis_names_in(node))},
        )

    # -- values

    def _check_settings(self) -> None:
        spec = self.spec
        for name in self.settings:
            if name not in spec.params and name not in (free := spec.free_dimensions()):
                known = [*spec.params, *free]
                hint = did_you_mean(name, known) if known else help_line("declare it under params, or leave out --set")
                raise SpecError(f"{spec.name} has no parameter {quote(name)}{hint}")
            try:
                checked(self.settings[name])
            except ExpressionError as error:
                raise SpecError(f"{name}: {error}") from None

    def _variables(self) -> dict[str, Any]:
        spec, settings = self.spec, self.settings
        variables: dict[str, Any] = dict(spec.words)
        for name, value in self.variant.values.items():
            if name in settings:
                variables[name] = settings[name]
            elif value is not None:
                variables[name] = value.evaluate(variables)
            else:
                fix = f"set {name}=…" + (f", or use a variant: {', '.join(spec.variants)}" if spec.variants else "")
                raise SpecError(f"{spec.name} needs a value for {name}{help_line(fix)}")
        return variables

    def _input_nodes(self) -> dict[str, AnyNode]:
        """Return the declaration of each input."""
        spec = self.spec
        named, single = spec.get("inputs"), self.variant.get("input")
        if named is not None and single is not None:
            raise named.error("a spec cannot have both input and inputs")
        nodes: dict[str, AnyNode] = {}
        if isinstance(named, MappingNode):
            nodes = {self._input_name(key): node for key, node in named}
        elif single is not None:
            nodes = {"input": single}
        if not nodes:
            raise spec.root.error("a spec needs the shape of its input" + help_line("input: [channels, height, width]"))
        return nodes

    def _input_shapes(self, variables: dict[str, Any]) -> dict[str, Shape]:
        spec, given, nodes = self.spec, self.inputs, self._input_nodes()
        if set(given) - set(nodes):
            unknown = ", ".join(sorted(set(given) - set(nodes)))
            raise SpecError(f"{spec.name} has no input {unknown}{help_line('use one of: ' + ', '.join(nodes))}")
        return {
            name: self._given_shape(name, node) if name in given else self._shape(node, variables)
            for name, node in nodes.items()
        }

    def _given_shape(self, name: str, node: AnyNode) -> Shape:
        """Return the shape that replaces the spec's own; raise if it has another number of sizes."""
        shape, own = self.inputs[name], sizes_in(node)
        if len(shape) != len(own):
            sizes = ",".join(Value(size).text for size in own)
            raise SpecError(
                f"the input of {self.variant.name} has {len(own)} sizes, {sizes}; "
                f"got {len(shape)}: {','.join(map(str, shape))}"
                + help_line(_completed(shape, own) or f"use --input {sizes}")
            )
        try:
            return tuple(SIZE.check(size, 0) for size in shape)
        except BadArgument as error:
            raise SpecError(f"a size of the input {error}") from None

    def _input_name(self, key: Scalar) -> str:
        name = Template(key).fill({})
        if "." in name:
            raise key.error(DOTTED)
        return name

    def _shape(self, node: AnyNode, variables: dict[str, Any]) -> Shape:
        if not 1 <= len(sizes_in(node)) <= 4:
            raise node.error(
                "expected one to four sizes, such as [channels, height, width] or {tokens: 128, features: 768}"
            )
        axis_names_in(node)
        free = [name for name in self.settings if name not in self.spec.params]
        known = {**variables, **{name: self.settings[name] for name in free}}
        shape = []
        for item in sizes_in(node):
            if isinstance(item, Scalar) and item.text.isidentifier() and item.text not in known:
                raise item.error(f"{item.text} needs a value{help_line(f'set it with --set {item.text}=224')}")
            try:
                shape.append(SIZE.check(Value(item).evaluate(known), 0))
            except BadArgument as error:
                raise item.error(f"a size {error}") from None
        return tuple(shape)

    # -- expansion

    def _expand(self, expansion: Expansion, shapes: dict[str, Shape], variables: dict[str, Any]) -> tuple[str, ...]:
        scope = Scope("", None, self._numbered())
        for name, shape in shapes.items():
            scope.given[name] = Flow(name, shape)
            scope.names[name] = self.spec.root.line
        start = next(iter(scope.given.values()))
        variables = {**variables, "input": ShapeValue(start.shape)}
        outputs: tuple[str, ...] = ()
        try:
            end = expansion.run(self.spec.steps, start, scope, variables)
            outputs = self._outputs(expansion, end, shapes, variables)
            if not expansion.diagnostics:
                self._check_edits(expansion)
                self._check_indices(expansion, shapes)
        except TooMany:
            pass
        except Overflow as overflow:
            expansion.diagnostics.update(dict.fromkeys(overflow.error.diagnostics))
        return outputs

    def _numbered(self) -> bool:
        node = self.spec.get("numbered")
        return isinstance(node, Scalar) and node.text == "true"

    def _outputs(
        self, expansion: Expansion, end: Flow, inputs: Mapping[str, Shape], variables: dict[str, Any]
    ) -> tuple[str, ...]:
        node = self.spec.get("outputs")
        if node is None:
            return (end.source,)
        whole = not expansion.diagnostics
        found = []
        for item in items_of(node):
            for name in Template(item).fill_each(variables):
                if name in inputs:
                    found.append(name)
                elif name in expansion.draft.named:
                    found.append(expansion.draft.named[name].flow.source)
                elif whole:
                    expansion.note(item.error(f"unknown step {quote(name)}{did_you_mean(name, expansion.draft.named)}"))
        return tuple(found)

    def _check_edits(self, expansion: Expansion) -> None:
        for (_, path), (key, node) in expansion.edits.nodes.items():
            if path in expansion.draft.named:
                what = expansion.draft.named[path].unshared or "replaced"
                expansion.note(node.error(f"{key} does not find {quote(path)}, which is {what}"))
                continue
            hint = did_you_mean(path, expansion.draft.named)
            expansion.note(node.error(f"unknown step {quote(path)} in {key}{hint}"))

    def _check_indices(self, expansion: Expansion, inputs: Mapping[str, Shape]) -> None:
        """Note an embedding whose input has no indices, and other layers that take an input of indices."""
        layers = expansion.draft.layers
        if not layers:
            expansion.note(self.spec.root.error("this network has no layers"))
        counted, integers = set(inputs), set[str]()
        for layer in layers:
            if layer.op.gives_indices or layer.moves(integers):
                integers.add(layer.name)
            if layer.op.gives_indices or layer.op.numbers_are_given or layer.moves(counted):
                counted.add(layer.name)
        looked_up = {layer.inputs[0]: layer for layer in layers if layer.op.takes_indices}
        if not looked_up and not integers:
            return
        for layer in layers:
            for source in layer.inputs:
                if layer.op.takes_indices and source not in counted:
                    message = f"{layer.name} takes indices, an input of the network, got the output of {source}"
                elif source in looked_up and not _may_take_indices(layer):
                    message = f"{layer.name} takes numbers, got {source}, the indices for {looked_up[source].name}"
                elif source in integers and not _may_take_indices(layer):
                    message = f"{layer.name} takes numbers, got {source}, which gives indices"
                else:
                    continue
                expansion.note(SpecError(message, layer.place))


def _may_take_indices(layer: Layer) -> bool:
    op = layer.op
    return op.takes_indices or op.ignores_numbers or op.numbers_are_given or op.moves_elements


def sizes_in(node: AnyNode | None) -> list[AnyNode]:
    """Return the sizes in an input's declaration: a list, or a mapping with a name for each axis."""
    if isinstance(node, MappingNode):
        return [size for _, size in node]
    return node.items if isinstance(node, Sequence) else []


def axis_names_in(node: AnyNode) -> AxisNames:
    """Return the names of the axes in an input's declaration, empty for a list; raise for an unknown name."""
    if not isinstance(node, MappingNode):
        return ()
    for key, _ in node:
        if key.text not in LETTERS:
            raise key.error(f"unknown axis {quote(key.text)}{nearest_or_all(key.text, LETTERS)}")
    return tuple(key.text for key, _ in node)


def _causes(diagnostics: Iterable[Diagnostic], shapes: Mapping[str, Shape]) -> Iterator[Diagnostic]:
    """Yield what the inputs may have to do with a shape that does not fit."""
    failed = next((diagnostic for diagnostic in diagnostics if diagnostic.call is not None), None)
    if failed is not None:
        from archcalc.language.rules import channels_last

        for shape in shapes.values():
            if all(isinstance(size, int) for size in shape):
                yield from channels_last(shape, failed.place)


def _position(diagnostic: Diagnostic) -> tuple[str, int, int]:
    place = diagnostic.place
    return (place.file, place.line, place.column) if place else ("", -1, -1)


def _completed(shape: Shape, own: Iterable[AnyNode]) -> str:
    """Return how to write the one size that was given as the sides of a square image; empty for other inputs."""
    sizes = [Value(size).text for size in own]
    if len(sizes) != 3 or len(shape) != 1 or str(shape[0]) == sizes[0]:  # the channels, not a side
        return ""
    return f"use --input {sizes[0]},{shape[0]},{shape[0]}"
