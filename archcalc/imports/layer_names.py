"""Names of layers and of their tensors that a spec can have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def printable(name: str) -> str:
    """Return a name without characters that cannot be shown, each of which becomes `_`."""
    return "".join(character if character.isprintable() else "_" for character in name)


def groups_of(names: Iterable[str]) -> set[str]:
    """Return the groups that dotted names lie in."""
    return {name[:end] for name in names for end, character in enumerate(name) if character == "."}


class TakenNames(set[str]):
    """Names that are taken, and free ones beside them."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__(names)
        self._last: dict[str, int] = {}
        """The last number that was given behind each name: what was free once is not looked for again."""

    def free(self, name: str, separator: str = "_") -> str:
        """Return a name that is not taken: `relu`, then `relu_2`."""
        return self.numbered(f"{name}{separator}", 2) if name in self else name

    def numbered(self, name: str, first: int = 1) -> str:
        """Return a name with a number that is not taken: `relu1`, then `relu2`."""
        number = self._last.get(name, first - 1) + 1
        while f"{name}{number}" in self:
            number += 1
        self._last[name] = number
        return f"{name}{number}"


def names_of(stored: Sequence[str], layer: str) -> dict[str, str]:
    """Return the names in a layer of stored tensors by their full names: `weight` for one that names the layer.

    Others have the last words of their own names, as few as tell them apart.
    """
    if len(stored) == 1 and not layer.endswith("computed"):
        return {stored[0]: "weight"}
    parts = [name.split(".") for name in stored]
    for count in range(1, max(map(len, parts), default=0) + 1):
        names = ["_".join(words[-count:]) for words in parts]
        if len(set(names)) == len(names) and not any(name[:1].isdigit() for name in names):
            return dict(zip(stored, names, strict=True))
    return {name: name.replace(".", "_") for name in stored}
