"""Classes of exported source: scopes that differ only in numbers are one class with constructor arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from archcalc.imports.layer_names import TakenNames
from archcalc.network import Layer
from archcalc.runtime.building import is_module, resolve
from archcalc.runtime.export.expression import Chain, ConstructorCall, ParameterRef, Signature, same, torch_signature
from archcalc.runtime.export.forward import forward_lines
from archcalc.runtime.export.scopes import ForwardCall, ModuleScope, ScopePath
from archcalc.structs import Struct

Members = tuple[tuple[ScopePath, Any], ...]

WIDTHS = {"in_channels", "out_channels", "num_features", "in_features", "out_features", "normalized_shape"}
WIDTHS |= {"groups", "start", "stop", "embed_dim", "width"}
"""Arguments that are numbers of channels: equal ones become one argument of the class."""


class ClassParameter(Struct):
    """A constructor argument of a class."""

    name: str
    values: tuple[Any, ...]
    """Its value in each instance."""
    default: Any = None
    has_default: bool = False


@dataclass
class Class:
    """A class to write."""

    name: str
    scope: ModuleScope
    """One of its scopes."""
    members: Members
    """Paths of its modules and bare parameters, with the expressions that create them."""
    parameters: list[ClassParameter] = field(default_factory=list)


class Classes:
    """The classes of a tree of scopes, each after the classes that it uses."""

    def __init__(self, root: ModuleScope, name: str, taken: Iterable[str]) -> None:
        self.taken = TakenNames(taken)
        self.written: list[Class] = []
        self.signatures: dict[str, Signature] = {}
        self.made: dict[ScopePath, Any] = {}
        """The expression that creates each finished scope."""
        root_name = self._free_name(name)
        for scopes in _by_height(root):
            groups: dict[Any, list[ModuleScope]] = {}
            for scope in scopes:
                if scope is root:
                    self.written.append(Class(root_name, root, self._members(root)))
                elif is_chain(scope) and not scope.block:
                    self.made[scope.path] = self._chain(scope)
                else:
                    members = [(path, _skeleton(node)) for path, node in self._members(scope)]
                    key = (_label(scope), tuple(forward_lines(scope)), tuple(members))
                    groups.setdefault(key, []).append(scope)
            for alike in groups.values():
                self._unify(alike)

    def _members(self, scope: ModuleScope) -> Members:
        """Return what the constructor of a scope creates, in order."""
        members = []
        for step in scope.steps:
            if step.scope is not None:
                members.append((step.path, self.made[step.scope.path]))
            elif step.layer is not None and step.owner is None:
                node = layer_node(step.layer)
                if node is not None:
                    members.append((step.path, node))
        return tuple(members)

    def _chain(self, scope: ModuleScope) -> Chain:
        members = self._members(scope)
        return Chain(tuple(path[0] for path, _ in members), tuple(node for _, node in members))

    def _unify(self, scopes: list[ModuleScope]) -> None:
        """Write one class for scopes that differ only in numbers."""
        slots = _Slots()
        instances = [self._members(scope) for scope in scopes]
        members = tuple(
            (column[0][0], slots.align([node for _, node in column], "_".join(column[0][0]), "", self._signature))
            for column in zip(*instances, strict=True)
        )
        name = self._free_name(self._wish(class_name(_label(scopes[0])) or "Block", members))
        parameters = slots.parameters
        required = [parameter for parameter in parameters if not parameter.has_default]
        optional = [parameter for parameter in parameters if parameter.has_default]
        self.written.append(Class(name, scopes[0], members, [*required, *optional]))
        names = tuple(parameter.name for parameter in (*required, *optional))
        self.signatures[name] = Signature(names, {parameter.name: parameter.default for parameter in optional})
        for number, scope in enumerate(scopes):
            kwargs = tuple((parameter.name, parameter.values[number]) for parameter in optional)
            args = tuple(parameter.values[number] for parameter in required)
            self.made[scope.path] = ConstructorCall(name, args, kwargs)

    def _signature(self, target: str) -> Signature:
        if target in self.signatures:
            return self.signatures[target]
        return torch_signature(target) if isinstance(resolve(target), type) else Signature((), {})

    def _wish(self, name: str, members: Members) -> str:
        """Return the name; if a simpler class has it, with what this class adds: `BasicWithDownsample`."""
        simpler = next((written for written in self.written if written.name == name), None)
        if simpler is None:
            return name
        more = [path[-1] for path, _ in members if path not in dict(simpler.members)]
        if len(more) == 1 and not more[0][0].isdigit():
            return f"{name}With{class_name(more[0])}"
        targets, others = ([getattr(node, "target", "") for _, node in each] for each in (members, simpler.members))
        if others and targets == others[:-1]:
            return f"{name}Without{_short(others[-1])}"
        changed = [target for target, other in zip(targets, others, strict=False) if target != other]
        differ_in_one = len(targets) == len(others) and len(changed) == 1 and changed[0].startswith("nn.")
        return name + _short(changed[0]) if differ_in_one else name

    def _free_name(self, wish: str) -> str:
        name = self.taken.free(wish, "")
        self.taken.add(name)
        return name


def layer_node(layer: Layer) -> Any:
    """Return the expression that creates a layer's module or bare parameter; None for a function."""
    described = layer.op.torch()
    bare = layer.op.weights().get("")
    if bare is not None:
        empty = ConstructorCall("torch.empty", tuple(bare))
        return ConstructorCall("nn.Parameter", (ConstructorCall("nn.init.trunc_normal_", (empty,), (("std", 0.02),)),))
    if not is_module(described):
        return None
    return ConstructorCall(described.target, tuple(described.args), tuple((described.kwargs or {}).items()))


