"""Renames of tensors, told once for all blocks that are alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

_NUMBERED, _NUMBER = re.compile(r".*\d", re.DOTALL), re.compile(r"\d+")
Path = tuple[str, ...]


def folded_renames(renames: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return renames that say the same of every name, with `*` for the numbered parts of names that are alike.

    `{a.0.x: a.0.y, a.1.x: a.1.y}` becomes `{a.*.x: a.*.y}`, unless another name fits that and is not renamed so.
    """
    pairs = {tuple(own.split(".")): tuple(meant.split(".")) for own, meant in renames.items()}
    wanted = {len(own) for own in pairs}
    prefixes = {tuple(parts[:length]) for name in names if (parts := name.split(".")) for length in wanted}
    folded: dict[Path, Path] = {}
    for part in (_NUMBERED, _NUMBER):  # `layer1` and `1` alike, else `1` alone
        groups: dict[Path, dict[Path, Path]] = defaultdict(dict)
        for own, meant in pairs.items():
            groups[_starred(own, part)][own] = meant
        for pattern, group in groups.items():
            meanings = {_starred(meant, part) for meant in group.values()}
            keeps_order = all(_stars(own, part) == _stars(meant, part) for own, meant in group.items())
            fits = {path for path in prefixes if len(path) == len(pattern) and _fits(pattern, path)}
            if len(group) > 1 and len(meanings) == 1 and keeps_order and fits <= group.keys():
                folded[pattern] = meanings.pop()
                pairs = {own: meant for own, meant in pairs.items() if own not in group}
    return {".".join(own): ".".join(meant) for own, meant in (folded | pairs).items()}


def _starred(parts: Path, part: re.Pattern[str]) -> Path:
    return tuple("*" if part.fullmatch(name) else name for name in parts)


def _stars(parts: Path, part: re.Pattern[str]) -> list[str]:
    return [name for name in parts if part.fullmatch(name)]


def _fits(pattern: Path, path: Path) -> bool:
    return all(part in ("*", name) for part, name in zip(pattern, path, strict=True))
