"""Names of layers and of their tensors that a spec can have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def printable(name: str) -> str:
    """Return a name without characters that cannot be shown, each of which becomes `_`."""
    return "".join(character if character.isprintable() else "_" for character in name)


def groups_of(names: Iterable[str]) -> set[str]:
    """Return the groups that dotted names lie in."""
    return {name[:end] for name in names for end, character in enumerate(name) if character == "."}


def apart(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


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
