"""A network as a spec that says it layer by layer: what parameters, loops and blocks made, written out."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from archcalc.errors import UserError
from archcalc.language.steps import MODIFIERS, SPECIAL_HEADS
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.ops.operator import Operator

WIDTH = 116
_WORD = re.compile(r"[A-Za-z_][\w/-]*|[0-9]+", re.ASCII)
_REFERENCE = re.compile(r"\.?\w[\w/.-]*", re.ASCII)
_TEXT = re.compile(r"[A-Za-z0-9][^\r\n]*")
_NULLS = ("null", "~")
_TAKEN = frozenset((*registry(), *MODIFIERS, *SPECIAL_HEADS, "numbered"))
"""Keys with a meaning of their own: a group of such a name is written with `name` and `layers`."""


def network_spec(network: Network) -> str:
    """Return YAML of the network without parameters, loops and blocks: groups, and a line for each layer.

    It loads as a network with the same layers, arguments, inputs, shared weights and marks. Raises `UserError` for a
    network that such a spec cannot express.
    """
    return "\n".join([*_head(network), "layers:", *_SpecWriter(network).lines()]) + "\n"


def _head(network: Network) -> Iterator[str]:
    about = network.about
    texts = {"name": network.name, "title": about.title, "source": about.source}
    texts |= {"year": str(about.year or ""), "reference": about.reference, "notes": about.notes}
    for key, text in texts.items():
        if text:
            yield from _text(key, text)
    shapes = {name: _value(_named(network, name)) for name in network.inputs}
    if list(shapes) == ["input"]:
        yield f"input: {shapes['input']}"
    else:
        yield f"inputs: {{{', '.join(f'{_name(name)}: {shape}' for name, shape in shapes.items())}}}"
    if network.outputs != (_last(network),):
        yield f"outputs: [{', '.join(map(_reference, network.outputs))}]"


def _named(network: Network, name: str) -> Any:
    """Return an input's sizes, as a mapping where its axes have names of their own."""
    shape, axes = network.inputs[name], network.input_axes.get(name)
    return dict(zip(axes, shape, strict=True)) if axes else shape


def _last(network: Network) -> str:
    """Return the output of the main path by default."""
    return next((layer.name for layer in reversed(network.layers) if not layer.side), next(iter(network.inputs)))


def _text(key: str, text: str) -> list[str]:
    """Return a key with a text: on its line, folded if it is long, quoted if YAML would read it otherwise."""
    if not text.isprintable() or text in _NULLS:
        return [f"{key}: {_quoted(text)}"]
    if len(key) + len(text) + 2 > WIDTH:
        lines = textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
        return [f"{key}: >-", *(f"  {line}" for line in lines)]
    plain = _TEXT.fullmatch(text) and not re.search(r": | #|:$", text)
    return [f"{key}: {text if plain else _quoted(text)}"]


@dataclass
class _SpecGroup:
    """A group or a part of one, or the network itself, with its steps in order."""

    path: str
    items: list[Layer | _SpecGroup] = field(default_factory=list)
    groups: dict[str, _SpecGroup] = field(default_factory=dict)

    def inner(self, name: str) -> _SpecGroup:
        """Return the group of that name at the end of this one: a new part of it if other steps came between."""
        if name not in self.groups or self.items[-1] is not self.groups[name]:
            self.groups[name] = _SpecGroup(f"{self.path}{name}.")
            self.items.append(self.groups[name])
        return self.groups[name]

    def walk(self) -> Iterator[_SpecGroup]:
        """Yield it and the groups in it."""
        yield self
        for item in self.items:
            if isinstance(item, _SpecGroup):
                yield from item.walk()


def _tree(network: Network) -> _SpecGroup:
    """Return the groups that the names of the layers contain, with those of side steps that have no layers."""
    root = _SpecGroup("")
    inside = {layer.name[:end] for layer in network.layers for end in _ends(layer.name)}
    empty = [f"{side}." for side in network.sides if side not in inside]
    for path in (*(layer.name for layer in network.layers), *empty):
        *outside, name = path.split(".")
        group = root
        for outer in outside:
            group = group.inner(outer) if name else group.groups.get(outer) or group.inner(outer)
        if name:
            group.items.append(network[path])
    parts = Counter(group.path[:-1] for group in root.walk())
    split = next((side for side in network.sides if parts[side] > 1), None)
    if split is not None:
        raise UserError(
            f"{network.name} cannot be written as a spec: the layers of the side {split} are not next to each other"
        )
    return root


def _ends(name: str) -> list[int]:
    """Return the lengths of the paths of the groups around a layer."""
    return [position for position, character in enumerate(name) if character == "."]