def is_chain(scope: ModuleScope) -> bool:
    """True if the scope can be an nn.Sequential: modules, each of which takes only the output of the one before."""
    if len(scope.inputs) != 1 or len(scope.outputs) != 1 or not scope.steps:
        return False
    value = scope.inputs[0]
    for step in scope.steps:
        if step.inputs != (value,) or len(step.outputs) != 1 or len(step.path) != 1 or not _is_module_step(step):
            return False
        value = step.outputs[0]
    return value == scope.outputs[0]


def is_sequential(scope: ModuleScope) -> bool:
    """True for a chain whose modules are numbered, not named: its class extends nn.Sequential."""
    return is_chain(scope) and any(not step.path[0].isidentifier() for step in scope.steps)


def _is_module_step(step: ForwardCall) -> bool:
    if step.layer is None:
        return True
    described = step.layer.op.torch()
    return step.owner is None and "" not in step.layer.op.weights() and is_module(described) and not described.then


def class_name(text: str) -> str:
    """Return a name in CapWords: `basic_block` is `BasicBlock`; empty if no character is possible in a class name."""
    name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", text, flags=re.ASCII))
    return f"Net{name}" if name[:1].isdigit() else f"{name}Module" if name in ("True", "False", "None") else name


def _label(scope: ModuleScope) -> str:
    """Return the name of the scope's block, or its own name without numbers."""
    if scope.block:
        return scope.block
    names = [name.rstrip("0123456789_.") for name in scope.path]
    return next((name for name in reversed(names) if name), "block")


def _short(target: str) -> str:
    return target.rpartition(".")[2]


def _by_height(root: ModuleScope) -> list[list[ModuleScope]]:
    """Return scopes by height, so that each comes after the scopes inside it."""
    heights: dict[ScopePath, int] = {}
    levels: list[list[ModuleScope]] = []
    for scope in root.walk():
        inner = [heights[step.scope.path] + 1 for step in scope.steps if step.scope is not None]
        heights[scope.path] = height = max(inner, default=0)
        while len(levels) <= height:
            levels.append([])
        levels[height].append(scope)
    return levels


def _skeleton(node: Any) -> Any:
    """Return the expression without its numbers and without keyword arguments that have a default."""
    if isinstance(node, Chain):
        return "chain", node.names, tuple(map(_skeleton, node.modules))
    if isinstance(node, ConstructorCall):
        is_torch = node.target.startswith(("nn.", "archcalc.")) and isinstance(resolve(node.target), type)
        known = torch_signature(node.target).defaults if is_torch else {}
        named = tuple(key for key, _ in node.kwargs if key not in known)
        return node.target, tuple(map(_skeleton, node.args)), named
    return "·"


class _Slots:
    """Makes a constructor argument of each difference between similar expressions."""

    def __init__(self) -> None:
        self.parameters: list[ClassParameter] = []

    def align(self, nodes: list[Any], member: str, role: str, signature: Any, default: Any = None) -> Any:
        """Return one expression for all; ``role`` is the name of the argument where it is used."""
        first = nodes[0]
        if isinstance(first, Chain):
            columns = zip(*(node.modules for node in nodes), strict=True)
            return Chain(first.names, tuple(self.align(list(column), member, role, signature) for column in columns))
        if isinstance(first, ConstructorCall):
            return self._align_calls(nodes, member, signature)
        if all(same(first, node) for node in nodes):
            return first
        return ParameterRef(self._parameter(tuple(nodes), member, role, default))

    def _align_calls(self, calls: list[ConstructorCall], member: str, signature: Any) -> ConstructorCall:
        target = calls[0].target
        known = signature(target)
        args = []
        for position, column in enumerate(zip(*(call.args for call in calls), strict=True)):
            role = known.names[position] if position < len(known.names) else "size"
            args.append(self.align(list(column), member, role, signature))
        kwargs = []
        keys = {key for call in calls for key, _ in call.kwargs}
        for key in [*(key for key in known.names if key in keys), *sorted(keys - {*known.names})]:
            default = known.defaults.get(key)
            values = [dict(call.kwargs).get(key, default) for call in calls]
            kwargs.append((key, self.align(values, member, key, signature, default)))
        return ConstructorCall(target, tuple(args), tuple(kwargs))

    def _parameter(self, values: tuple[Any, ...], member: str, role: str, default: Any) -> str:
        kind = "width" if role in WIDTHS else role
        for known in self.parameters:
            other = "width" if known.name in WIDTHS or known.name.endswith(tuple(WIDTHS)) else known.name
            if (kind == other or known.name.endswith(role)) and all(map(same, known.values, values)):
                return known.name
        taken = {parameter.name for parameter in self.parameters}
        plain = re.sub(r"\W", "_", member, flags=re.ASCII).strip("_")
        wishes = [role, *([f"{plain}_{role}"] if plain and not plain[0].isdigit() else [])]
        wishes += [f"{wishes[-1]}{number}" for number in range(2, len(taken) + 3)]
        name = next(wish for wish in wishes if wish not in taken)
        has_default = (kind != "width" or role == "groups") and any(same(value, default) for value in values)
        self.parameters.append(ClassParameter(name, values, default, has_default))
        return name
