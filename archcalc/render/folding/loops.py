"""Loops: steps that repeat become one step or a few, with `repeat` or `for`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from archcalc.ops import registry
from archcalc.render.folding.numbers import agree, free_name, kind, multiple, usual_name, variables_in
from archcalc.render.folding.steps import (
    GROUP,
    SHARE,
    SIDE,
    TOGETHER,
    First,
    Naming,
    Slot,
    WrittenStep,
    comparable,
    key_of,
    lines_in,
)
from archcalc.render.folding.text import SpecText
from archcalc.render.folding.turns import evenly, pattern, template, with_common_sources, without_turns
from archcalc.render.folding.unify import Unifier, Unlike, filled_step

MAX_PERIOD, MAX_VARIABLES, MAX_FAILURES, MAX_PASSES, MAX_TURNS, MAX_LISTED = 64, 6, 50, 12, 500, 6


def folded(steps: Sequence[WrittenStep]) -> list[WrittenStep]:
    """Return steps with loops for those that repeat, also inside them; shorter loops first."""
    found = [step.with_inner(folded) if step.body or step.branches else step for step in steps]
    keys = [turn_key(step) for step in found]
    period, passes = 1, 0
    while period <= min(MAX_PERIOD, len(found) // 2):
        shorter = _folded(found, keys, period)
        period += 1
        if len(shorter) < len(found) and passes < MAX_PASSES:
            found, period, passes = shorter, 1, passes + 1
            keys = [turn_key(step) for step in found]
    return found


def _folded(steps: list[WrittenStep], keys: Sequence[Any], period: int) -> list[WrittenStep]:
    """Return steps with loops for those that repeat after ``period`` steps."""
    found: list[WrittenStep] = []
    start = failures = 0
    while start < len(steps):
        end = start
        while end + period < len(steps) and keys[end] == keys[end + period]:
            end += 1
        turns = min((end - start) // period + 1, MAX_TURNS)
        loops: list[WrittenStep] = []
        if turns > 1 and failures < MAX_FAILURES:
            run = steps[start : start + turns * period]
            loop = _loop(run, period)
            failures += loop is None
            loops = _stages(run, loop) if loop is not None and period == 1 else [loop] if loop is not None else []
        found += loops or steps[start : start + 1]
        start += turns * period if loops else 1
    return found


def _stages(steps: Sequence[WrittenStep], loop: WrittenStep) -> list[WrittenStep]:
    """Return a long loop over blocks as one for each stage, in which the width is the same."""
    widths = [comparable(step.args.get(step.principal or "")) for step in steps]
    stages = [list(stage) for _, stage in groupby(zip(widths, steps, strict=True), key=lambda pair: pair[0])]
    if not loop.walked or len(steps) <= MAX_LISTED or not 1 < len(stages) <= len(steps) * 2 // 3:
        return [loop]
    return [step for stage in stages for step in _stage([step for _, step in stage])]


def _stage(steps: list[WrittenStep]) -> list[WrittenStep]:
    loop = _loop(steps, 1) if len(steps) > 1 else None
    return [loop] if loop is not None else steps


def turn_key(step: WrittenStep) -> Any:
    """Return what the turns of a loop must have in common: all but numbers, also those in names."""
    if step.head in (SIDE, SHARE) or step.in_parts or step.ties:
        return id(step)
    name = pattern(step.name) if step.naming is Naming.GIVEN or step.head == GROUP else ""
    return key_of(replace(without_turns(step), name=name))


def _loop(steps: Sequence[WrittenStep], period: int) -> WrittenStep | None:
    """Return steps as a loop over the first of them; None if that is not possible, or not shorter."""
    turns = len(steps) // period
    unifier = Unifier()
    try:
        body = []
        for position in range(period):
            row = with_common_sources([steps[turn * period + position] for turn in range(turns)], False)
            named = row[0].naming is Naming.GIVEN or row[0].head == GROUP
            name = template([step.name for step in row], row[0].loops) if named else row[0].name
            step = unifier.step([*row], [True] * turns, "", False)
            naming = Naming.GIVEN if named else row[0].naming
            body.append(replace(step, name=name, naming=naming))
        walked, kinds = _solved(unifier.slots, turns, set(variables_in(steps)))
    except Unlike:
        return None
    body = [filled_step(step) for step in body]
    alone = period == 1 and not body[0].loops and body[0].head != TOGETHER and body[0].naming is not Naming.COUNTED
    saved = lines_in(steps) - lines_in(body) - (not alone)
    differing = len({tuple(map(comparable, slot.values)) for slot in unifier.slots})
    call = alone and body[0].head not in registry() and lines_in(body) == 1
    if call and ((turns == 2 and differing > 2) or (len(walked) > 1 and turns < 2 * len(walked))):
        return None
    leaf = alone and not call and lines_in(body) == 1
    if leaf and turns == 2 and isinstance(body[0].name, SpecText):
        return None
    if saved < (1 + bool(walked) if call else 1 + 2 * differing) or (period == 1 and _is_fixed(body[0]) and turns > 1):
        return None
    count = None if walked else turns
    if alone:
        return replace(body[0], count=count, walked=walked, kinds=body[0].kinds | kinds)
    return WrittenStep(TOGETHER, body=body, count=count, walked=walked, kinds=kinds)


def _is_fixed(step: WrittenStep) -> bool:
    """True if every turn of a loop would have the same name."""
    return step.naming is Naming.GIVEN and bool(step.name) and not isinstance(step.name, SpecText)


def _solved(slots: Sequence[Slot], turns: int, taken: set[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Write into each slot what its numbers are in a turn; return the loop's variables, and what these are."""
    walked: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    for slot in slots:
        if any(value is None for value in slot.values):
            raise Unlike
        slot.text = None if slot.inner else _by_turn(slot.values, slot.argument)
        if slot.text is not None:
            continue
        for name, values in walked.items():
            if kind(kinds[name]) == kind(slot.argument):
                if agree(slot.values, values):
                    slot.text = SpecText(name)
                elif kind(slot.argument) == "size" and (form := multiple(slot.values, values)):
                    slot.text = SpecText(form.format(name))
            if slot.text is not None:
                break
        else:
            name = free_name([usual_name(slot)], {*walked, *taken})
            walked[name], kinds[name] = list(slot.values), slot.argument
            slot.text = SpecText(name)
    if len(walked) > MAX_VARIABLES:
        raise Unlike
    return dict(sorted(walked.items(), key=lambda own: kinds[own[0]] == "repeat")), kinds


def _by_turn(values: Sequence[Any], argument: str) -> Any:
    """Return values that follow from the number of the turn; None if they do not."""
    if argument == "repeat" or any(isinstance(value, (list, tuple)) for value in values):
        return None
    if argument == "shift" and values[0] == 0 and all(value == values[index % 2] for index, value in enumerate(values)):
        return SpecText(f"{values[1]} * (i % 2)")
    if all(agree([value], [values[1]]) for value in values[1:]):
        return First(values[0], values[1])
    if len(values) > 3 and all(type(value) is int for value in values):
        text = evenly(values)
        if text is not None:
            return SpecText(text)
        if all(value == values[index % 2] for index, value in enumerate(values)):
            return SpecText(f"{values[0]} if i % 2 == 0 else {values[1]}")
    return None