class _SpecWriter:
    """Writes the steps, and follows what they will mean when they are read: the flow, and the names there are."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.flow = next(iter(network.inputs))
        self.known: set[str] = set()
        """Full names of the layers and groups before this one."""
        self.counts: dict[tuple[str, str], int] = {}

    def lines(self) -> Iterator[str]:
        """Return the steps of the network."""
        yield from self.steps(_tree(self.network), 2)

    def steps(self, group: _SpecGroup, indent: int) -> Iterator[str]:
        """Yield the steps of a group."""
        for item in group.items:
            if isinstance(item, Layer):
                yield f"{' ' * indent}- {self.layer(item, group.path)}"
                self.known.add(item.name)
                self.flow = item.name
                continue
            yield from self.group(item, group.path, indent)
            self.known.add(item.path[:-1])

    def group(self, group: _SpecGroup, outside: str, indent: int) -> Iterator[str]:
        """Yield a named group, or a side step."""
        name = group.path[len(outside) : -1]
        if group.path[:-1] not in self.network.sides:
            yield f"{' ' * indent}- {'layers' if name in _TAKEN else _name(name)}:"
            yield from self.steps(group, indent + 4)
            if name in _TAKEN:
                yield f"{' ' * indent}  name: {_name(name)}"
            return
        before, end = self.flow, self.network.sides[group.path[:-1]]
        steps = list(self.steps(group, indent + 4))
        if self.flow != end:
            steps.append(f"{' ' * (indent + 4)}- {{layers: [], from: {self.reference(end, group.path)}}}")
        yield f"{' ' * indent}- side:" + ("" if steps else " []")
        yield from steps
        yield f"{' ' * indent}  name: {_name(name)}"
        self.flow = before

    def layer(self, layer: Layer, outside: str) -> str:
        """Yield one step."""
        parts = _application(layer.op)
        name = layer.name[len(outside) :]
        if layer.shares is not None:
            self.check_share(layer, self.network[layer.shares])
            parts = [f"share: {self.reference(layer.shares, outside)}"]
        parts += [f"{tensor}: {self.reference(ref.layer, outside)}" for tensor, ref in layer.ties.items()]
        if layer.inputs != (self.flow,):
            sources = ", ".join(self.reference(source, outside) for source in layer.inputs)
            parts.append(f"from: {sources}" if len(layer.inputs) == 1 else f"from: [{sources}]")
        if layer.shares is not None or name != self.next_name(outside, layer.op.kind):
            parts.append(f"name: {_name(name)}")
        if layer.train:
            parts.append("train: true")
        return parts[0] if len(parts) == 1 and ":" not in parts[0] else f"{{{', '.join(parts)}}}"

    def check_share(self, layer: Layer, original: Layer) -> None:
        """State that a share, which takes the original's own arguments, says what the layer is."""
        if type(layer.op) is not type(original.op) or _arguments(layer.op) != _arguments(original.op):
            raise UserError(
                f"{self.network.name} cannot be written as a spec: {layer.name} has the weights of {original.name}, "
                "but other arguments"
            )

    def next_name(self, outside: str, kind: str) -> str:
        """Return the default name of a step."""
        count = self.counts.get((outside, kind), 0) + 1
        while f"{outside}{kind}{count}" in self.known or (not outside and f"{kind}{count}" in self.network.inputs):
            count += 1
        self.counts[outside, kind] = count - 1
        return f"{kind}{count}"

    def reference(self, source: str, scope: str) -> str:
        """Return the shortest name of a layer or input that is unambiguous in a group."""
        if source in self.network.inputs:
            return _reference(source)
        scopes = [scope]
        while scopes[-1]:
            scopes.append(scopes[-1][: scopes[-1][:-1].rfind(".") + 1])
        for scope in scopes:
            name = source[len(scope) :]
            if source.startswith(scope) and name not in self.network.inputs:
                if next(full for outer in scopes if (full := outer + name) in self.known) == source:
                    return _reference(name)
        return _reference(f".{source}")


def _arguments(op: Operator) -> dict[str, Any]:
    """Return all arguments, as the operator uses them."""
    return {name: getattr(op, name) for name in op.arguments}


def _application(op: Operator) -> list[str]:
    """Return the operator and its arguments, without those at their defaults."""
    defaults = op._defaults(op.rank)
    written: dict[str, Any] = {}
    for name, argument in op.arguments.items():
        if name in op.given:
            value = argument.type.check(op.given[name], op.rank)  # not resolved: `same` is not the padding it means
            default = defaults[name] if name in defaults else None if argument.required else argument.default(op)
            if argument.required or (type(value), value) != (type(default), default):
                written[name] = op.given[name]
    principal = op.principal()
    head = op.kind
    if not op.joins and principal in written and written[principal] is not None:
        head += f": {_value(written.pop(principal))}"
    return [head, *(f"{name}: {_value(value)}" for name, value in written.items())]


def _value(value: Any) -> str:
    """Return an argument as an expression."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_value(item)}' for name, item in value.items())}}}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (float, Fraction)):
        return _number(Fraction(value))
    return str(value)


def _number(value: Fraction) -> str:
    """Return an exact number: a decimal if it ends, else a quotient."""
    twos, fives, rest = 0, 0, value.denominator
    while rest % 2 == 0:
        twos, rest = twos + 1, rest // 2
    while rest % 5 == 0:
        fives, rest = fives + 1, rest // 5
    places = max(twos, fives)
    if rest != 1 or places > 20:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + whole + (f".{part}" if part else "")


def _name(name: str) -> str:
    """Return a name for a step; braces, which would be expressions, are written as expressions."""
    escaped = re.sub(r"[{}]", lambda brace: f"{{'\\x{ord(brace[0]):02x}'}}", name)
    return escaped if _WORD.fullmatch(escaped) and escaped not in _NULLS else _quoted(escaped)


def _reference(name: str) -> str:
    """Return a name for `from`, with dots."""
    return name if _REFERENCE.fullmatch(name) and name not in _NULLS else _name(name)


def _quoted(text: str) -> str:
    """Return a text in double quotes, with YAML's escapes for characters that do not print."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return (
        f"\\x{ord(character):02x}"
        if ord(character) < 256
        else f"\\u{ord(character):04x}"
        if ord(character) < 65536
        else f"\\U{ord(character):08x}"
    )
