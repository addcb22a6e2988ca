"""Calls to a Network: an operator for each, a name from the module that made it, and marks where none fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archcalc.arithmetic import Shape, product
from archcalc.imports.mapping import Mapped, operator_of, operator_of_rows
from archcalc.imports.moving import MOVING
from archcalc.network import Layer, Network, WeightRef
from archcalc.ops.calls import Call, Operand, Stored
from archcalc.ops.imported import Computed, Generic
from archcalc.ops.joining import Concat
from archcalc.ops.opaque import Opaque
from archcalc.ops.operator import Operator
from archcalc.ops.regularization import Identity
from archcalc.ops.trained import ClassToken, Parameter, StandingAlone


def _nothing(mapped: Mapped) -> None:
    """There is no more to say of a layer than its operator."""


@dataclass
class Step:
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
    other: int | None = None
    """Other arithmetic of the call for one sample, if it has no operator; None if its operation's name says it."""


class NetworkBuilder:
    """Adds layers one after another."""

    def __init__(self, name: str, inputs: Mapping[str, Shape]) -> None:
        self.name = name
        self.inputs = dict(inputs)
        self.layers: list[Layer] = []
        self.taken: set[str] = set(inputs)
        self.owners: dict[str, WeightRef] = {}
        """Name of a stored tensor in the state dict to the layer that has it."""
        self.renames: dict[str, str] = {}
        self.aliases: Mapping[str, Sequence[str]] = {}
        """Name of a stored tensor to all names that the model has for it."""
        self.counts: dict[str, int] = {}
        self.origin_of_stored: Callable[[Stored, Operand], Callable[[Mapped], Any]] = lambda stored, output: _nothing
        """Returns the `Step.origin` of a stored tensor that is used like a computed one."""
        self.from_stored: dict[Operand, Stored] = {}
        """Outputs of layers that are stored tensors."""
        self.by_name: dict[str, Layer] = {}
        self.tokens: dict[str, Stored] = {}
        """Layer to the trained tensor that it is."""
        self.shapes: dict[str, Shape] = dict(inputs)

    def add(self, step: Step) -> Operand:
        """Add the layer of a call, and return its output."""
        parts = _parts(step)
        if parts is not None and (step.call.operation != "linear" or operator_of(parts[0].call, step.framework)):
            return self.add(replace(parts[1], call=parts[1].call.with_operand(self.add(parts[0]))))
        call = step.call
        mapped = operator_of(call, step.framework) if step.is_known else None
        rows = operator_of_rows(call, step.framework, step.macs) if mapped is None and step.is_known else None
        if mapped is None and rows is None and call.stored and step.is_known:
            computed = _with_operands(call, lambda stored: Operand.beside(stored.shape, call.output))
            if operator_of(computed, step.framework) is not None:
                call = self._with_parameters(call, step)
                mapped = operator_of(call, step.framework)
        origin = None
        if mapped is None:
            mapped = rows or self._generic(replace(step, call=call))
            origin = step.origin(mapped)
        if mapped.op.changes_nothing():
            return call.output._replace(source=mapped.inputs[0].source)
        name = self._name(step, mapped)
        token = self._class_token(mapped)
        if token is not None:
            name, mapped = token
        elif step.called is not None:
            mapped = mapped._replace(op=mapped.op.called_as(step.called))
        self._append(name, mapped, origin)
        return call.output._replace(source=name)

    def _class_token(self, mapped: Mapped) -> tuple[str, Mapped] | None:
        """Return the name and the operator of trained tokens before others, if a concatenation is that.

        The tokens, which only the concatenation takes, are then no layer of their own.
        """
        if not isinstance(mapped.op, Concat) or len(mapped.inputs) != 2 or mapped.op.axis_index(mapped.op.axis) != 0:
            return None
        tokens = self.by_name.get(mapped.inputs[0].source)
        if tokens is None or not isinstance(tokens.op, Parameter) or tokens.shares or tokens.ties:
            return None
        if any(tokens.name in layer.inputs for layer in self.layers):
            return None
        op = ClassToken([mapped.op.inputs[1]], count=tokens.op.output[0])
        stored = self.tokens[tokens.name]
        self.layers.remove(tokens)
        del self.by_name[tokens.name], self.owners[stored.name]
        self.taken.discard(tokens.name)
        return tokens.name, Mapped(op, mapped.inputs[1:], {"": stored})

    def add_computed(
        self,
        name: str,
        output: Operand,
        tensors: Sequence[Stored],
        macs: int,
        origin: Callable[[Mapped], Any] = _nothing,
    ) -> str:
        """Add a tensor that is computed from stored ones, and return the name of its layer."""
        holder, _, word = name.rpartition(".")
        if word in ("weight", "bias") and holder:
            name = f"{holder}_{word}"  # a module at that path may have an attribute of this name
        start = next(iter(self.inputs))
        own = {stored.name: stored for stored in tensors if stored.name}
        names = _names_of(list(own), name)
        source = Operand(start, (1, *self.inputs[start]))
        if [(stored.shape, stored.trained) for stored in tensors] == [((1, *output.shape), True)] and not macs:
            parameter = Parameter([source.shape], shape=output.shape)
            self._append(path := self._free(name), Mapped(parameter, [source], {"": tensors[0]}))
            self.tokens[path] = tensors[0]
            return path
        weights = {names[key]: stored for key, stored in own.items()}
        trained = {key: stored.shape for key, stored in weights.items() if stored.trained}
        kept = {key: stored.shape for key, stored in weights.items() if not stored.trained and stored.in_state}
        op = Computed([source.shape], shape=output.shape, macs=macs, tensors=trained, stored=kept)
        mapped = Mapped(op, [source], weights)
        self._append(path := self._free(name), mapped, origin(mapped))
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
        sources = list(sources) or [next(iter(self.inputs))]
        call = Call(operation, {}, Operand("", shape, None))
        operands = [Operand(source, self.shapes[source], None) for source in sources]
        op = Opaque([operand.shape for operand in operands], shape=shape, params=params)
        mapped = Mapped(op, operands, {})
        name = self._name(Step(call, path, is_name), mapped)
        self._append(name, mapped)
        return name

    def network(self, outputs: Iterable[str]) -> Network:
        """Return the network of the layers that were added."""
        outputs = [self._identity(output) if output in self.inputs else output for output in dict.fromkeys(outputs)]
        self._prune(set(outputs))
        names = self._spec_names()
        self._rename(names)
        outputs = [names.get(output, output) for output in outputs]
        groups = _groups_of(layer.name for layer in self.layers)
        return Network(
            self.name,
            self.inputs,
            tuple(self.layers),
            tuple(outputs),
            groups=dict.fromkeys(sorted(groups), ""),
            renames=self.renames,
        )

    def _identity(self, source: str) -> str:
        """Add a layer that gives an input of the network as an output."""
        operand = Operand(source, (1, *self.inputs[source]))
        mapped = Mapped(Identity([operand.shape]), [operand], {})
        self._append(name := self._name(Step(Call("identity", {}, operand), ""), mapped), mapped)
        return name

    def _spec_names(self) -> dict[str, str]:
        """Return new names of layers and inputs whose own a spec can't have, and of inputs called like groups.

        A layer and a group of one name are told apart: `a` beside `a.b` becomes `a.linear`.
        """
        found = {}
        every = {*self.inputs, *(layer.name for layer in self.layers)}
        groups = _groups_of(layer.name for layer in self.layers)
        for layer in self.layers:
            name = printable(layer.name)
            if layer.name in groups:
                kind = layer.op.kind if layer.op.exactness == "exact" else getattr(layer.op, "operation", layer.op.kind)
                name = f"{name}.{kind}"
            if name != layer.name:
                found[layer.name] = _apart(name, every)
        for name in self.inputs:
            new = printable(name)
            if new != name or new in groups:
                found[name] = _apart(f"{new}_input" if new in groups else new, every | groups)
        return found

    def _rename(self, names: Mapping[str, str]) -> None:
        """Rename layers and inputs; the names of their tensors are known under `renames`."""
        if not names:
            return
        renames = {}
        for known, meant in self.renames.items():
            owner = max((name for name in self.by_name if f"{known}.".startswith(f"{name}.")), key=len, default="")
            renames[f"{names[owner]}{known[len(owner) :]}" if owner in names else known] = meant
        for layer in self.layers:
            if layer.name in names and layer.tensors():
                renames.setdefault(names[layer.name], layer.name)
        self.renames = renames
        self.inputs = {names.get(name, name): shape for name, shape in self.inputs.items()}
        for layer in self.layers:
            layer.name = names.get(layer.name, layer.name)
            layer.inputs = tuple(names.get(source, source) for source in layer.inputs)
            layer.shares = names.get(layer.shares or "", layer.shares)
            if layer.ties:
                layer.ties = {
                    key: WeightRef(names.get(ref.layer, ref.layer), ref.tensor) for key, ref in layer.ties.items()
                }

    def _prune(self, outputs: set[str]) -> None:
        """Leave out tensors that are computed from stored ones, but that no layer takes."""
        used = outputs.union(*(layer.inputs for layer in self.layers))
        self.layers = [layer for layer in self.layers if layer.name in used or not isinstance(layer.op, StandingAlone)]

    def _with_parameters(self, call: Call, step: Step) -> Call:
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

    def _generic(self, step: Step) -> Mapped:
        call = step.call
        operands = call.operands
        every = list(dict.fromkeys(call.stored))
        words = [value.name.rpartition(".")[2] or "constant" for value in every]
        stored = {
            word if words.count(word) == 1 else f"{word}{at}": value
            for at, (word, value) in enumerate(zip(words, every, strict=True), 1)
        }
        is_moved = call.operation in MOVING or call.operation.endswith("_state")
        other = 0 if step.macs or is_moved or call.item else product(call.output.shape)
        other = other if step.other is None else step.other
        op = Generic(
            [operand.shape for operand in operands],
            shape=call.output.shape,
            operation=call.operation,
            macs=step.macs,
            other=other,
            tensors={name: value.shape for name, value in stored.items() if value.trained},
            stored={name: value.shape for name, value in stored.items() if not value.trained and value.in_state},
        )
        return Mapped(op, operands, stored)

    def _append(self, name: str, mapped: Mapped, origin: Any = None) -> None:
        layer = Layer(name, mapped.op, tuple(operand.source for operand in mapped.inputs), origin)
        shared = {self.owners[stored.name].layer for stored in mapped.weights.values() if stored.name in self.owners}
        same = next(iter(shared)) if len(shared) == 1 else None
        owner = self.by_name.get(same or "")
        if (
            owner
            and _are_one(owner.op, mapped.op)
            and not mapped.op.numbers_are_given
            and all(self.owners.get(stored.name) == (same, key) for key, stored in mapped.weights.items())
        ):
            layer.shares = same
        else:
            ties = {}
            for key, stored in mapped.weights.items():
                own = WeightRef(name, key)
                if stored.name:
                    if stored.name in self.owners:
                        if key in mapped.op.weights():
                            ties[key] = self.owners[stored.name]
                    else:
                        self.owners[stored.name] = own
                    if str(own) not in self.aliases.get(stored.name, [stored.name]):
                        self.renames[str(own)] = stored.name
            if ties:
                layer.ties = ties
        self.layers.append(layer)
        self.shapes[name] = layer.output_shape
        self.by_name[name] = layer
        self.taken.add(name)

    def _name(self, step: Step, mapped: Mapped) -> str:
        """Return a layer's name: the path of the module whose weights it has, or that does nothing else.

        Others get the path of their module and a word for what they are, with a number.
        """
        found: list[set[str]] = []
        for key, stored in mapped.weights.items():
            names = self.aliases.get(stored.name, [stored.name])
            found.append({name.removesuffix(key).removesuffix(".") for name in names if name.endswith(key)})
        prefixes = set.intersection(*found) if found else set()
        prefix = step.path if step.path in prefixes else min(prefixes, default="")
        if prefix and mapped.op.exactness == "exact":
            return self._free(prefix)
        if step.is_leaf and step.path:
            return self._free(step.path)
        kind = mapped.op.kind if mapped.op.exactness == "exact" else step.call.operation
        base = f"{step.path}.{kind}" if step.path else kind
        while True:
            count = self.counts[base] = self.counts.get(base, 0) + 1
            if f"{base}{count}" not in self.taken:
                return f"{base}{count}"

    def _free(self, name: str) -> str:
        """Return a name that no layer has: `relu`, then `relu_2`."""
        if name not in self.taken:
            return name
        while True:
            count = self.counts[f"{name}_"] = self.counts.get(f"{name}_", 1) + 1
            if f"{name}_{count}" not in self.taken:
                return f"{name}_{count}"


