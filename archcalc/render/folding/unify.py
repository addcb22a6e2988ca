"""Steps that differ only in numbers, some of them missing, as one step with a slot for each number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from archcalc.render.folding.steps import First, Slot, WrittenStep, comparable, is_number, key_of

Row = list["WrittenStep | None"]
"""A step as each of several lists has it; None where it is missing."""


class Unlike(Exception):
    """The steps differ in more than numbers."""


class Unifier:
    """Makes one step of several, and keeps the slots for what differs."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []

    def steps(self, lists: Sequence[Sequence[WrittenStep] | None], path: str, inner: bool) -> list[WrittenStep]:
        """Return lists of steps as one list; a list that is None is missing."""
        around = [steps is not None for steps in lists]
        return [self.step(row, around, path, inner) for row in aligned(lists)]

    def step(self, row: Row, around: Sequence[bool], path: str, inner: bool) -> WrittenStep:
        """Return a step that is a row of steps; names are those of the first.

        ``around`` is False where what the step is in is missing too.
        """
        there = [step for step in row if step is not None]
        first = there[0]
        path = f"{path}.{first.head if first.name.isdigit() else first.name or first.head}".lstrip(".")
        merged = replace(first, args={}, walked={}, branches=None)
        for name in dict.fromkeys(name for step in there for name in step.args):
            default = next((step.defaults.get(name) for step in there), None)
            values = [None if step is None else step.args.get(name, default) for step in row]
            before = len(self.slots)
            merged.args[name] = self.value(values, row, first.kinds.get(name, name), path, inner or first.loops)
            for slot in self.slots[before:]:
                slot.label = name
        if first.count is not None:
            counts = [None if step is None else step.count for step in row]
            merged.count = self.value(counts, row, "repeat", path, inner)
        for name in first.walked:
            values = [None if step is None else step.walked[name] for step in row]
            merged.walked[name] = self.value(values, row, first.kinds.get(name, name), path, inner)
        inner = inner or first.loops
        if any(step.body for step in there):
            merged.body = self.steps([None if step is None else step.body for step in row], path, inner)
        if first.branches is not None:
            branches = [None if step is None else step.branches for step in row]
            merged.branches = [
                self.steps([None if own is None else own[number] for own in branches], path, inner)
                for number in range(len(first.branches))
            ]
        if len(there) < sum(around):
            if len(first.sources) == 1:  # left out, it would pass this source and not the step before it
                raise Unlike
            found = [step is not None if outer else None for step, outer in zip(row, around, strict=True)]
            merged.when = self.slot(found, "when", path, inner)
        return merged

    def value(self, values: list[Any], row: Row, argument: str, path: str, inner: bool) -> Any:
        """Return a value, or the slots for what differs in it."""
        known = [value for value, step in zip(values, row, strict=True) if step is not None]
        if len(set(map(comparable, known))) == 1:
            if len(known) == len(values) or type(known[0]) is not int or known[0] < 2:
                return known[0]
            slot = self.slot(values, argument, path, inner)
            slot.same = True
            return slot
        if any(isinstance(value, First) for value in known):
            pairs = [value if isinstance(value, First) or step is None else First(value, value)
                     for value, step in zip(values, row, strict=True)]  # fmt: skip
            first = [pair.first if pair is not None else None for pair in pairs]
            rest = [pair.rest if pair is not None else None for pair in pairs]
            return First(self.value(first, row, argument, path, inner), self.value(rest, row, argument, path, inner))
        if all(isinstance(value, dict) for value in known) and len({tuple(value) for value in known}) == 1:
            return {
                name: self.value([value and value[name] for value in values], row, "shape", path, inner)
                for name in known[0]
            }
        if not all(map(is_number, known)):
            raise Unlike
        if all(isinstance(value, (list, tuple)) for value in known) and len(set(map(len, known))) == 1:
            return [
                self.value([None if value is None else value[index] for value in values], row, argument, path, inner)
                for index in range(len(known[0]))
            ]
        if any(isinstance(value, (list, tuple)) for value in known) and argument == "repeat":
            raise Unlike
        return self.slot(values, argument, path, inner)

    def slot(self, values: list[Any], argument: str, path: str, inner: bool) -> Slot:
        self.slots.append(Slot(values, argument, path, inner=inner))
        return self.slots[-1]


