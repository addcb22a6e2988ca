"""The lines of the forward method of a module."""

from __future__ import annotations

from collections import Counter
from typing import Any

from archcalc.imports.layer_names import TakenNames
from archcalc.network import Layer
from archcalc.runtime.building import is_module
from archcalc.runtime.export.expression import literal
from archcalc.runtime.export.scopes import ForwardCall, ModuleScope, ScopePath

OPERATORS = {"operator.add": " + ", "operator.mul": " * ", "operator.sub": " - ", "operator.truediv": " / "}
RESERVED = {"self", "torch", "nn", "math", "super", "len", "range", "OrderedDict", "Tensor", "prepend"}


def attribute(path: ScopePath) -> str:
    """Return the source by which a class refers to the module at a path."""
    text = "self"
    for name in path:
        text += f".{name}" if is_identifier(name) else f".get_submodule({literal(name)})"
    return text


def parameter(path: ScopePath) -> str:
    """Return the source by which a class refers to the parameter at a path."""
    if is_identifier(path[-1]):
        return attribute(path)
    return f"{attribute(path[:-1])}.get_parameter({literal(path[-1])})"


def is_identifier(name: str) -> bool:
    """True if the name can follow a dot."""
    return name.isascii() and name.isidentifier() and not name.startswith("__")


def forward_lines(scope: ModuleScope) -> list[str]:
    """Return the method, not indented."""
    return _Forward(scope).lines()


class _Forward:
    """Names every value: like its input if the input is not used again, else with a new name."""

    def __init__(self, scope: ModuleScope) -> None:
        self.scope = scope
        self.left = Counter(value for step in scope.steps for value in step.inputs)
        """Uses of each value that are still to come."""
        self.left.update(scope.outputs)
        self.uses = Counter(self.left)
        self.names: dict[str, str] = {}

    def lines(self) -> list[str]:
        for value in self.scope.inputs:
            self.names[value] = TakenNames(self.names.values()).free("x", "")
        arguments = "".join(f", {self.names[value]}: Tensor" for value in self.scope.inputs)
        several = len(self.scope.outputs) != 1
        result = f"tuple[{', '.join(['Tensor'] * len(self.scope.outputs))}]" if several else "Tensor"
        lines = [f"def forward(self{arguments}) -> {result}:"]
        for step in self.scope.steps:
            right = self._call(step)
            self.left.subtract(step.inputs)
            targets = [self._name(value, step) for value in step.outputs]
            lines.append(f"    {', '.join(targets)} = {right}")
            for value in {*step.inputs}:
                if self.left[value] <= 0:  # not used again; the search for free names stays short
                    del self.names[value]
        lines.append(f"    return {', '.join(self.names[value] for value in self.scope.outputs)}")
        if not several and len(lines) > 2 and lines[-2].startswith(f"    {lines[-1][11:]} = "):
            lines[-2:] = [f"    return {lines[-2].partition(' = ')[2]}"]
        return lines

    def _name(self, value: str, step: ForwardCall) -> str:
        live = TakenNames(name for known, name in self.names.items() if self.left[known] > 0)
        before = self.names[step.inputs[0]]
        own = step.path[-1]
        if len({*step.inputs}) > 1 and "x" not in live:
            name = "x"
        elif self.uses[step.inputs[0]] == 1 and len(step.outputs) == 1:
            name = before
        else:
            is_word = step.scope is not None and is_identifier(own) and own not in RESERVED
            name = live.free(own if is_word else "out", "")
        self.names[value] = name
        return name

    def _call(self, step: ForwardCall) -> str:
        given = [self.names[value] for value in step.inputs]
        if step.layer is None:
            return f"{attribute(step.path)}({', '.join(given)})"
        return _layer_call(step.layer, attribute(step.owner or step.path), step.owner or step.path, given)


def _layer_call(layer: Layer, module: str, path: ScopePath, given: list[str]) -> str:
    described = layer.op.torch()
    if "" in layer.op.weights():
        given = [*given, parameter(path)]
    elif is_module(described):
        call = f"{module}({', '.join(given)})"
        return f"{described.then.removeprefix('archcalc.')}({call})" if described.then else call
    if described.target in OPERATORS:
        return OPERATORS[described.target].join(given)
    first = [f"[{', '.join(given)}]"] if described.listed else given
    kwargs = [f"{key}={literal(value)}" for key, value in (described.kwargs or {}).items()]
    constants: list[Any] = [literal(value) for value in described.args]
    return f"{described.target.removeprefix('archcalc.')}({', '.join([*first, *constants, *kwargs])})"
