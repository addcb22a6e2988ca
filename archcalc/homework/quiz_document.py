"""Exercises, and their key, as text, Markdown, LaTeX and JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archcalc.arithmetic import ratio
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.table import ASKED
from archcalc.render.mathematics import line_latex, line_text, number_text
from archcalc.render.text import wrap
from archcalc.render.writers.latex import escape_latex

if TYPE_CHECKING:
    from archcalc.homework.quiz import Ask, Exercise
    from archcalc.symbolic.derivations import Line

BESIDE = {"flops": ", K·K per output", "memory": ", in KiB"}
"""What must be said of how a quantity is counted."""
NOTE = (
    "One sample, float32. A shape is channels×height×width. Parameters are weights and biases. Kernel, stride and "
    "padding hold for height and width; padding is on each side. Where nothing is said: dilation 1, 1 group."
)


def question(ask: Ask) -> str:
    """What is asked: `the parameters of conv1`."""
    quantity = ASKED[ask.quantity]
    whose = "the whole network" if ask.layer is None else ask.layer
    return f"the {quantity.titled()} of {whose}{BESIDE.get(ask.quantity, '')}"


def answer(ask: Ask) -> str:
    """The answer: `64×56×56`, `23,296`, `784 KiB`."""
    if isinstance(ask.answer, tuple):
        return shape_text(ask.answer)
    if ask.quantity == "memory":
        return f"{number_text(ratio(ask.answer, 1024))} KiB"
    return number_text(ask.answer)


def _layers(exercise: Exercise) -> list[str]:
    """The input, and a line for each layer: `conv1: conv, channels 64, kernel 5, with bias`."""
    shape = next(iter(exercise.network.inputs.values()))
    lines = [f"input: {shape_text(shape)}"]
    for layer, written in zip(exercise.network.layers, exercise.spec.splitlines()[3:], strict=True):
        said = written.strip(" -{}").replace(": ", " ")
        said = re.sub(r"\b(\w+) true\b", r"with \1", re.sub(r"\b(\w+) false\b", r"no \1", said))
        lines.append(f"{layer.name}: {said}")
    return lines


def _lines(ask: Ask) -> list[tuple[str, Line]]:
    """The derivation; where several layers have a part in it, each line with its layer's name."""
    from archcalc.symbolic.derivations import Line
    from archcalc.symbolic.terms import NumberTerm, Sum

    if ask.layer is None and isinstance(ask.answer, int):  # the last line of each layer, and their sum
        parts = [(one.layer, one.lines[-1]) for one in ask.derivation]
        ends = tuple((1, line.terms[-1]) for _, line in parts)
        return [*parts, ("", Line("total", (Sum(ends), NumberTerm(ask.answer))))]
    several = len(ask.derivation) > 1
    return [(one.layer if several else "", line) for one in ask.derivation for line in one.lines]


def _text_lines(ask: Ask) -> list[str]:
    return [(f"{layer}: " if layer else "") + line_text(line) for layer, line in _lines(ask)]


def _latex_lines(ask: Ask) -> list[str]:
    return [(rf"\text{{{escape_latex(layer)}: }} " if layer else "") + line_latex(line) for layer, line in _lines(ask)]


def quiz_text(exercises: Sequence[Exercise], title: str, key: bool) -> str:
    """As text: the exercises, or their key."""
    lines = [title, *wrap(NOTE, 100), ""]
    for exercise in exercises:
        number, *others = _layers(exercise)
        lines += [f"{exercise.number}. {number}", *(f"   {line}" for line in others)]
        for ask in exercise.asks:
            if key:
                lines += [
                    f"   → {question(ask)}: {answer(ask)}",
                    *(f"       {line}" for line in _text_lines(ask)),
                ]
            else:
                lines.append(f"   → {question(ask)}?")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def quiz_markdown(exercises: Sequence[Exercise], title: str, key: bool) -> str:
    """As Markdown, a section for each exercise."""
    lines = [f"# {title}", "", *wrap(NOTE, 100), ""]
    for exercise in exercises:
        lines += [f"## {exercise.number}. {exercise.topic}", "", "```yaml", *exercise.spec.splitlines()[1:], "```", ""]
        for ask in exercise.asks:
            if key:
                lines += [f"- {question(ask)}: **{answer(ask)}**", ""]
                lines += [f"  $${line}$$" for line in _latex_lines(ask)] + [""]
            else:
                lines.append(f"- {question(ask)}?")
        lines += [""] * (not key)
    return "\n".join(lines[:-1]) + "\n"


def quiz_latex(exercises: Sequence[Exercise], title: str, key: bool) -> str:
    """As the body of a LaTeX document."""
    lines = ["% needs \\usepackage{amsmath}", rf"\section*{{{escape_latex(title)}}}", escape_latex(NOTE)]
    lines.append(r"\begin{enumerate}")
    for exercise in exercises:
        lines.append(r"\item " + r"\\ ".join(escape_latex(line) for line in _layers(exercise)))
        lines.append(r"\begin{itemize}")
        for ask in exercise.asks:
            lines.append(rf"\item {escape_latex(question(ask))}" + (f": {escape_latex(answer(ask))}" if key else "?"))
            if key:
                body = "\\\\\n  ".join("&" + line for line in _latex_lines(ask))
                lines.append("\\begin{align*}\n  " + body + "\n\\end{align*}")
        lines.append(r"\end{itemize}")
    return "\n".join([*lines, r"\end{enumerate}"]) + "\n"


def quiz_json(exercises: Sequence[Exercise], title: str, key: bool) -> str:
    """As JSON: each exercise with its spec; memory in bytes."""
    import json

    def asked(ask: Ask) -> dict[str, Any]:
        data: dict[str, Any] = {"quantity": ask.quantity, "layer": ask.layer, "question": question(ask)}
        if key:
            value = list(ask.answer) if isinstance(ask.answer, tuple) else ask.answer
            data |= {"answer": value, "derivation": _text_lines(ask)}
        return data

    data = {
        "title": title,
        "exercises": [
            {"number": one.number, "topic": one.topic, "spec": one.spec, "asks": [asked(ask) for ask in one.asks]}
            for one in exercises
        ],
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


FORMATS = {"text": quiz_text, "markdown": quiz_markdown, "latex": quiz_latex, "json": quiz_json}