def aligned(lists: Sequence[Sequence[WrittenStep] | None]) -> list[Row]:
    """Return lists of steps side by side; raise `Unlike` if they are not the same with some left out."""
    whole = [steps for steps in lists if steps is not None]
    keys = [[key_of(step) for step in steps] for steps in whole]
    if all(own == keys[0] for own in keys):
        return [[None if steps is None else steps[index] for steps in lists] for index in range(len(whole[0]))]
    rows: list[Row] = []
    shapes: list[tuple[Any, ...]] = []
    for number, steps in enumerate(lists):
        if steps is None:
            rows = [[*row, None] for row in rows]
        else:
            rows, shapes = _with(rows, shapes, steps, number)
    return rows


def _with(
    rows: list[Row], shapes: list[tuple[Any, ...]], steps: Sequence[WrittenStep], number: int
) -> tuple[list[Row], list[tuple[Any, ...]]]:
    """Return rows with one more list in them."""
    own = [_shape(step) for step in steps]
    if number == 0 or not rows:
        return [[*[None] * number, step] for step in steps], own
    if not steps:
        return [[*row, None] for row in rows], shapes
    if own == shapes:
        return [[*row, step] for row, step in zip(rows, steps, strict=True)], shapes
    present = [next(step for step in row if step is not None) for row in rows]
    pairs = _common(shapes, own, [[_likeness(known, step) for step in steps] for known in present])
    if len(pairs) < min(len(rows), len(steps)):  # each has steps that the other lacks
        raise Unlike
    found: list[Row] = []
    names: list[tuple[Any, ...]] = []
    before_row = before_step = 0
    for row_at, step_at in [*pairs, (len(rows), len(steps))]:
        found += [[*row, None] for row in rows[before_row:row_at]]
        found += [[*[None] * number, step] for step in steps[before_step:step_at]]
        names += [*shapes[before_row:row_at], *own[before_step:step_at]]
        if row_at < len(rows):
            found.append([*rows[row_at], steps[step_at]])
            names.append(own[step_at])
        before_row, before_step = row_at + 1, step_at + 1
    return found, names


def _shape(step: WrittenStep) -> tuple[Any, ...]:
    """Return what a step and one that takes its place in another list have in common: steps in them may be missing."""
    inside = None if step.branches is None else len(step.branches)
    fixed = key_of(replace(step, body=[], branches=None))
    return (*fixed, bool(step.body), inside)


def _likeness(step: WrittenStep, other: WrittenStep) -> int:
    """Return how many arguments of two steps are the same, also in the steps in them."""
    same: int = sum(
        comparable(step.value_of(name)) == comparable(other.value_of(name)) for name in {**step.args, **other.args}
    )
    return same + sum(
        _likeness(left, right)
        for mine, yours in zip(step.inner(), other.inner(), strict=False)
        for left, right in zip(mine, yours, strict=False)
    )


def _common(left: Sequence[Any], right: Sequence[Any], likeness: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return the positions of a longest common subsequence, the one whose items are most alike."""
    best = [[(0, 0)] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if left[i] == right[j]:
                count, alike = best[i + 1][j + 1]
                best[i][j] = max(best[i][j], (count + 1, alike + likeness[i][j]))
    pairs, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def filled(value: Any) -> Any:
    """Return a value with what is written in its slots."""
    if isinstance(value, Slot):
        return value.text
    if isinstance(value, First):
        first, rest = filled(value.first), filled(value.rest)
        return first if comparable(first) == comparable(rest) else First(first, rest)
    if isinstance(value, (list, tuple)):
        return [filled(item) for item in value]
    if isinstance(value, dict):
        return {name: filled(item) for name, item in value.items()}
    return value


def filled_step(step: WrittenStep) -> WrittenStep:
    """Return a step with what is written in the slots in it."""
    return step.with_inner(
        lambda steps: list(map(filled_step, steps)),
        args=filled(step.args),
        count=filled(step.count),
        walked=filled(step.walked),
        when=filled(step.when),
    )
