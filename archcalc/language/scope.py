"""Scopes: the names that a step can see."""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.language.draft import Flow
from archcalc.language.steps import DOTTED, Step
from archcalc.words import quote


class Scope:
    """A set of names. Steps see the names of their scope and of the scopes around it, up to their block."""

    def __init__(self, path: str, around: Scope | None, numbered: bool = False) -> None:
        self.path = path
        self.around = around
        self.numbered = numbered
        self.given: dict[str, Flow] = {}
        """Inputs of the block or network by name."""
        self.names: dict[str, int] = {}
        """Names used here, with the line of their step."""
        self.counts: dict[str, int] = {}
        self.loops: dict[tuple[str, int], Scope] = {}
        """Scopes of loops with one name for all turns, by that name and the id of the step's node."""
        self.groups: dict[str, Scope] = {}
        """Scopes of groups that are not loops by their names: a later group of that name continues one."""

    def inner(self, path: str, numbered: bool) -> Scope:
        """Return the scope of a group of that path."""
        return Scope(f"{path}.", self, numbered)

    def group(self, path: str, numbered: bool) -> Scope:
        """Return the scope of a group of that path: a new one, or the one that the group continues."""
        inner = self.groups.setdefault(path[len(self.path) :], self.inner(path, numbered))
        inner.numbered = numbered
        return inner

    def continues(self, path: str) -> bool:
        """True if a group of that path has begun already."""
        return path[len(self.path) :] in self.groups

    def outward(self) -> Iterator[Scope]:
        """Yield this scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.around

    def lookup_order(self, name: str) -> tuple[str, list[Scope]]:
        """Return a name without its leading dot, and the scopes in which it is looked up, in order.

        With a leading dot that is only the outermost scope: the block, or the network.
        """
        scopes = list(self.outward())
        return (name[1:], scopes[-1:]) if name.startswith(".") else (name, scopes)

    def take(self, name: str, step: Step) -> str:
        """Use a name for a step; raise if another step has it."""
        if "." in name:
            raise (step.name.node if step.name else step.node).error(DOTTED)
        if name in self.names:
            line = self.names[name] + 1
            raise (step.name.node if step.name else step.node).error(
                f"duplicate name {quote(self.path + name)}: the step in line {line} has it"
            )
        self.names[name] = step.node.line
        return name

    def release(self, path: str) -> None:
        """Free the name of a step that is replaced."""
        del self.names[path[len(self.path) :]]

    def next_name(self, word: str, step: Step) -> str:
        """Return the next free name: `conv1`, `conv2`, …; in a numbered scope, or for no word, `0`, `1`, …"""
        if self.numbered:
            word = ""
        count = self.counts.get(word, 0 if word else -1) + 1
        while f"{word}{count}" in self.names:
            count += 1
        self.counts[word] = count
        return self.take(f"{word}{count}", step)
