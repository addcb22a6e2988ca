"""The filled row of a worksheet that shows how to write answers: of a layer that is not in the homework."""

from __future__ import annotations

from archcalc.analysis import analyze
from archcalc.homework.courses.worksheet import answer_text, asked_columns, worksheet
from archcalc.homework.key import AnswerKey
from archcalc.homework.without_bias import without_bias
from archcalc.language.library import loads
from archcalc.structs import replace

SPEC = "name: example\ninput: [3, 32, 32]\nlayers:\n  - {conv: 8, kernel: 3, padding: 1, name: example}\n"


def example_row(sheet: list[list[str]], key: AnswerKey, columns: list[str] | None, layout: str) -> list[str] | None:
    """Return the row below the headings of a worksheet; None if answers are formulas, or rows have no names."""
    if key.symbols or (columns and "name" not in columns):
        return None
    network = loads(SPEC)
    has_bias = any("bias" in costs.layer.op.weights() for costs in key.analysis.rows)
    analysis = analyze(network if has_bias else without_bias(network), key.analysis.counting)
    other = replace(key, analysis=analysis, with_total=False, depth=None)
    headings, *rows = worksheet(other, columns, layout)
    given = dict(zip(headings, rows[-1], strict=True))
    asked = asked_columns(sheet[0], key)
    cells = []
    for index, heading in enumerate(sheet[0]):
        answer = other.answer(other.rows[0], asked[index]) if index in asked else None
        text = answer_text(answer, asked[index], key, layout) if answer is not None else ""
        cells.append(text if index in asked else given.get(heading, ""))
    return cells
