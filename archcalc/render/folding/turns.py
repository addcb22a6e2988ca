"""Names in the turns of a loop: as one name with `i` in it, and several names in a row as one with a range."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from archcalc.render.folding.steps import WrittenStep
from archcalc.render.folding.text import SpecText
from archcalc.render.folding.unify import Unlike

DIGITS = re.compile(r"(\d+)")
LEAST_IN_A_ROW = 4
"""Names that are written as a range."""


def pattern(name: str) -> str:
    """Return a name without its numbers."""
    return DIGITS.sub("#", name)


def patterns(sources: Sequence[str]) -> tuple[str, ...]:
    """Return the names of sources without their numbers, once for several alike in a row."""
    return tuple(key for key, _ in groupby(sources, pattern))


def without_turns(step: WrittenStep) -> WrittenStep:
    """Return a step whose sources, and those of the steps in it, have no numbers."""
    return replace(
        step,
        sources=patterns(step.sources),
        body=list(map(without_turns, step.body)),
        branches=step.branches and [list(map(without_turns, branch)) for branch in step.branches],
    )


def with_common_sources(row: Sequence[WrittenStep], looped: bool) -> list[WrittenStep]:
    """Return the steps of the turns of a loop, each with the sources that the loop's step has, also in them.

    In a loop inside of it, ``looped``, they must be the same in every turn.
    """
    sources = common_sources([step.sources for step in row], looped)
    looped = looped or row[0].loops
    bodies = _common([step.body for step in row], looped)
    inside = [step.branches or [] for step in row]
    branches = list(zip(*(_common(list(each), looped) for each in zip(*inside, strict=True)), strict=True))
    return [
        replace(step, sources=sources, body=body, branches=step.branches and list(branches[turn]))
        for turn, (step, body) in enumerate(zip(row, bodies, strict=True))
    ]


def _common(bodies: Sequence[list[WrittenStep]], looped: bool) -> list[list[WrittenStep]]:
    if not bodies[0]:
        return [list(body) for body in bodies]
    rows = (with_common_sources(row, looped) for row in zip(*bodies, strict=True))
    return [list(body) for body in zip(*rows, strict=True)]


def common_sources(rows: Sequence[tuple[str, ...]], looped: bool) -> tuple[str, ...]:
    """Return the sources of turns as those of a loop; raise `Unlike` if they do not follow from its `i`."""
    if len(set(rows)) == 1:
        return rows[0]
    if len(set(map(len, rows))) == 1:
        return tuple(template(list(texts), looped) for texts in zip(*rows, strict=True))
    parts = [[list(names) for _, names in groupby(row, pattern)] for row in rows]
    if looped or len(set(map(len, parts))) > 1:
        raise Unlike
    return tuple(_of_part(list(names)) for names in zip(*parts, strict=True))


def _of_part(turns: Sequence[Sequence[str]]) -> str:
    """Return the names that each turn has in a row as one name."""
    if all(len(names) == 1 for names in turns):
        return template([names[0] for names in turns], False)
    before, numbers, after = _numbered(turns)
    first, end = _even([own[0] for own in numbers]), _even([own[-1] + 1 for own in numbers])
    return SpecText(f"{before}{{range({first}, {end})}}{after}")


def in_a_row(sources: Sequence[str]) -> list[str]:
    """Return sources with one name for those of which only one number differs, by one from each to the next."""
    found: list[str] = []
    for _, names in groupby(sources, pattern):
        alike = list(names)
        try:
            if len(alike) < LEAST_IN_A_ROW:
                raise Unlike
            before, [numbers], after = _numbered([alike])
            found.append(SpecText(f"{before}{{range({numbers[0]}, {numbers[-1] + 1})}}{after}"))
        except Unlike:
            found += alike
    return found


def _numbered(turns: Sequence[Sequence[str]]) -> tuple[str, list[list[int]], str]:
    """Return the texts before and after the one number that differs in all names, and these numbers.

    Raises `Unlike` if more differs, or the numbers of a turn are not in a row.
    """
    pieces = [[DIGITS.split(name) for name in names] for names in turns]
    every = [parts for names in pieces for parts in names]
    places = [place for place, texts in enumerate(zip(*every, strict=True)) if len(set(texts)) > 1]
    if len(places) != 1 or any("{" in name for names in turns for name in names):
        raise Unlike
    texts = [[parts[places[0]] for parts in names] for names in pieces]
    if any(own != [str(int(own[0]) + turn) for turn in range(len(own))] for own in texts):
        raise Unlike
    before, after = "".join(every[0][: places[0]]), "".join(every[0][places[0] + 1 :])
    return before, [list(map(int, own)) for own in texts], after


def _even(numbers: Sequence[int]) -> str:
    text = str(numbers[0]) if len(set(numbers)) == 1 else evenly(numbers)
    if text is None:
        raise Unlike
    return text


def template(texts: Sequence[str], looped: bool) -> str:
    """Return names of turns as one name with `i` in it; raise `Unlike` if their numbers do not grow evenly."""
    if len(set(texts)) == 1:
        return texts[0]
    if looped or any("{" in text for text in texts):  # of a loop, or a name with braces
        raise Unlike
    pieces = [DIGITS.split(text) for text in texts]
    if len(set(map(len, pieces))) > 1:
        raise Unlike
    found = []
    for index, parts in enumerate(zip(*pieces, strict=True)):
        if len(set(parts)) == 1:
            found.append(parts[0])
            continue
        if index % 2 == 0 or any(str(int(part)) != part for part in parts):
            raise Unlike
        numbers = [int(part) for part in parts]
        text = evenly(numbers)
        if text is None:
            raise Unlike
        found.append(f"{{{text}}}")
    return SpecText("".join(found))


def evenly(numbers: Sequence[int]) -> str | None:
    """Return numbers that grow evenly as an expression in `i`; None if they do not."""
    start, step = numbers[0], numbers[1] - numbers[0]
    if (
        step == 0
        or (len(numbers) == 2 and abs(step) > 2)
        or any(number != start + step * turn for turn, number in enumerate(numbers))
    ):
        return None
    term = "i" if abs(step) == 1 else f"{abs(step)} * i"
    if step < 0:
        return f"{start} - {term}"
    return term if start == 0 else f"{term} + {start}" if start > 0 else f"{term} - {-start}"
