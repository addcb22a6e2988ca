"""Edits of the steps of an extended spec: steps to replace, to remove, to insert and to append."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Dictionary

from archcalc.errors import SpecError
from archcalc.language.reader import StepParser
from archcalc.language.source import AnyNode, Mapping, Scalar, Sequence, is_empty, items_of
from archcalc.language.steps import Apply, Group, SharedStep, Step, Template, replacing
from archcalc.words import help_line, quote

EDITS = ("append", "insert", "remove", "replace")
"""The keys of a spec that edit the steps of the spec that it extends."""
PLACES = ("after", "before")


class Edits:
    """The edits of a spec and of the specs that it extends."""

    def __init__(self) -> None:
        self.replaced: dict[str, list[Step]] = {}
        """Path to the steps in its place; none for a step that is removed."""
        self.inserted: dict[tuple[str, str], list[Step]] = {}
        """`after` or `before` and a path, to the steps there."""
        self.appended: list[Step] = []
        self.nodes: dict[tuple[str, str], tuple[str, AnyNode]] = {}
        """Place (empty for a replacement) and path of each edit, to its key in the spec and its node."""

    def read(self, root: Mapping, reader: StepParser) -> None:
        """Read the edits of one spec, whose edits come before those read already."""
        for name in EDITS:
            if root.get(name) is not None and not is_empty(root.pairs[name][1]):
                try:
                    getattr(self, f"_{name}")(root.pairs[name][1], reader)
                except SpecError as error:
                    reader.errors.append(error)

    def _append(self, node: AnyNode, reader: StepParser) -> None:
        self.appended = [*reader.steps(node, node), *self.appended]

    def _remove(self, node: AnyNode, reader: StepParser) -> None:
        for item in items_of(node):
            self._add_replacement("remove", Template(item).node, [])

    def _replace(self, node: AnyNode, reader: StepParser) -> None:
        if not isinstance(node, Mapping):
            raise node.error("expected names and values after replace")
        for key, value in node:
            if isinstance(value, Sequence):
                steps = reader.steps(value, value)
            else:
                steps = [] if is_empty(value) else [reader.step(value)]
            self._add_replacement("replace", key, steps)

    def _add_replacement(self, key: str, node: Scalar, steps: list[Step]) -> None:
        if node.text not in self.replaced:
            self.replaced[node.text] = steps
            self.nodes["", node.text] = key, node

    def _insert(self, node: AnyNode, reader: StepParser) -> None:
        here: dict[tuple[str, str], tuple[AnyNode, list[Step]]] = {}
        for item in items_of(node):
            places = [place for place in PLACES if isinstance(item, Mapping) and item.get(place) is not None]
            if not isinstance(item, Mapping) or len(places) != 1 or {*item.pairs} != {places[0], "steps"}:
                raise item.error("expected a place and steps" + help_line("write {after: conv1, steps: [relu]}"))
            target = Template(item.pairs[places[0]][1]).node
            steps = reader.steps(item.get("steps"), item)
            here.setdefault((places[0], target.text), (target, []))[1].extend(
                _named(steps, target.text.rpartition(".")[2])
            )
        for (place, path), (target_node, steps) in here.items():
            self.nodes.setdefault((place, path), ("insert", target_node))
            known = self.inserted.get((place, path), [])
            # Edits apply one after another, from the innermost spec: each next to the step itself.
            self.inserted[place, path] = [*known, *steps] if place == "after" else [*steps, *known]


def _named(steps: Iterable[Step], beside: str) -> list[Step]:
    """Give unnamed steps names after the step beside them, so that those of the spec around keep theirs."""
    counts: dict[str, int] = {}
    for step in _unnamed(steps):
        word = step.head if isinstance(step, Apply) else "again" if isinstance(step, SharedStep) else "side"
        counts[word] = counts.get(word, 0) + 1
        step.name = Template.fixed_as(f"{beside}_{word or 'step'}{counts[word]}", step.node)
    return list(steps)


def _unnamed(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps that would get their names by counting in the scope around."""
    for step in steps:
        if step.name is not None:
            continue
        if isinstance(step, Group):
            yield from _unnamed(step.steps)
            continue
        yield step
        if isinstance(step, Apply):
            yield from _unnamed(step.branches or ())


class Pending:
    """The edits of one expansion that are not done yet."""

    def __init__(self, edits: Edits) -> None:
        self._replaced: Dictionary[str, list[Step]] = dict(edits.replaced)
        self._inserted = dict(edits.inserted)
        self.nodes = dict(edits.nodes)
        """As in `Edits`."""

    def replacement(self, step: Step, path: str, name: str) -> Step | None:
        """Return what replaces the step of that path and name; None if nothing does. It is done then."""
        if ("", path) not in self.nodes:
            return None
        del self.nodes["", path]
        return replacing(self._replaced[path], step, name)

    def insertion(self, place: str, path: str, step: Step) -> list[Step]:
        """Return the steps that are inserted before or after the step of that path. They are done then."""
        if not self.nodes or (place, path) not in self.nodes:
            return []
        _, node = self.nodes.pop((place, path))
        if place == "before" and step.sources:
            raise node.error(
                f"{quote(path)} takes what its from names, not the step before"
                + help_line("insert after what it takes")
            )
        return self._inserted[place, path]