def _are_one(first: Operator, second: Operator) -> bool:
    """Return True if two operators differ at most in their inputs."""
    return type(first) is type(second) and all(
        getattr(first, name) == getattr(second, name) for name in type(first).arguments
    )


def _with_operands(call: Call, operand: Callable[[Stored], Operand]) -> Call:
    """Return the call with another tensor for each stored one."""

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [replaced(item) for item in value]
        return operand(value) if isinstance(value, Stored) else value

    return replace(call, arguments={name: replaced(value) for name, value in call.arguments.items()})


def printable(name: str) -> str:
    """Return a name without characters that cannot be shown, each of which becomes `_`."""
    return "".join(character if character.isprintable() else "_" for character in name)


def _groups_of(names: Iterable[str]) -> set[str]:
    return {name[:end] for name in names for end, character in enumerate(name) if character == "."}


def _apart(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def _parts(step: Step) -> tuple[Step, Step] | None:
    """Return the two calls that one call is, the second of which takes the first's output as `self`.

    A bias that is computed is added to a product without a bias, `addcmul` adds a product, and a `clamp` with
    tensors for its bounds is a `maximum` and a `minimum`.
    """
    call = step.call
    if isinstance(call.get("bias"), Operand) and call.operation in ("linear", "conv1d", "conv2d", "conv3d"):
        bias = call.arguments["bias"]
        if call.operation != "linear":
            return None
        first = replace(call, arguments={**call.arguments, "bias": None})
        second = Call("add", {"self": None, "other": bias}, call.output)
    elif call.operation == "addcmul" and call.get("value", 1) == 1:
        first = Call("mul", {"self": call.arguments["tensor1"], "other": call.arguments["tensor2"]}, call.output)
        second = Call("add", {"self": None, "other": call.arguments["self"]}, call.output)
    elif call.operation == "clamp" and all(isinstance(call.get(end), (Operand, Stored)) for end in ("min", "max")):
        first = Call("maximum", {"self": call.arguments["self"], "other": call.arguments["min"]}, call.output)
        second = Call("minimum", {"self": None, "other": call.arguments["max"]}, call.output)
    else:
        return None
    return replace(step, call=first), replace(step, call=second, is_leaf=False, macs=0)


def _names_of(stored: Sequence[str], layer: str) -> dict[str, str]:
    """Return the names in a layer of stored tensors by their full names: `weight` for one that names the layer."""
    if len(stored) == 1 and not layer.endswith("computed"):
        return {stored[0]: "weight"}
    words = [name.rpartition(".")[2] for name in stored]
    return {
        name: word if words.count(word) == 1 else name.replace(".", "_")
        for name, word in zip(stored, words, strict=True)
    }
