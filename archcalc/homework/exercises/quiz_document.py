"""Exercises, and their key, as documents."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from archcalc.arithmetic import ratio
from archcalc.homework.exercises.quiz import Ask, Exercise
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.table import ASKED
from archcalc.render.document import Document, Formula, Item, ItemList, Paragraph
from archcalc.render.mathematics import line_formula, number_text
from archcalc.render.writers.latex import escape_latex
from archcalc.symbolic.symbolic_layer import Line
from archcalc.symbolic.terms import NumberTerm, TermSum

COUNTED = {"flops": ", K·K per output", "memory": ", in KiB"}
"""How a quantity is counted, for a question."""
NOTE = (
    "One sample, float32. A shape is channels×height×width. Parameters are weights and biases. Kernel, stride and "
    "padding hold for height and width; padding is on each side. By default: dilation 1, 1 group."
)


def question(ask: Ask) -> str:
    """Return a question: `the parameters of conv1`."""
    quantity = ASKED[ask.quantity]
    whose = "the whole network" if ask.layer is None else ask.layer
    return f"the {quantity.titled()} of {whose}{COUNTED.get(ask.quantity, '')}"


def answer(ask: Ask) -> str:
    """Return the answer: `64×56×56`, `23,296`, `784 KiB`."""
    if isinstance(ask.answer, tuple):
        return shape_text(ask.answer)
    if ask.quantity == "memory":
        return f"{number_text(ratio(ask.answer, 1024))} KiB"
    return number_text(ask.answer)


def layer_lines(exercise: Exercise) -> list[str]:
    """Return the input, and a line for each layer: `conv1: conv, channels 64, kernel 5, with bias`."""
    shape = next(iter(exercise.network.inputs.values()))
    lines = [f"input: {shape_text(shape)}"]
    for layer, written in zip(exercise.network.layers, exercise.spec.splitlines()[3:], strict=True):
        words = written.strip(" -{}").replace(": ", " ")
        words = re.sub(r"\b(\w+) true\b", r"with \1", re.sub(r"\b(\w+) false\b", r"no \1", words))
        lines.append(f"{layer.name}: {words}")
    return lines


def _lines(ask: Ask) -> list[tuple[str, Line]]:
    """Return the lines of a derivation, each with the name of its layer if there are several."""
    if ask.layer is None and isinstance(ask.answer, int):  # the last line of each layer, and their sum
        parts = [(explained.layer, explained.lines[-1]) for explained in ask.derivation]
        ends = tuple((1, line.terms[-1]) for _, line in parts)
        return [*parts, ("", Line("total", (TermSum(ends), NumberTerm(ask.answer))))]
    several = len(ask.derivation) > 1
    return [(explained.layer if several else "", line) for explained in ask.derivation for line in explained.lines]


def quiz_document(exercises: Sequence[Exercise], title: str) -> Document:
    """Return the exercises as a list; the records have a row for each question."""
    return _document(exercises, title, lambda ask: [f"→ {question(ask)}?"], lambda ask: {})


def key_document(exercises: Sequence[Exercise], title: str) -> Document:
    """Return the exercises with their answers, each derived; memory is in bytes in data."""
    return _document(
        exercises, title, lambda ask: [f"→ {question(ask)}: {answer(ask)}", *_derivation(ask)], _answer_data
    )


def _document(
    exercises: Sequence[Exercise],
    title: str,
    lines: Callable[[Ask], Sequence[str | Formula]],
    answered: Callable[[Ask], dict[str, Any]],
) -> Document:
    """Return exercises; ``lines`` and ``answered`` return what is shown of a question, for people and as data."""
    items = []
    for exercise in exercises:
        head, *layers = layer_lines(exercise)
        asks = [line for ask in exercise.asks for line in lines(ask)]
        items.append(Item(f"{exercise.number}. {head}", lines=(*layers, *asks)))
    data = {
        "title": title,
        "exercises": [
            {
                "number": exercise.number,
                "topic": exercise.topic,
                "spec": exercise.spec,
                "asks": [
                    {"quantity": ask.quantity, "layer": ask.layer, "question": question(ask), **answered(ask)}
                    for ask in exercise.asks
                ],
            }
            for exercise in exercises
        ],
    }
    rows = [
        [exercise.number, ask.quantity, ask.layer, question(ask), *([answer(ask)] if answered(ask) else [])]
        for exercise in exercises
        for ask in exercise.asks
    ]
    headings = ["exercise", "quantity", "layer", "question", "answer"][: len(rows[0])]
    return Document(
        "quiz", (Paragraph(title), Paragraph(NOTE), ItemList(tuple(items))), lambda: data, lambda: [headings, *rows]
    )


def _derivation(ask: Ask) -> list[Formula]:
    """Return the lines of a derivation, each with its layer's name if there are several layers."""
    formulas = [(layer, line_formula(line)) for layer, line in _lines(ask)]
    return [
        Formula(f"{layer}: {formula.text}", rf"\text{{{escape_latex(layer)}: }} {formula.latex}") if layer else formula
        for layer, formula in formulas
    ]


def _answer_data(ask: Ask) -> dict[str, Any]:
    value = list(ask.answer) if isinstance(ask.answer, tuple) else ask.answer
    return {"answer": value, "derivation": [line.text for line in _derivation(ask)]}
