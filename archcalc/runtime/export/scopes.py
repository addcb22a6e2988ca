"""The network as a tree of scopes: the modules of an exported source, with inputs, calls and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from archcalc.network import Layer, Network

ScopePath = tuple[str, ...]


@dataclass
class ForwardCall:
    """A call of a layer or of a scope, in the scope around it."""

    path: ScopePath
    """Its path from the scope around: one name, or more if scopes between them are not called."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layer: Layer | None = None
    scope: ModuleScope | None = None
    owner: ScopePath | None = None
    """The path, from the scope around, of the layer whose weights it uses."""


@dataclass
class ModuleScope:
    """A group, a block or the network: steps with a forward method of their own."""

    path: ScopePath
    block: str
    """Name of its block; empty for a group that is not a block."""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    steps: list[ForwardCall] = field(default_factory=list)
    ties: list[tuple[ScopePath, ScopePath]] = field(default_factory=list)
    """Paths of tied weights, each with that of the parameter that it is; of the outermost scope only."""

    @property
    def inner(self) -> list[ScopePath]:
        """Paths of the scopes inside that are not called, outermost first."""
        paths = {step.path[:length]: None for step in self.steps for length in range(1, len(step.path))}
        return sorted(paths, key=len)

    def walk(self) -> Iterator[ModuleScope]:
        """Yield the scopes inside and this one, each after the scopes that it uses."""
        for step in self.steps:
            if step.scope is not None:
                yield from step.scope.walk()
        yield self


def scopes_of(network: Network) -> ModuleScope:
    """Return the tree of the network for inference, as `runtime.building` builds it."""
    return _Divider(network).root()


class _Divider:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.layers = [layer for layer in network.layers if not layer.auxiliary]
        self.same: dict[str, str] = {}
        """Layers that exist only in training, to the value that they pass on."""
        for layer in network.layers:
            if layer.train and not layer.side:
                self.same[layer.name] = self.value(layer.inputs[0])
        self.outputs = tuple(self.value(name) for name in network.outputs)
        self.users: dict[str, list[int]] = {}
        for position, layer in enumerate(self.layers):
            for source in layer.inputs:
                self.users.setdefault(self.value(source), []).append(position)
        self.split = self._scopes_without_a_call()

    def value(self, name: str) -> str:
        return self.same.get(name, name)

    def root(self) -> ModuleScope:
        scope = self.scope((), 0, len(self.layers))
        scope.inputs, scope.outputs = tuple(self.network.inputs), self.outputs
        scope.ties = [
            (_path(f"{layer.name}.{tensor}"), _path(str(ref)))
            for layer in self.layers
            for tensor, ref in layer.ties.items()
        ]
        return scope

    def _scopes_without_a_call(self) -> set[ScopePath]:
        """Return scopes whose layers are not consecutive, or share weights with layers outside."""
        places: dict[ScopePath, list[int]] = {}
        for position, layer in enumerate(self.layers):
            path = _path(layer.name)
            for length in range(1, len(path)):
                places.setdefault(path[:length], []).append(position)
        split = {path for path, found in places.items() if found[-1] - found[0] + 1 != len(found)}
        for layer in self.layers:
            if layer.shares is not None:
                ends = _path(layer.name), _path(layer.shares)
                common = len(_common(*ends))
                split |= {path[:length] for path in ends for length in range(common + 1, len(path))}
        return split

    def scope(self, path: ScopePath, begin: int, end: int) -> ModuleScope:
        """Return the scope at a path, with the layers from ``begin`` up to ``end``."""
        scope = ModuleScope(path, self.network.groups.get(".".join(path), ""))
        position = begin
        while position < end:
            child = self._call(path, _path(self.layers[position].name))
            stop = position + 1
            if child is None:
                scope.steps.append(self._layer_step(self.layers[position], path))
            else:
                while stop < end and _path(self.layers[stop].name)[: len(child)] == child:
                    stop += 1
                inner = self.scope(child, position, stop)
                scope.steps.append(ForwardCall(child[len(path) :], inner.inputs, inner.outputs, scope=inner))
            position = stop
        names = [layer.name for layer in self.layers[begin:end]]
        made = set(names)
        taken = {value: None for step in scope.steps for value in step.inputs if value not in made}
        scope.inputs = tuple(taken)
        used = tuple(name for name in names if self._is_used_outside(name, begin, end))
        scope.outputs = used or tuple(names[-1:])  # a scope that no output needs still gives its last value
        return scope

    def _call(self, path: ScopePath, layer: ScopePath) -> ScopePath | None:
        """Return the outermost called scope between ``path`` and a layer; None if there is none."""
        between = (layer[:length] for length in range(len(path) + 1, len(layer)))
        return next((child for child in between if child not in self.split), None)

    def _layer_step(self, layer: Layer, path: ScopePath) -> ForwardCall:
        inputs = tuple(self.value(source) for source in layer.inputs)
        owner = _path(layer.shares)[len(path) :] if layer.shares is not None else None
        return ForwardCall(_path(layer.name)[len(path) :], inputs, (layer.name,), layer=layer, owner=owner)

    def _is_used_outside(self, name: str, begin: int, end: int) -> bool:
        return name in self.outputs or any(not begin <= user < end for user in self.users.get(name, ()))


def _path(name: str) -> ScopePath:
    return tuple(name.split("."))


def _common(left: ScopePath, right: ScopePath) -> ScopePath:
    return tuple(name for name, _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
