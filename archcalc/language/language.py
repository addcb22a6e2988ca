"""Specs: top-level keys, parameters, variants, blocks and steps, and the spec that they extend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from archcalc.collection import no_collection
from archcalc.errors import Diagnostic, SpecError
from archcalc.language.edits import EDITS, Edits
from archcalc.language.expression import parse_expression
from archcalc.language.instance import Instance, sizes_in
from archcalc.language.limits import exceeded, limit
from archcalc.language.reader import StepParser
from archcalc.language.source import AnyNode, Scalar, SpecDocument, is_empty, items_of, parse
from archcalc.language.source import Mapping as MappingNode
from archcalc.language.steps import NO_IDENTIFIER, Block, Step, Template, Value
from archcalc.language.values import ExpressionError
from archcalc.language.variant import ABOUT, Variant
from archcalc.network import Network, Settings, Shapes
from archcalc.ops import words
from archcalc.ops.vocabulary import shape_text
from archcalc.words import did_you_mean, help_line, quote

KEYS = (
    "name",
    *ABOUT,
    "extends",
    "input",
    "inputs",
    "outputs",
    "params",
    "variants",
    "blocks",
    "numbered",
    "layers",
    *EDITS,
    "rename",
)
"""The top-level keys of a spec."""
VARIANT_KEYS = (*ABOUT, "input")
"""The keys of a variant, beside the spec's parameters."""

Find = Callable[[str, SpecDocument], "tuple[Spec, str | None]"]
"""Finds what `extends` names in a document: a spec, and its variant or None."""


