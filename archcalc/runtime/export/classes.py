"""Scopes as classes: those that differ only in numbers are one class, and the numbers its constructor's arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from archcalc.network import Layer
from archcalc.runtime.building import is_module, resolve
from archcalc.runtime.export.expression import Chain, ConstructorCall, ParameterRef, Signature, same, torch_signature
from archcalc.runtime.export.forward import forward_lines
from archcalc.runtime.export.scopes import ForwardCall, ModuleScope, ScopePath

Members = tuple[tuple[ScopePath, Any], ...]

WIDTHS = {"in_channels", "out_channels", "num_features", "in_features", "out_features", "normalized_shape"}
WIDTHS |= {"groups", "start", "stop", "embed_dim", "width"}
"""Arguments that say how many channels there are: equal ones are one argument of the class."""


@dataclass(frozen=True)
class Parameter:
    """An argument of a class's constructor."""

    name: str
    values: tuple[Any, ...]
    """What each instance has."""
    default: Any = None
    has_default: bool = False


@dataclass
class Class:
    """A class to write."""

    name: str
    scope: ModuleScope
    """One of those that it is."""
    members: Members
    """Paths of its modules and bare parameters, with what makes them."""
    parameters: list[Parameter] = field(default_factory=list)


class Classes:
    """The classes that a tree of scopes makes, in the order in which they need each other."""

    def __init__(self, root: ModuleScope, name: str, taken: Iterable[str]) -> None:
        self.taken = {*taken}
        self.written: list[Class] = []
        self.signatures: dict[str, Signature] = {}
        self.made: dict[ScopePath, Any] = {}
        """What makes each scope that is done."""
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
        """What the scope's constructor makes, in order."""
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
        """One class for scopes that differ in numbers only."""
        slots = _Slots()
        instances = [self._members(scope) for scope in scopes]
        members = tuple(
            (one[0][0], slots.align([node for _, node in one], "_".join(one[0][0]), "", self._signature))
            for one in zip(*instances, strict=True)
        )
        name = self._free_name(self._wish(class_name(_label(scopes[0])) or "Block", members))
        parameters = slots.parameters
        required = [one for one in parameters if not one.has_default]
        optional = [one for one in parameters if one.has_default]
        self.written.append(Class(name, scopes[0], members, [*required, *optional]))
        names = tuple(one.name for one in (*required, *optional))
        self.signatures[name] = Signature(names, {one.name: one.default for one in optional})
        for at, scope in enumerate(scopes):
            kwargs = tuple((one.name, one.values[at]) for one in optional)
            self.made[scope.path] = ConstructorCall(name, tuple(one.values[at] for one in required), kwargs)

    def _signature(self, target: str) -> Signature:
        if target in self.signatures:
            return self.signatures[target]
        return torch_signature(target) if isinstance(resolve(target), type) else Signature((), {})

    def _wish(self, name: str, members: Members) -> str:
        """Where the name is a simpler class's, what it has beyond that is named too: `BasicWithDownsample`."""
        simpler = next((one for one in self.written if one.name == name), None)
        if simpler is None:
            return name
        more = [path[-1] for path, _ in members if path not in dict(simpler.members)]
        if len(more) == 1 and not more[0][0].isdigit():
            return f"{name}With{class_name(more[0])}"
        targets, others = ([getattr(node, "target", "") for _, node in one] for one in (members, simpler.members))
        if targets == others[:-1]:
            return f"{name}Without{_short(others[-1])}"
        apart = [one for one, other in zip(targets, others, strict=False) if one != other]
        one_is_other = len(targets) == len(others) and len(apart) == 1 and apart[0].startswith("nn.")
        return name + _short(apart[0]) if one_is_other else name

    def _free_name(self, wish: str) -> str:
        name, number = wish, 2
        while name in self.taken:
            name, number = f"{wish}{number}", number + 1
        self.taken.add(name)
        return name


def layer_node(layer: Layer) -> Any:
    """What makes the layer's module or bare parameter; None for a function."""
    described = layer.op.torch()
    bare = layer.op.weights().get("")
    if bare is not None:
        empty = ConstructorCall("torch.empty", tuple(bare))
        return ConstructorCall("nn.Parameter", (ConstructorCall("nn.init.trunc_normal_", (empty,), (("std", 0.02),)),))
    if not is_module(described):
        return None
    return ConstructorCall(described.target, tuple(described.args), tuple((described.kwargs or {}).items()))


