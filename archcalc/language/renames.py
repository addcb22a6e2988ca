"""The map from a spec's names to those of its reference implementation."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from archcalc.language.source import AnyNode, Mapping, Scalar, is_empty
from archcalc.network import fits_pattern
from archcalc.words import did_you_mean, quote

MAX_PATTERNS = 100
"""Names with `*`, each of which is compared with every path."""


def renames_in(node: AnyNode | None, paths: Collection[str]) -> dict[str, str]:
    """Return the names in `rename:`; raise `SpecError` for a name that no path begins with.

    Grammar::

        rename = {path: path, …}
        path   = part { "." part }
        part   = name | "*"
    """
    if node is None or is_empty(node):
        return {}
    if not isinstance(node, Mapping):
        raise node.error("expected names and the reference's names after rename")
    patterns = sum("*" in key.text for key, _ in node)
    if patterns > MAX_PATTERNS:
        raise node.error(f"rename has at most {MAX_PATTERNS} names with *, got {patterns}")
    known = {prefix for path in paths for prefix in _prefixes(path)}
    lengths: dict[int, list[tuple[str, ...]]] = {}
    for path in known:
        lengths.setdefault(len(path), []).append(path)
    found = {}
    for key, value in node:
        if not isinstance(value, Scalar) or is_empty(value):
            raise value.error("expected a name")
        parts = tuple(key.text.split("."))
        alike = lengths.get(len(parts), [])
        if parts not in known and not ("*" in parts and any(fits_pattern(parts, path) for path in alike)):
            hint = did_you_mean(key.text, [".".join(path) for path in alike])
            raise key.error(f"unknown step {quote(key.text)} in rename{hint}")
        if value.text.count("*") > key.text.count("*"):
            raise value.error(f"{quote(value.text)} has more * than {quote(key.text)}")
        found[key.text] = value.text
    return found


def _prefixes(path: str) -> Iterator[tuple[str, ...]]:
    parts = tuple(path.split("."))
    return (parts[:length] for length in range(1, len(parts) + 1))
