"""A network as a spec that says it layer by layer: what parameters, loops and blocks made, written out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from archcalc.errors import UserError
from archcalc.language.steps import MODIFIERS, SPECIAL_HEADS
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.render.spec_shares import shared_arguments
from archcalc.render.spec_text import application, head_lines, name_text, reference_text

TAKEN = frozenset((*registry(), *MODIFIERS, *SPECIAL_HEADS, "numbered"))
"""Keys with a meaning of their own: a group of such a name is written with `name` and `layers`."""


def network_spec(network: Network) -> str:
    """Return YAML of the network without parameters, loops and blocks: groups, and a line for each layer.

    It loads as a network with the same layers, arguments, inputs, shared weights and marks. Raises `UserError` for a
    network that such a spec cannot express.
    """
    return "\n".join([*head_lines(network), "layers:", *_SpecWriter(network).lines()]) + "\n"


@dataclass
class SpecGroup:
    """A group or a part of one, or the network itself, with its steps in order."""

    path: str
    items: list[Layer | SpecGroup] = field(default_factory=list)
    groups: dict[str, SpecGroup] = field(default_factory=dict)

    def inner(self, name: str) -> SpecGroup:
        """Return the group of that name at the end of this one: a new part of it if other steps came between."""
        if name not in self.groups or self.items[-1] is not self.groups[name]:
            self.groups[name] = SpecGroup(f"{self.path}{name}.")
            self.items.append(self.groups[name])
        return self.groups[name]

    def walk(self) -> Iterator[SpecGroup]:
        """Yield it and the groups in it."""
        yield self
        for item in self.items:
            if isinstance(item, SpecGroup):
                yield from item.walk()


def spec_tree(network: Network) -> SpecGroup:
    """Return the groups that the names of the layers contain, with those of side steps that have no layers."""
    root = SpecGroup("")
    inside = {layer.name[:end] for layer in network.layers for end in _ends(layer.name)}
    empty = [f"{side}." for side in network.sides if side not in inside]
    for path in (*(layer.name for layer in network.layers), *empty):
        *outside, name = path.split(".")
        group = root
        for outer in outside:
            group = group.inner(outer) if name else group.groups.get(outer) or group.inner(outer)
        if name:
            group.items.append(network[path])
    parts = parts_of(root)
    split = next((side for side in network.sides if parts.get(side, 0) > 1), None)
    if split is not None:
        raise UserError(
            f"{network.name} cannot be written as a spec: the layers of the side {split} are not next to each other"
        )
    return root


def parts_of(root: SpecGroup) -> dict[str, int]:
    """Return how many parts each group has."""
    return Counter(group.path[:-1] for group in root.walk())


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
        self.instead = shared_arguments(network)

    def lines(self) -> Iterator[str]:
        """Return the steps of the network."""
        yield from self.steps(spec_tree(self.network), 2)

    def steps(self, group: SpecGroup, indent: int) -> Iterator[str]:
        for item in group.items:
            if isinstance(item, Layer):
                yield f"{' ' * indent}- {self.layer(item, group.path)}"
                self.known.add(item.name)
                self.flow = item.name
                continue
            yield from self.group(item, group.path, indent)
            self.known.add(item.path[:-1])

    def group(self, group: SpecGroup, outside: str, indent: int) -> Iterator[str]:
        """Yield a named group, or a side step."""
        name = group.path[len(outside) : -1]
        if group.path[:-1] not in self.network.sides:
            yield f"{' ' * indent}- {'layers' if name in TAKEN else name_text(name)}:"
            yield from self.steps(group, indent + 4)
            if name in TAKEN:
                yield f"{' ' * indent}  name: {name_text(name)}"
            return
        before, end = self.flow, self.network.sides[group.path[:-1]]
        steps = list(self.steps(group, indent + 4))
        if self.flow != end:
            steps.append(f"{' ' * (indent + 4)}- {{layers: [], from: {self.reference(end, group.path)}}}")
        yield f"{' ' * indent}- side:" + ("" if steps else " []")
        yield from steps
        yield f"{' ' * indent}  name: {name_text(name)}"
        self.flow = before

    def layer(self, layer: Layer, outside: str) -> str:
        """Yield one step."""
        parts = application(layer.op, self.instead.get(layer.name, {}))
        name = layer.name[len(outside) :]
        if layer.shares is not None:
            parts = [f"share: {self.reference(layer.shares, outside)}"]
        parts += [f"{tensor}: {self.reference(ref.layer, outside)}" for tensor, ref in layer.ties.items()]
        if layer.inputs != (self.flow,):
            sources = ", ".join(self.reference(source, outside) for source in layer.inputs)
            parts.append(f"from: {sources}" if len(layer.inputs) == 1 else f"from: [{sources}]")
        if layer.shares is not None or name != self.next_name(outside, layer.op.kind):
            parts.append(f"name: {name_text(name)}")
        if layer.train:
            parts.append("train: true")
        if layer.dtype:
            parts.append(f"dtype: {layer.dtype}")
        if layer.is_frozen:
            parts.append("trainable: false")
        return parts[0] if len(parts) == 1 and ":" not in parts[0] else f"{{{', '.join(parts)}}}"

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
            return reference_text(source)
        scopes = [scope]
        while scopes[-1]:
            scopes.append(scopes[-1][: scopes[-1][:-1].rfind(".") + 1])
        for scope in scopes:
            name = source[len(scope) :]
            if source.startswith(scope) and name not in self.network.inputs:
                if next(full for outer in scopes if (full := outer + name) in self.known) == source:
                    return reference_text(name)
        return reference_text(f".{source}")