class Spec:
    """A spec, parsed but not expanded.

    Every error of form is in ``errors``; `network` raises them together with the errors of expansion.
    """

    @no_collection()
    def __init__(self, document: SpecDocument, find: Find, depth: int = 0) -> None:
        self.document = document
        self.root = parse(document)
        self.errors: list[SpecError] = []
        self._check_keys(self.root, KEYS, "a spec")
        self.base: Spec | None = None
        self._base_variant: MappingNode | None = None
        self._extend(find, depth)
        self.params: dict[str, Value | None] = self._all_params()
        self.variants = self._own_variants()
        """Each with what it sets; None if that is nothing."""
        self._read_steps()
        self.words = {word: word for word in (*words(), *self.blocks)}
        """Operators, blocks and other words, each of which is a string in expressions."""
        self._chosen: dict[str | None, Variant] = {}

    # -- top-level keys

    def get(self, key: str) -> AnyNode | None:
        """Return the value of a top-level key: its own, or that of the spec it extends."""
        node = self.root.get(key)
        if node is not None:
            return node
        if self._base_variant is not None and key in VARIANT_KEYS and self._base_variant.get(key) is not None:
            return self._base_variant.get(key)
        return self.base.get(key) if self.base else None

    @property
    def name(self) -> str:
        """Its name, or the name of its file."""
        node = self.root.get("name")
        if isinstance(node, Scalar) and node.text.isprintable() and 0 < len(node.text) <= 200:
            return node.text
        return self.document.path.stem if self.document.path else "network"

    def names(self) -> list[str]:
        """Return the names of its networks: its variants, or itself if it has none."""
        return list(self.variants) or [self.name]

    def variant(self, name: str | None) -> Variant:
        """Return a variant by its name; the spec itself for None."""
        if name not in self._chosen:
            self._chosen[name] = Variant(
                name or self.name, self.variants[name] if name else None, self.get, self.params
            )
        return self._chosen[name]

    def _check_keys(self, node: MappingNode, possible: tuple[str, ...], what: str) -> None:
        for key, _ in node:
            if key.text not in possible:
                self.errors.append(key.error(f"{what} has no key {quote(key.text)}{did_you_mean(key.text, possible)}"))

    def _extend(self, find: Find, depth: int) -> None:
        node = self.root.get("extends")
        if node is None:
            self.errors += [
                self.root.pairs[key][0].error(f"{key} needs extends, the spec whose steps it changes")
                for key in EDITS
                if self.root.get(key) is not None
            ]
            return
        if not isinstance(node, Scalar):
            raise node.error("expected the name of a spec after extends")
        if depth >= limit("extends"):
            raise node.error(exceeded("extends", "too many specs extend one another, or they form a circle"))
        try:
            self.base, variant = find(node.text, self.document)
        except SpecError as error:
            if any(diagnostic.place for diagnostic in error.diagnostics):
                raise
            raise node.error(str(error.diagnostics[0].message)) from None
        if variant is not None:
            self._base_variant = self.base.variants[variant]
        if self.root.get("layers") is not None:
            raise self.root.pairs["layers"][0].error(
                "a spec with extends cannot have layers"
                + help_line("change steps with append, insert, remove or replace")
            )

    def _mapping(self, key: str) -> MappingNode | None:
        node = self.root.get(key)
        if node is None or is_empty(node):
            return None
        if not isinstance(node, MappingNode):
            raise node.error(f"expected names and values after {key}")
        return node

    def _all_params(self) -> dict[str, Value | None]:
        params: dict[str, Value | None] = dict(self.base.params) if self.base else {}
        for key, node in self._base_variant or ():
            if key.text in params:
                params[key.text] = Value(node)
        return params | self._params_in(self._mapping("params"))

    def _params_in(self, node: MappingNode | None) -> dict[str, Value | None]:
        """Return parameters with their defaults."""
        params: dict[str, Value | None] = {}
        for key, value in node or ():
            self._check_parameter(key)
            params[key.text] = self._default(value)
        return params

    def _check_parameter(self, key: Scalar) -> None:
        if not key.text.isidentifier():
            raise key.error(NO_IDENTIFIER.format(quote(key.text)))
        if key.text in ("input", "i", *VARIANT_KEYS):
            raise key.error(f"a parameter cannot be called {key.text}: this name is reserved")

    def _default(self, node: AnyNode) -> Value | None:
        if isinstance(node, Scalar) and node.text == "required":
            return None
        value = Value(node)
        try:
            value.check()
        except SpecError as error:
            self.errors.append(error)
        return value

    def _own_variants(self) -> dict[str, MappingNode | None]:
        variants: dict[str, MappingNode | None] = {}
        for key, node in self._mapping("variants") or ():
            variants[key.text] = None
            if not is_empty(node):
                if not isinstance(node, MappingNode):
                    raise node.error("expected parameters and their values in a variant")
                self._check_keys(node, (*self.params, *VARIANT_KEYS), f"the variant {key.text}")
                variants[key.text] = node
        return variants

    def _read_steps(self) -> None:
        specs = list(self._lineage())
        block_nodes: dict[str, AnyNode] = {}
        for spec in reversed(specs):
            block_nodes.update({key.text: node for key, node in spec._mapping("blocks") or ()})
        reader = StepParser(block_nodes)
        for spec in specs:
            for key, _ in spec._mapping("blocks") or ():
                if key.text in reader.operators:
                    message = f"the block {key.text} has the name of an operator"
                    self.errors.append(key.error(f"{message}{help_line('use another name')}"))
        reader.operators = {kind: operator for kind, operator in reader.operators.items() if kind not in block_nodes}
        for name, node in block_nodes.items():
            params = node.get("params") if isinstance(node, MappingNode) else None
            reader.blocks[name] = [key.text for key, _ in params] if isinstance(params, MappingNode) else []
        self.blocks: dict[str, Block] = {}
        for name, node in block_nodes.items():
            try:
                self.blocks[name] = self._block(name, node, reader)
            except SpecError as error:
                self.errors.append(error)
        self.steps: list[Step] = []
        layers = self.get("layers")
        try:
            if layers is None:
                raise self.root.error("a spec needs layers, the list of its steps")
            self.steps = reader.steps(layers, self.root)
        except SpecError as error:
            self.errors.append(error)
        self.edits = Edits()
        for spec in specs:
            self.edits.read(spec.root, reader)
        self.steps = [*self.steps, *self.edits.appended]
        self.step_names = reader.names
        self.errors += reader.errors

    def _lineage(self) -> Iterator[Spec]:
        spec: Spec | None = self
        while spec is not None:
            yield spec
            spec = spec.base

    def _block(self, name: str, node: AnyNode, reader: StepParser) -> Block:
        if not isinstance(node, MappingNode):
            raise node.error("expected a mapping with layers, and params and inputs if needed")
        self._check_keys(node, ("params", "inputs", "outputs", "layers", "numbered"), f"the block {name}")
        given = node.get("params")
        params = self._params_in(given if isinstance(given, MappingNode) else None)
        if given is not None and not isinstance(given, MappingNode) and not is_empty(given):
            raise given.error("expected names and defaults after params" + help_line("write required for no default"))
        inputs = ["input"]
        if node.get("inputs") is not None:
            inputs = [Template(item).node.text for item in getattr(node.get("inputs"), "items", [])]
            if not inputs:
                raise node.pairs["inputs"][0].error("expected a list of names after inputs")
        given = node.get("outputs")
        outputs = [Template(item) for item in (items_of(given) if given is not None else ())]
        if given is not None and not outputs:
            raise given.error("expected a list of names after outputs")
        steps = reader.steps(node.get("layers"), node)
        return Block(name, node, params, inputs, outputs, steps, reader.flag(node, "numbered"))

    def free_dimensions(self, variant: str | None = None) -> list[str]:
        """Return the names in the input shape that are not parameters, such as `H`; each needs a setting."""
        node = self.variant(variant).get("input")
        named = self.get("inputs")
        shapes = [shape for _, shape in named] if isinstance(named, MappingNode) else [node]
        found: dict[str, None] = {}
        for shape in shapes:
            for item in sizes_in(shape):
                if isinstance(item, Scalar) and item.text.isidentifier() and item.text not in self.params:
                    found[item.text] = None
        return list(found)

    @no_collection()
    def network(self, variant: str | None = None, settings: Settings = None, inputs: Shapes = None) -> Network:
        """Expand the spec to a network.

        Args:
            variant: name of a variant; None for the spec itself.
            settings: values of spec parameters and of free dimensions.
            inputs: shapes, without the batch, that replace the shapes of the spec.

        Raises:
            SpecError: with every error found.
        """
        return Instance(self, self.variant(variant), settings or {}, inputs or {}).network()


def blamed(error: SpecError, options: Collection[str], without: Callable[[], Network]) -> SpecError:
    """Return an error of a spec that is valid without some options as an error of these options.

    ``without`` returns the network without them.
    """
    if not options or all(diagnostic.place is None for diagnostic in error.diagnostics):
        return error
    try:
        network = without()
    except SpecError:
        return error
    usual = " ".join(f"{name} {shape_text(shape)}" for name, shape in network.inputs.items())
    blame = f"{network.name} does not fit {' '.join(options)}; without it, the spec is valid ({usual})"
    return SpecError([Diagnostic(blame), *error.diagnostics])


def parse_setting(text: str, spec: Spec) -> tuple[str, Any]:
    """Return the name and the value of a setting on the command line.

    Grammar::

        setting = name "=" expression
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SpecError(f"expected a setting NAME=VALUE, got {quote(text)}")
    try:
        return name.strip(), parse_expression(value).evaluate(spec.words)
    except ExpressionError as error:
        raise SpecError(f"in the setting {quote(text)}: {error}") from None