def is_chain(scope: ModuleScope) -> bool:
    """Whether it is modules in a row, each given only what the one before it gives: an nn.Sequential."""
    if len(scope.inputs) != 1 or len(scope.outputs) != 1 or not scope.steps:
        return False
    value = scope.inputs[0]
    for step in scope.steps:
        if step.inputs != (value,) or len(step.outputs) != 1 or len(step.path) != 1 or not _is_module_step(step):
            return False
        value = step.outputs[0]
    return value == scope.outputs[0]


def is_sequential(scope: ModuleScope) -> bool:
    """Whether its class is best an nn.Sequential: a chain whose modules are numbered, not named."""
    return is_chain(scope) and any(not step.path[0].isidentifier() for step in scope.steps)


def _is_module_step(step: ForwardCall) -> bool:
    if step.layer is None:
        return True
    described = step.layer.op.torch()
    return step.owner is None and "" not in step.layer.op.weights() and is_module(described) and not described.then


def class_name(text: str) -> str:
    """A name as that of a class: `basic_block` is `BasicBlock`; empty if nothing of it can stand in one."""
    name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", text, flags=re.ASCII))
    return f"Net{name}" if name[:1].isdigit() else f"{name}Module" if name in ("True", "False", "None") else name


def _label(scope: ModuleScope) -> str:
    """What the scope is called: its block, or its own name without numbers."""
    if scope.block:
        return scope.block
    names = [name.rstrip("0123456789_.") for name in scope.path]
    return next((name for name in reversed(names) if name), "block")


def _short(target: str) -> str:
    return target.rpartition(".")[2]


def _by_height(root: ModuleScope) -> list[list[ModuleScope]]:
    """Scopes in layers, each after all that stand in it."""
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
    """The expression without its numbers. Arguments by name that have a default may be absent."""
    if isinstance(node, Chain):
        return "chain", node.names, tuple(map(_skeleton, node.modules))
    if isinstance(node, ConstructorCall):
        is_torch = node.target.startswith(("nn.", "archcalc.")) and isinstance(resolve(node.target), type)
        known = torch_signature(node.target).defaults if is_torch else {}
        named = tuple(key for key, _ in node.kwargs if key not in known)
        return node.target, tuple(map(_skeleton, node.args)), named
    return "·"


class _Slots:
    """Finds where like expressions differ, and makes an argument of each difference."""

    def __init__(self) -> None:
        self.parameters: list[Parameter] = []

    def align(self, nodes: list[Any], member: str, role: str, signature: Any, default: Any = None) -> Any:
        """One expression for all; ``role`` is what the argument is called where it is used."""
        first = nodes[0]
        if isinstance(first, Chain):
            columns = zip(*(node.modules for node in nodes), strict=True)
            return Chain(first.names, tuple(self.align(list(one), member, role, signature) for one in columns))
        if isinstance(first, ConstructorCall):
            return self._align_calls(nodes, member, signature)
        if all(same(first, node) for node in nodes):
            return first
        return ParameterRef(self._parameter(tuple(nodes), member, role, default))

    def _align_calls(self, calls: list[ConstructorCall], member: str, signature: Any) -> ConstructorCall:
        target = calls[0].target
        known = signature(target)
        args = []
        for at, column in enumerate(zip(*(call.args for call in calls), strict=True)):
            role = known.names[at] if at < len(known.names) else "size"
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
        for one in self.parameters:
            other = "width" if one.name in WIDTHS or one.name.endswith(tuple(WIDTHS)) else one.name
            if (kind == other or one.name.endswith(role)) and all(map(same, one.values, values)):
                return one.name
        taken = {one.name for one in self.parameters}
        plain = re.sub(r"\W", "_", member, flags=re.ASCII).strip("_")
        wishes = [role, *([f"{plain}_{role}"] if plain and not plain[0].isdigit() else [])]
        wishes += [f"{wishes[-1]}{number}" for number in range(2, len(taken) + 3)]
        name = next(wish for wish in wishes if wish not in taken)
        has_default = (kind != "width" or role == "groups") and any(same(value, default) for value in values)
        self.parameters.append(Parameter(name, values, default, has_default))
        return name
