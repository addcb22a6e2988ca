"""Exercises as Moodle XML: numerical and short answers, with feedback on the usual mistakes.

The rules are those of Moodle's importer (`question/format/xml/format.php`, `question/type/numerical`): every question
has a name; answers are tried in order, and the first that matches counts, so the right one is first and `*` last; a
tolerance is absolute. In a short answer `*` is a wildcard.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from archcalc.homework.exercises.distractors import distractors
from archcalc.homework.exercises.quiz import Ask, Exercise
from archcalc.homework.exercises.quiz_document import NOTE, layer_lines, question
from archcalc.render.mathematics import line_text
from archcalc.words import printable

WRONG = "This is not the answer, and no usual mistake gives it."


def moodle_xml(exercises: Sequence[Exercise], title: str) -> str:
    """Return a question bank in a category of its own."""
    quiz = Element("quiz")
    category = SubElement(SubElement(quiz, "question", type="category"), "category")
    _text(category, f"$course$/top/{printable(title).replace('/', '-')}")
    for exercise in exercises:
        for number, ask in enumerate(exercise.asks, 1):
            quiz.append(_question(exercise, ask, f"{exercise.number}.{number} {question(ask)}"))
    ElementTree.indent(quiz)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(quiz, encoding="unicode") + "\n"


def prompt(exercise: Exercise, ask: Ask) -> str:
    """Return the text of a question as HTML."""
    lines = "".join(f"<li>{escape(printable(line))}</li>" for line in layer_lines(exercise))
    unit = " Answer in bytes." if ask.quantity == "memory" else ""
    unit = " Write it as channels x height x width." if ask.is_shape else unit
    return f"<p>{escape(NOTE)}</p><ul>{lines}</ul><p>Compute {escape(question(ask))}.{unit}</p>"


def spellings(shape: Sequence[int]) -> list[str]:
    """Return the usual ways to write a shape, channels first."""
    marks = ["x", " x ", "×", ", "]
    return [*(mark.join(map(str, shape)) for mark in marks), f"({', '.join(map(str, shape))})"]


def _question(exercise: Exercise, ask: Ask, name: str) -> Element:
    node = Element("question", type="shortanswer" if ask.is_shape else "numerical")
    _text(SubElement(node, "name"), printable(name)[:250])
    _text(SubElement(node, "questiontext", format="html"), prompt(exercise, ask))
    explained = "<br>".join(escape(line_text(line)) for found in ask.derivation for line in found.lines)
    _text(SubElement(node, "generalfeedback", format="html"), explained)
    SubElement(node, "defaultgrade").text = "1"
    SubElement(node, "penalty").text = "0.3333333"
    if ask.is_shape:
        SubElement(node, "usecase").text = "0"
    for text in _written(ask.answer):
        _answer(node, text, 100, "", ask.is_shape)
    for diagnosis, value in distractors(exercise, ask):
        for text in _written(value):
            _answer(node, text, 0, diagnosis.says, ask.is_shape)
    _answer(node, "*", 0, WRONG, ask.is_shape)
    return node


def _written(value: Any) -> list[str]:
    if isinstance(value, tuple):
        return [text.replace("*", "\\*") for text in spellings(value)] if len(value) > 1 else [str(value[0])]
    return [str(value)]


def _answer(node: Element, text: str, fraction: int, feedback: str, is_shape: bool) -> None:
    answer = SubElement(node, "answer", fraction=str(fraction), format="moodle_auto_format")
    SubElement(answer, "text").text = text
    _text(SubElement(answer, "feedback", format="html"), escape(feedback))
    if not is_shape and text != "*":
        SubElement(answer, "tolerance").text = "0"


def _text(node: Element, text: str) -> None:
    SubElement(node, "text").text = text
