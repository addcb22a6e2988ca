"""Where names belong."""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.language.draft import Flow
from archcalc.language.steps import DOTTED, Step
from archcalc.words import quote


class Scope:
    """Where names belong. Steps see the names of their scope and those around it, up to the border of a block."""

    def __init__(self, path: str, around: Scope | None, numbered: bool = False) -> None:
        self.path = path
        self.around = around
        self.numbered = numbered
        self.given: dict[str, Flow] = {}
        """Inputs by name, at the border of a block or of the network."""
        self.names: dict[str, int] = {}
        """Names taken here, with the line of the step that took them."""
        self.counts: dict[str, int] = {}
        self.loops: dict[tuple[str, int], Scope] = {}
        """Scopes of loops that have one name for all their turns: by name, and the step's node."""

    def inner(self, path: str, numbered: bool) -> Scope:
        """The scope of a group of that path."""
        return Scope(f"{path}.", self, numbered)

    def outward(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.around

    def seen(self, name: str) -> tuple[str, list[Scope]]:
        """A name without the dot that may stand before it, and the scopes that it is looked up in, in order.

        After a dot that is the outermost alone: the network's, or the block's.
        """
        scopes = list(self.outward())
        return (name[1:], scopes[-1:]) if name.startswith(".") else (name, scopes)

    def take(self, name: str, step: Step) -> str:
        """Claim a name that the spec gives."""
        if "." in name:
            raise (step.name.node if step.name else step.node).error(DOTTED)
        if name in self.names:
            line = self.names[name] + 1
            raise (step.name.node if step.name else step.node).error(
                f"the name {quote(self.path + name)} is taken by the step in line {line}"
            )
        self.names[name] = step.node.line
        return name

    def release(self, path: str) -> None:
        """Give back the name of a step that another stands for."""
        del self.names[path[len(self.path) :]]

    def next_name(self, word: str, step: Step) -> str:
        """The next free name: `conv1`, `conv2`, …; in a numbered scope, and for no word, `0`, `1`, …"""
        if self.numbered:
            word = ""
        count = self.counts.get(word, 0 if word else -1) + 1
        while f"{word}{count}" in self.names:
            count += 1
        self.counts[word] = count
        return self.take(f"{word}{count}", step)
