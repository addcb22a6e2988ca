"""Calls to a Network: an operator for each, a name from the module that made it, and marks where none fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Shape, product
from archcalc.imports.class_tokens import ClassTokens
from archcalc.imports.imported_layers import ImportedLayers
from archcalc.imports.layer_names import groups_of, names_of
from archcalc.imports.mapping import Mapped, moves_elements, operator_of, operator_of_rows
from archcalc.imports.moving import MOVING
from archcalc.imports.parts import parts_of
from archcalc.imports.renaming import folded_renames
from archcalc.network import Network
from archcalc.ops.calls import Call, Operand, Stored
from archcalc.ops.imported import Computed, Generic
from archcalc.ops.opaque import Opaque
from archcalc.ops.regularization import Identity
from archcalc.ops.trained import Parameter
from archcalc.structs import Struct, replace


def _nothing(mapped: Mapped) -> None:
    """There is no more to say of a layer than its operator."""


class TracedCall(Struct):
    """A call, and the module that makes it."""

    call: Call
    path: str
    """Path of the module; empty for the model itself."""
    is_leaf: bool = False
    """True if that module makes no other call, and has no module in it that makes one."""
    macs: int = 0
    """Multiply-adds of the call for one sample, or for the whole batch if nothing of it depends on the batch."""
    framework: str = "aten"
    called: str | None = None
    """As `Operator.called`."""
    origin: Callable[[Mapped], Any] = _nothing
    """Returns the origin of a layer that no operator says; None if there is nothing more to say."""
    is_known: bool = True
    """False if no operator can be what the call is."""
    is_uncounted: bool = False
    """True if ``macs`` may be too few."""
    other: int | None = None
    """Other arithmetic of the call for one sample, if it has no operator; None if its operation's name says it."""


