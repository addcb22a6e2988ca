"""Steps of a group as they are written in the network, or in a block whose names are its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archcalc.network import Layer, Network
from archcalc.ops.operator import Operator
from archcalc.ops.written import written_arguments
from archcalc.render.folding.items import GroupPart, Item, Join, Leaf
from archcalc.render.folding.steps import GROUP, SHARE, SIDE, TOGETHER, Naming, WrittenStep, is_number
from archcalc.render.folding.text import SpecText

Call = Callable[[GroupPart], "WrittenStep | None"]
"""Returns the step that a group is as a block, without its name and inputs; None if it is not a block."""
Instead = Mapping[str, Mapping[str, SpecText]]
"""Layers to arguments that are written as expressions."""


class NotClosed(Exception):
    """The group takes something from outside that a block cannot be given."""


class Frame:
    """Writes the steps of a block or of the network, and follows what their names will mean."""

    def __init__(self, network: Network, root: str, given: Mapping[str, str], call: Call, instead: Instead) -> None:
        self.network = network
        self.root = root
        """The path of the block with a dot at its end; empty for the network."""
        self.given = given
        """Inputs of the block or network to the names that they have there."""
        self.call = call
        self.instead = instead
        self.flow = next(iter(given), "")
        self.meanings: dict[str, str] = {}
        """Path of each earlier layer or group to the layer whose output it means."""
        self.taken: set[str] = set()
        """Paths of the steps before this one."""
        self.counts: dict[tuple[str, str], int] = {}

    def steps(self, items: Sequence[Item], scope: str) -> tuple[list[WrittenStep], bool]:
        """Return the steps of a group, and whether it is numbered; ``scope`` is its path with a dot at its end."""
        direct: list[WrittenStep] = []
        steps = self._steps(items, scope, direct)
        numbered = sum(step.naming is Naming.NUMBERED for step in direct)
        counted = sum(step.naming is Naming.COUNTED for step in direct)
        kept = Naming.NUMBERED if numbered > max(counted, len(direct) == 1) else Naming.COUNTED
        for step in direct:
            if step.naming is not kept:
                step.naming = Naming.GIVEN
        return steps, kept is Naming.NUMBERED

    def _steps(self, items: Sequence[Item], scope: str, direct: list[WrittenStep]) -> list[WrittenStep]:
        steps = []
        for item in items:
            if isinstance(item, Leaf):
                steps.append(self.layer(item.layer, item.layer.inputs, scope, direct))
                self.ends(item)
            elif isinstance(item, Join):
                steps.append(self.join(item, scope, direct))
            else:
                steps.append(self.part(item, scope, direct))
        return steps

    def join(self, item: Join, scope: str, direct: list[WrittenStep]) -> WrittenStep:
        """Return a join with its branches."""
        step = self.layer(item.layer, [item.fork], scope, direct)
        step.branches = []
        for branch in item.branches:
            self.flow = item.fork
            step.branches.append(self._steps(branch, scope, direct))
        self.ends(item)
        return step

    def ends(self, item: Leaf | Join) -> None:
        """Let the next step begin with the output of a layer."""
        self.flow = self.meanings[item.layer.name] = item.layer.name

    def layer(self, layer: Layer, inputs: Sequence[str], scope: str, direct: list[WrittenStep]) -> WrittenStep:
        op = layer.op
        sources = self.sources(inputs, scope)
        if layer.shares is not None:
            step = WrittenStep(
                SHARE, principal="share", args={"share": self.reference(layer.shares, scope, 0)}, sources=sources
            )
        else:
            step = WrittenStep(op.kind, principal=None if op.joins else op.principal(), sources=sources)
            step.args = {**written_arguments(op), **self.instead.get(layer.name, {})}
            step.defaults = _defaults(op)
            step.ties = tuple((name, self.reference(ref.layer, scope, 0)) for name, ref in layer.ties.items())
        step.train, step.frozen, step.dtype = layer.train, layer.is_frozen, layer.dtype
        self.named(step, layer.name, scope, "" if layer.shares is not None else op.kind, direct)
        return step

    def part(self, part: GroupPart, scope: str, direct: list[WrittenStep]) -> WrittenStep:
        """Return the step of a group or of a side output, or a block in its place."""
        before = self.flow
        step = self.call(part) if not part.side else None
        if step is not None:
            step.sources = self.sources(part.sources, scope)
            for layer in part.layers():
                self.meanings[layer.name] = layer.name
            self.meanings.update({inner.path: inner.end for inner in part.walk() if inner.end})
        else:
            step = WrittenStep(SIDE if part.side else GROUP, in_parts=not part.whole)
            step.body, step.numbered = self.steps(part.items, f"{part.path}.")
        self.named(step, part.path, scope, "", direct)
        if part.side or not part.whole:
            step.naming = Naming.GIVEN
        if part.side:
            if _only_in_training(step.body):
                step.body, step.train = without_marks(step.body), True
            self.ended(step, part, f"{part.path}.")
            self.flow = before
        else:
            self.flow = part.end or before
        self.meanings[part.path] = self.flow
        return step

    def ended(self, step: WrittenStep, part: GroupPart, scope: str) -> None:
        """Let a side output end with what the network says."""
        end = self.network.sides[part.path]
        if self.flow != end:
            step.body.append(WrittenStep(TOGETHER, sources=(self.reference(end, scope),)))

    # -- names

    def named(self, step: WrittenStep, path: str, scope: str, kind: str, direct: list[WrittenStep]) -> None:
        """Give a step its name, or none if that is what it gets without one."""
        step.name = path[len(scope) :]
        if step.name == self.next_name(scope, ""):
            step.naming = Naming.NUMBERED
        elif kind and step.name == self.next_name(scope, kind):
            step.naming = Naming.COUNTED
        self.taken.add(path)
        direct.append(step)

    def next_name(self, scope: str, word: str) -> str:
        """Return the next free name: `conv1`, `conv2`, …, or `0`, `1`, … without a word."""
        count = self.counts.get((scope, word), 0 if word else -1) + 1
        while f"{scope}{word}{count}" in self.taken or (not scope and f"{word}{count}" in self.given.values()):
            count += 1
        self.counts[scope, word] = count - 1
        return f"{word}{count}"

    # -- references

    def sources(self, inputs: Sequence[str], scope: str) -> tuple[str, ...]:
        """Return what is written after `from`: nothing for the output of the step before."""
        return () if tuple(inputs) == (self.flow,) else tuple(self.reference(source, scope) for source in inputs)

    def reference(self, source: str, scope: str, outward: int = 100) -> str:
        """Return the shortest name of a layer or input in a group; raise `NotClosed` if it is not known here.

        It may be the name of a group that ends with the layer, up to ``outward`` groups around it.
        """
        if source in self.given:
            return self.given[source]
        if source not in self.meanings:
            raise NotClosed(source)
        scopes = [scope]
        while len(scopes[-1]) > len(self.root):
            scopes.append(scopes[-1][: scopes[-1][:-1].rfind(".") + 1])
        paths = [source]
        while "." in paths[-1] and len(paths) <= outward:
            paths.append(paths[-1].rpartition(".")[0])
        names = [
            path[len(outer) :]
            for path in paths
            if self.meanings.get(path) == source
            for outer in scopes
            if path.startswith(outer) and self._meaning(path[len(outer) :], scopes) == source
        ]
        return min(names, key=len) if names else f".{source[len(self.root) :]}"

    def _meaning(self, name: str, scopes: Sequence[str]) -> str:
        """Return what a name means in these scopes, the innermost first."""
        if name in self.given.values():
            return ""
        return next((self.meanings[outer + name] for outer in scopes if outer + name in self.meanings), "")


def _only_in_training(steps: Sequence[WrittenStep]) -> bool:
    """True if all layers in steps exist only in training."""
    inside = [(step, [own for steps in step.inner() for own in steps]) for step in steps]
    return bool(steps) and all(
        step.train or (own and step.head == GROUP and _only_in_training(own)) for step, own in inside
    )


def without_marks(steps: Sequence[WrittenStep]) -> list[WrittenStep]:
    """Return steps that are not marked as existing only in training, because what is around them is."""
    return [step.with_inner(without_marks, train=False) for step in steps]


def with_names(steps: Sequence[WrittenStep]) -> list[WrittenStep]:
    """Return steps in which groups have names: only operators and blocks can do without."""
    return [step.with_inner(with_names, naming=Naming.GIVEN if step.head == GROUP else step.naming) for step in steps]


def _defaults(op: Operator) -> dict[str, Any]:
    """Return the defaults of its arguments that are numbers."""
    return {
        name: argument.default
        for name, argument in op.arguments.items()
        if not argument.required and not callable(argument.default) and is_number(argument.default)
    }
