"""Names: those that steps get, and those that `from` and `share` look up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from archcalc.language.draft import Flow, GraphBuilder, Named
from archcalc.language.expression import STEPS
from archcalc.language.scope import Scope
from archcalc.language.steps import Apply, Group, SharedStep, Step, Template
from archcalc.language.values import FUNCTIONS, ShapeValue
from archcalc.words import did_you_mean, quote

EDGE_WORK = 10
"""Work of a look-up: it adds an edge that later passes follow."""


class Names:
    """The names of one expansion."""

    def __init__(self, draft: GraphBuilder, step_names: set[str]) -> None:
        self.draft = draft
        self.step_names = step_names
        """Every name of a step in the spec."""
        self._unknown: dict[int | str, str] = {}
        """Messages for templates and names that name no step: the nearest name is searched once for each."""

    def naming(
        self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None
    ) -> tuple[Scope, str]:
        """Return the scope of one turn of a step, and its full name."""
        if step.name is None:
            word = "" if turn is not None else _word(step)
            return scope, scope.path + scope.next_name(word, step)
        if not step.name.fixed:
            self.draft.work += step.name.weight
            variables["input"], variables[STEPS] = ShapeValue(flow.shape), SeenSteps(self, scope)
        name = step.name.fill(variables)
        if turn is None or not step.name.fixed:
            if isinstance(step, Group) and name in scope.groups:
                return scope, scope.path + name
            return scope, scope.path + scope.take(name, step)
        loop = name, id(step.node)
        if turn == 0 or loop not in scope.loops:  # `when` may have left out the first turns
            path = scope.path + scope.take(name, step)
            self.draft.groups[path] = ""
            scope.loops[loop] = scope.inner(path, numbered=False)
        inner = scope.loops[loop]
        return inner, inner.path + inner.next_name("", step)

    def leave_out(self, step: Step, flow: Flow, path: str, variables: dict[str, Any], turn: int | None = None) -> None:
        """Let the names of a step that is left out, and of the steps in it, mean what passes in its place.

        Of several alternatives with one name, it means the step that is not left out.
        """
        self.draft.taken += 1
        if step.name is not None:
            if step.name.fixed and turn is not None:
                return
            path += step.name.fill(variables)
            self.draft.named.setdefault(path, Named(flow, step, variables, 0, 0, "left out"))
            path += "."
        for inner in step.steps if isinstance(step, Group) else ():
            if inner.name is None or inner.name.fixed:
                self.leave_out(inner, flow, path, variables)

    def find(self, templates: Sequence[Template], scope: Scope, variables: dict[str, Any], flow: Flow) -> list[Flow]:
        """Return the flows that `from` names."""
        variables["input"], variables[STEPS] = ShapeValue(flow.shape), SeenSteps(self, scope)
        found = []
        for template in templates:
            names = template.fill_each(variables)
            self.draft.work += EDGE_WORK * len(names) + template.weight
            found += [self._flow(name, scope) or self._named(name, template, scope).flow for name in names]
        if not found:
            raise templates[0].node.error("from names no step")
        return found

    def _flow(self, name: str, scope: Scope) -> Flow | None:
        """Return what `from` means by a name: an input of a block around, or an earlier step; None for neither."""
        name, scopes = scope.lookup_order(name)
        for each in scopes:
            if name in each.given:
                return each.given[name]
        found = self._earlier(name, scopes)
        return None if found is None else found.flow

    def _earlier(self, name: str, scopes: Sequence[Scope]) -> Named | None:
        paths = (each.path + name for each in scopes)
        return next((self.draft.named[path] for path in paths if path in self.draft.named), None)

    def lookup(self, template: Template, scope: Scope, variables: dict[str, Any]) -> Named:
        """Return the earlier step that a name means in a scope; raise `SpecError` if there is none."""
        return self._named(template.fill(variables), template, scope)

    def _named(self, name: str, template: Template, scope: Scope) -> Named:
        name, scopes = scope.lookup_order(name)
        found = self._earlier(name, scopes)
        if found is not None:
            return found
        if id(template) not in self._unknown:
            self._unknown[id(template)] = self._no_step(name, scope)
        raise template.node.error(self._unknown[id(template)])

    def shape(self, name: str, scope: Scope) -> ShapeValue | None:
        """Return the shape of what `from` would name in a scope; None if there is no such step."""
        found = self._flow(name, scope)
        return None if found is None else ShapeValue(found.shape)

    def unknown(self, name: str, scope: Scope, variables: Iterable[str]) -> str:
        """Return the message for a name in an expression that is neither a variable nor a step."""
        alike = re.sub(r"[0-9]+", "#", name)
        if alike not in self._unknown:
            known = [*variables]
            if "." in name or name in self.step_names or name in known:
                self._unknown[alike] = self._no_step(name, scope)
            else:
                seen = [path[len(scope.path) :] for path in self.draft.named if path.startswith(scope.path)]
                self._unknown[alike] = f"unknown name {quote(name)}{did_you_mean(name, [*known, *FUNCTIONS, *seen])}"
        return self._unknown[alike]

    def _no_step(self, name: str, scope: Scope) -> str:
        """Return the message for an unknown step, with the nearest name."""
        if name in self.step_names:
            return f"the step {quote(name)} comes after this one, or is inside another block or group"
        seen = [path[len(scope.path) :] for path in self.draft.named if path.startswith(scope.path)]
        given = [name for each in scope.outward() for name in each.given]
        return f"unknown step {quote(name)}: no earlier step has this name{did_you_mean(name, seen + given)}"


class SeenSteps:
    """The earlier steps that an expression in a scope can name."""

    def __init__(self, names: Names, scope: Scope) -> None:
        self.names = names
        self.scope = scope

    def shape(self, path: str) -> ShapeValue | None:
        """Return the shape that a step gives; None if there is no such step."""
        return self.names.shape(path, self.scope)

    def unknown(self, path: str, variables: Iterable[str]) -> str:
        """Return the message for a name that is neither a step nor a variable."""
        return self.names.unknown(path, self.scope, variables)


def _word(step: Step) -> str:
    """Return the word before the number in the name of an unnamed step."""
    if isinstance(step, Apply):
        return step.head
    if isinstance(step, SharedStep):
        return step.target.node.text.rpartition(".")[2]
    return "side"