class NetworkBuilder:
    """Adds layers one after another."""

    def __init__(self, name: str, inputs: Mapping[str, Shape]) -> None:
        self.name = name
        self.layers = ImportedLayers(inputs)
        self.tokens = ClassTokens(self.layers)
        self.origin_of_stored: Callable[[Stored, Operand], Callable[[Mapped], Any]] = lambda stored, output: _nothing
        """Returns the `TracedCall.origin` of a stored tensor that is used like a computed one."""
        self.from_stored: dict[Operand, Stored] = {}
        """Outputs of layers that are stored tensors."""

    def add(self, step: TracedCall) -> Operand:
        """Add the layer of a call, and return its output."""
        call, framework = step.call, step.framework
        mapped, rows, origin = None, None, None
        if step.is_known:
            parts = parts_of(call)
            if isinstance(parts, Operand):
                return parts
            if parts is not None and _is_said(parts, framework):
                return self._add_parts(step, parts)
            mapped = operator_of(call, framework)
            if mapped is None and call.stored and operator_of(_as_computed(call), framework) is not None:
                call = self._with_parameters(call, step)
                mapped = operator_of(call, framework)
            rows = operator_of_rows(call, framework, step.macs) if mapped is None else None
        if mapped is None:
            mapped = rows or self._generic(replace(step, call=call))
            origin = step.origin(mapped)
        if mapped.op.changes_nothing():
            return call.output._replace(source=mapped.inputs[0].source)
        name = self.layers.name(step.path, step.is_leaf, step.call.operation, mapped)
        token = self.tokens.joined_by(mapped)
        if token is not None:
            name, mapped = token
        elif step.called is not None:
            mapped = mapped._replace(op=mapped.op.called_as(step.called))
        self.layers.append(name, mapped, origin)
        return call.output._replace(source=name)

    def _add_parts(self, step: TracedCall, call: Call) -> Operand:
        """Add the layers of the calls among a call's arguments, then its own."""
        made = _with_operands(call, lambda inner: self._add_parts(step, inner), Call)
        is_first = made.arguments == call.arguments
        macs = step.macs if call.operation == step.call.operation else 0
        return self.add(replace(step, call=made, is_leaf=step.is_leaf and is_first, macs=macs))

    def add_computed(
        self,
        name: str,
        output: Operand,
        tensors: Sequence[Stored],
        macs: int,
        origin: Callable[[Mapped], Any] = _nothing,
        place: int | None = None,
    ) -> str:
        """Add a tensor that is computed from stored ones, and return the name of its layer.

        It comes at a place among the layers, behind those whose weights it has; at their end without one.
        """
        holder, _, word = name.rpartition(".")
        if word in ("weight", "bias") and holder:
            name = f"{holder}_{word}"  # a module at that path may have an attribute of this name
        start = self.layers.start
        own = {stored.name: stored for stored in tensors if stored.name}
        names = names_of(list(own), name)
        source = Operand(start, (1, *self.layers.inputs[start]))
        if [(stored.shape, stored.trained) for stored in tensors] == [((1, *output.shape), True)] and not macs:
            parameter = Parameter([source.shape], shape=output.shape)
            self.layers.append(
                path := self.layers.taken.free(name), Mapped(parameter, [source], {"": tensors[0]}), place=place
            )
            self.tokens.stored[path] = tensors[0]
            return path
        weights = {names[key]: stored for key, stored in own.items()}
        trained = {key: stored.shape for key, stored in weights.items() if stored.trained}
        kept = {key: stored.shape for key, stored in weights.items() if not stored.trained and stored.in_state}
        op = Computed([source.shape], shape=output.shape, macs=macs, tensors=trained, stored=kept)
        mapped = Mapped(op, [source], weights)
        self.layers.append(path := self.layers.taken.free(name), mapped, origin(mapped), place)
        return path

    def add_opaque(
        self, operation: str, path: str, is_name: bool, sources: Sequence[str], shape: Shape, params: int
    ) -> str:
        """Add a layer whose work is not known, and return its name.

        Args:
            operation: its name where it comes from.
            path: path of its module, or its own name.
            is_name: True if ``path`` is its own name.
            sources: the layers and network inputs that it takes; if there are none, it takes the first input.
            shape: of its output, per sample.
            params: trained numbers that it has.
        """
        sources = list(sources) or [self.layers.start]
        operands = [Operand(source, self.layers.shapes[source], None) for source in sources]
        op = Opaque([operand.shape for operand in operands], shape=shape, params=params)
        mapped = Mapped(op, operands, {})
        name = self.layers.name(path, is_name, operation, mapped)
        self.layers.append(name, mapped)
        return name

    def network(self, outputs: Iterable[str]) -> Network:
        """Return the network of the layers that were added."""
        outputs = [
            self._identity(output) if output in self.layers.inputs else output for output in dict.fromkeys(outputs)
        ]
        self.tokens.separate()
        self.layers.prune(set(outputs))
        names = self.layers.spec_names()
        self.layers.rename(names)
        outputs = [names.get(output, output) for output in outputs]
        groups = groups_of(layer.name for layer in self.layers.every)
        tensors = (name for layer in self.layers.every for name in layer.tensors())
        return Network(
            self.name,
            self.layers.inputs,
            tuple(self.layers.every),
            tuple(outputs),
            groups=dict.fromkeys(sorted(groups), ""),
            renames=folded_renames(self.layers.renames, tensors),
        )

    def _identity(self, source: str) -> str:
        """Add a layer that gives an input of the network as an output."""
        operand = Operand(source, (1, *self.layers.inputs[source]))
        mapped = Mapped(Identity([operand.shape]), [operand], {})
        self.layers.append(name := self.layers.name("", False, "identity", mapped), mapped)
        return name

    def _with_parameters(self, call: Call, step: TracedCall) -> Call:
        """Return the call with a layer of its own for each stored tensor that is used like a computed one."""

        def operand(value: Stored) -> Operand:
            output = Operand.beside(value.shape, call.output)
            name = value.name or f"{step.path}.constant".lstrip(".")
            found = output._replace(
                source=self.add_computed(name, output, [value], 0, self.origin_of_stored(value, output))
            )
            self.from_stored[found] = value
            return found

        return _with_operands(call, operand)

    def _generic(self, step: TracedCall) -> Mapped:
        call = step.call
        operands = call.operands
        every = list(dict.fromkeys(call.stored))
        words = [value.name.rpartition(".")[2] or "constant" for value in every]
        stored = {
            word if words.count(word) == 1 else f"{word}{number}": value
            for number, (word, value) in enumerate(zip(words, every, strict=True), 1)
        }
        is_moved = call.operation in MOVING or moves_elements(call.operation, step.framework)
        is_moved = is_moved or call.operation.endswith("_state")
        other = 0 if step.macs or is_moved or call.item else product(call.output.shape)
        other = other if step.other is None else step.other
        op = Generic(
            [operand.shape for operand in operands],
            shape=call.output.shape,
            operation=call.operation,
            macs=step.macs,
            other=other,
            uncounted=step.is_uncounted,
            tensors={name: value.shape for name, value in stored.items() if value.trained},
            stored={name: value.shape for name, value in stored.items() if not value.trained and value.in_state},
        )
        return Mapped(op, operands, stored)


def _is_said(call: Call, framework: str) -> bool:
    """Return True if a call and the calls among its arguments are operators, whole or in parts.

    A stored tensor may be a layer of its own.
    """
    if not all(_is_said(inner, framework) for inner in call.inner):
        return False
    made = _with_operands(call, lambda inner: inner.output, Call)
    if any(operator_of(candidate, framework) for candidate in (made, _as_computed(made))):
        return True
    parts = parts_of(made)
    return isinstance(parts, Operand) or (parts is not None and _is_said(parts, framework))


def _as_computed(call: Call) -> Call:
    """Return the call with a computed tensor for each stored one."""
    return _with_operands(call, lambda stored: Operand.beside(stored.shape, call.output))


def _with_operands(call: Call, operand: Callable[[Any], Operand], kind: type[Any] = Stored) -> Call:
    """Return the call with another tensor for each argument of a kind."""

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [replaced(item) for item in value]
        return operand(value) if isinstance(value, kind) else value

    return replace(call, arguments={name: replaced(value) for name, value in call.arguments.items()})
