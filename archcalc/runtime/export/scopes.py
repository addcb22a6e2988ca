"""The network as a tree of scopes, as a person divides it into modules: what each takes, does and gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from archcalc.network import Layer, Network

ScopePath = tuple[str, ...]


@dataclass
class ForwardCall:
    """A layer, or a scope called as one, where it stands in the scope around it."""

    path: ScopePath
    """Its path from the scope around: one name, or more where scopes between are no calls of their own."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layer: Layer | None = None
    scope: ModuleScope | None = None
    owner: ScopePath | None = None
    """The path, from the scope around, of the layer whose weights it uses."""


@dataclass
class ModuleScope:
    """A group, a block or the network: steps that have a forward of their own."""

    path: ScopePath
    block: str
    """The name of the block that it is; empty for a plain group."""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    steps: list[ForwardCall] = field(default_factory=list)

    @property
    def inner(self) -> list[ScopePath]:
        """Paths of the scopes that are no calls of their own, outermost first."""
        paths = {step.path[:length]: None for step in self.steps for length in range(1, len(step.path))}
        return sorted(paths, key=len)

    def walk(self) -> Iterator[ModuleScope]:
        """All scopes below and this one, each after those that it needs."""
        for step in self.steps:
            if step.scope is not None:
                yield from step.scope.walk()
        yield self


def scopes_of(network: Network) -> ModuleScope:
    """The tree of the network that does inference: what `runtime.building` builds."""
    return _Divider(network).root()


class _Divider:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.layers = [layer for layer in network.layers if not layer.auxiliary]
        self.same: dict[str, str] = {}
        """A layer that exists only in training, to what it passes on."""
        for layer in network.layers:
            if layer.train and not layer.side:
                self.same[layer.name] = self.value(layer.inputs[0])
        self.outputs = tuple(self.value(name) for name in network.outputs)
        self.users: dict[str, list[int]] = {}
        for at, layer in enumerate(self.layers):
            for source in layer.inputs:
                self.users.setdefault(self.value(source), []).append(at)
        self.split = self._scopes_without_a_call()

    def value(self, name: str) -> str:
        return self.same.get(name, name)

    def root(self) -> ModuleScope:
        scope = self.scope((), 0, len(self.layers))
        scope.inputs, scope.outputs = tuple(self.network.inputs), self.outputs
        return scope

    def _scopes_without_a_call(self) -> set[ScopePath]:
        """Scopes whose layers do not follow each other, or share weights with layers outside."""
        places: dict[ScopePath, list[int]] = {}
        for at, layer in enumerate(self.layers):
            path = _path(layer.name)
            for length in range(1, len(path)):
                places.setdefault(path[:length], []).append(at)
        split = {path for path, found in places.items() if found[-1] - found[0] + 1 != len(found)}
        for layer in self.layers:
            if layer.shares is not None:
                ends = _path(layer.name), _path(layer.shares)
                common = len(_common(*ends))
                split |= {path[:length] for path in ends for length in range(common + 1, len(path))}
        return split

    def scope(self, path: ScopePath, begin: int, end: int) -> ModuleScope:
        """The scope at a path, whose layers are those from ``begin`` to ``end``."""
        scope = ModuleScope(path, self.network.groups.get(".".join(path), ""))
        at = begin
        while at < end:
            child = self._call(path, _path(self.layers[at].name))
            stop = at + 1
            if child is None:
                scope.steps.append(self._layer_step(self.layers[at], path))
            else:
                while stop < end and _path(self.layers[stop].name)[: len(child)] == child:
                    stop += 1
                inner = self.scope(child, at, stop)
                scope.steps.append(ForwardCall(child[len(path) :], inner.inputs, inner.outputs, scope=inner))
            at = stop
        made = {self.layers[at].name for at in range(begin, end)}
        taken = {value: None for step in scope.steps for value in step.inputs if value not in made}
        scope.inputs = tuple(taken)
        scope.outputs = tuple(
            self.layers[at].name for at in range(begin, end) if self._is_used_outside(self.layers[at].name, begin, end)
        )
        return scope

    def _call(self, path: ScopePath, layer: ScopePath) -> ScopePath | None:
        """The scope nearest below ``path`` that a layer is in and that is called as one."""
        between = (layer[:length] for length in range(len(path) + 1, len(layer)))
        return next((child for child in between if child not in self.split), None)

    def _layer_step(self, layer: Layer, path: ScopePath) -> ForwardCall:
        inputs = tuple(self.value(source) for source in layer.inputs)
        owner = _path(layer.shares)[len(path) :] if layer.shares is not None else None
        return ForwardCall(_path(layer.name)[len(path) :], inputs, (layer.name,), layer=layer, owner=owner)

    def _is_used_outside(self, name: str, begin: int, end: int) -> bool:
        return name in self.outputs or any(not begin <= at < end for at in self.users.get(name, ()))


def _path(name: str) -> ScopePath:
    return tuple(name.split("."))


def _common(left: ScopePath, right: ScopePath) -> ScopePath:
    return tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
