"""Constructor calls as trees, compared with each other and written as source within the line length."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from archcalc.runtime.building import resolve
from archcalc.structs import Struct

WIDTH = 100
FLAT = -(10**9)
"""An indentation at which everything fits on one line."""
FEWEST_REPEATS = 3
"""Smallest number of similar entries that become a loop."""


class ParameterRef(Struct):
    """A constructor argument of the surrounding class."""

    text: str


class Progression(Struct):
    """``start + step * i`` in a loop over ``i``."""

    start: int
    step: int


class ConstructorCall(Struct):
    """A constructor call: `nn.Conv2d(64, 128, kernel_size=3)`. Arguments are calls, chains, names or plain values."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()


class Chain(Struct):
    """An nn.Sequential with named modules."""

    names: tuple[str, ...]
    modules: tuple[Any, ...]
    target: str = "nn.Sequential"


class Signature(Struct):
    """The argument names of a constructor, and the defaults of optional ones."""

    names: tuple[str, ...]
    defaults: dict[str, Any]


@cache
def torch_signature(target: str) -> Signature:
    """Return the signature of a class of torch or `runtime.modules`, with the arguments of its base classes."""
    names: list[str] = []
    defaults: dict[str, Any] = {}
    for cls in resolve(target).__mro__:
        if "__init__" not in vars(cls) or cls is object:
            continue
        for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name in names:
                continue
            names.append(parameter.name)
            if parameter.default is not parameter.empty:
                defaults[parameter.name] = parameter.default
    return Signature(tuple(names), defaults)


class SourceWriter:
    """Writes expressions as source. ``signatures`` are of the classes written before."""

    def __init__(self, signatures: dict[str, Signature]) -> None:
        self.signatures = signatures

    def text(self, node: Any, indent: int, before: int = 0) -> str:
        """Return the source of an expression in a line indented by ``indent``, after ``before`` more characters."""
        if isinstance(node, Chain):
            plain = node.names == tuple(map(str, range(len(node.names))))
            head, tail = (f"{node.target}(", ")") if plain else (f"{node.target}(OrderedDict([", "]))")
            runs = _runs(None if plain else node.names, node.modules)
            return _wrapped(head, lambda inner: [self._run(run, inner) for run in runs], tail, indent, before)
        if isinstance(node, ConstructorCall):
            head = f"{node.target.replace('archcalc.', '')}("
            return _wrapped(head, lambda inner: self._arguments(node, inner), ")", indent, before)
        return literal(node)

    def _arguments(self, call: ConstructorCall, indent: int) -> list[str]:
        defaults = self.signatures[call.target].defaults if call.target in self.signatures else {}
        kwargs = [(key, value) for key, value in call.kwargs if key not in defaults or not same(value, defaults[key])]
        texts = [self.text(arg, indent, 1) for arg in call.args]
        return texts + [f"{key}={self.text(value, indent, len(key) + 2)}" for key, value in kwargs]

    def _run(self, run: _Run, indent: int) -> str:
        if run.count == 1:
            if run.name is None:
                return self.text(run.module, indent, 1)
            before = f"({literal(run.name)}, "
            return f"{before}{self.text(run.module, indent, len(before) + 2)})"
        entry = self.text(run.module, FLAT)
        if run.name is not None:
            prefix, number = _numbered(run.name) or ("", 0)
            index = "i" if number == 0 else f"i + {number}"
            entry = f'(f"{prefix}{{{index}}}", {entry})'
        variable = "i" if run.name is not None or _has_linear(run.module) else "_"
        return f"*[{entry} for {variable} in range({run.count})]"


def _wrapped(head: str, parts: Callable[[int], list[str]], tail: str, indent: int, before: int) -> str:
    """Join the parts on one line if they fit, else one per line."""
    flat = head + ", ".join(parts(FLAT)) + tail
    if indent + before + len(flat) <= WIDTH:
        return flat
    inner = indent + 4
    lines = "".join(f"{' ' * inner}{part},\n" for part in parts(inner))
    return f"{head}\n{lines}{' ' * indent}{tail}"


def literal(value: Any) -> str:
    """Return a plain value as source."""
    if isinstance(value, ParameterRef):
        return value.text
    if isinstance(value, Progression):
        return f"{value.start} {'+' if value.step > 0 else '-'} {abs(value.step)} * i"
    if isinstance(value, str):
        text = repr(value)
        return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, (tuple, list)):
        inside = ", ".join(map(literal, value))
        return f"({inside}{',' if len(value) == 1 else ''})"
    return repr(value)


def same(left: Any, right: Any) -> bool:
    """True for equal values of one type: True is not 1."""
    return type(left) is type(right) and bool(left == right)


class _Run(Struct):
    name: str | None
    module: Any
    count: int


def _runs(names: Sequence[str] | None, modules: Sequence[Any]) -> list[_Run]:
    """Group similar consecutive modules; their numbers may be equal or grow evenly."""
    runs = []
    start = 0
    while start < len(modules):
        pattern, count = _longest(names, modules, start)
        runs.append(_Run(names[start] if names is not None else None, pattern, count))
        start += count
    return runs


def _longest(names: Sequence[str] | None, modules: Sequence[Any], start: int) -> tuple[Any, int]:
    """Return the pattern of the longest run from ``start``, and its length."""
    alone = modules[start], 1
    pattern = _between(modules[start], modules[start + 1]) if start + FEWEST_REPEATS <= len(modules) else None
    if pattern is None:
        return alone
    count = 2
    while start + count < len(modules) and same(_instance(pattern, count), modules[start + count]):
        count += 1
    if names is not None:
        first = _numbered(names[start])
        while first and count > 1 and names[start + count - 1] != f"{first[0]}{first[1] + count - 1}":
            count -= 1
        count = count if first else 1
    return (pattern, count) if count >= FEWEST_REPEATS else alone


def _numbered(name: str) -> tuple[str, int] | None:
    match = re.fullmatch(r"([A-Za-z0-9_]*?)(0|[1-9][0-9]{0,8})", name)
    return (match[1], int(match[2])) if match else None


def _between(first: Any, second: Any) -> Any:
    """Return the pattern that is the first for i = 0 and the second for i = 1; None if there is none."""
    if isinstance(first, ConstructorCall) and isinstance(second, ConstructorCall) and first.target == second.target:
        keys = [key for key, _ in first.kwargs]
        if len(first.args) != len(second.args) or keys != [key for key, _ in second.kwargs]:
            return None
        args = list(map(_between, first.args, second.args))
        values = [_between(before, after) for (_, before), (_, after) in zip(first.kwargs, second.kwargs, strict=True)]
        if any(part is None for part in (*args, *values)):
            return None
        return ConstructorCall(first.target, tuple(args), tuple(zip(keys, values, strict=True)))
    if same(first, second):
        return first
    if type(first) is int and type(second) is int:
        return Progression(first, second - first)
    return None


def _instance(pattern: Any, index: int) -> Any:
    if isinstance(pattern, Progression):
        return pattern.start + pattern.step * index
    if isinstance(pattern, ConstructorCall):
        kwargs = tuple((key, _instance(value, index)) for key, value in pattern.kwargs)
        return ConstructorCall(pattern.target, tuple(_instance(arg, index) for arg in pattern.args), kwargs)
    return pattern


def _has_linear(pattern: Any) -> bool:
    if isinstance(pattern, ConstructorCall):
        return any(map(_has_linear, (*pattern.args, *(value for _, value in pattern.kwargs))))
    return isinstance(pattern, Progression)
