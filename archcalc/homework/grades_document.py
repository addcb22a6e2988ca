"""Graded homework as text, Markdown and JSON, and the grades of a class as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from archcalc.homework.grade import GradedCell, GradedRow, GradedSheet, Verdict, number
from archcalc.homework.questions import QUESTIONS
from archcalc.render.text import cells_wide, fit, pad, wrap
from archcalc.render.writers.csv import csv_cell
from archcalc.render.writers.markdown import escape_markdown
from archcalc.words import printable

WIDTH = 110
COMMON = 5
"""How many of a class's mistakes are listed."""


def render_sheet(sheet: GradedSheet, format: str) -> str:
    """One graded sheet in `text`, `markdown` or `json`, ending with a line's end."""
    if format == "json":
        return _json(sheet.to_dict())
    return (_sheet_markdown if format == "markdown" else _sheet_text)(sheet)


def render_class(sheets: Sequence[GradedSheet], format: str) -> str:
    """The grades of a class: a line for each sheet, and the mistakes that were made most often."""
    if format == "json":
        return _json({"sheets": [sheet.to_dict() for sheet in sheets]})
    return (_class_markdown if format == "markdown" else _class_text)(sheets)


def _json(data: object) -> str:
    """JSON in which letters stand as they are, and what could steer a terminal is escaped."""
    text = json.dumps(data, indent=1, ensure_ascii=False)
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text) + "\n"


def points_text(points: Fraction) -> str:
    """Points as people write them."""
    return f"{number(points):g}"


def _head(sheet: GradedSheet) -> str:
    points = f"{points_text(sheet.points)} of {points_text(sheet.max_points)} points"
    return f"{sheet.source} · {sheet.network} · {sheet.convention} · {points}"


def counts_text(verdicts: Counter[Verdict]) -> str:
    """`52 right, 4 wrong`."""
    return ", ".join(f"{verdicts[verdict]} {verdict.value}" for verdict in Verdict if verdicts[verdict])


def _findings(sheet: GradedSheet) -> list[tuple[str, GradedCell]]:
    """The cells of which something is to be said one by one."""
    absent = {row.name for row in _absent(sheet)}
    quiet = (Verdict.RIGHT, Verdict.CARRIED_FORWARD)
    return [
        (row.name, cell)
        for row in sheet.rows
        if row.name not in absent
        for cell in row.cells
        if cell.verdict not in quiet
    ]


def _absent(sheet: GradedSheet) -> list[GradedRow]:
    """Rows without any answer."""
    return [row for row in sheet.rows if all(cell.verdict is Verdict.MISSING for cell in row.cells)]


def _notes(sheet: GradedSheet) -> list[str]:
    """What is to be said of many cells at once, and of the file."""
    carried = [
        f"{row.name} {QUESTIONS[cell.column].heading}"
        for row in sheet.rows
        for cell in row.cells
        if cell.verdict is Verdict.CARRIED_FORWARD
    ]
    notes = []
    if carried:
        notes.append(f"Right for your own earlier numbers, with points: {', '.join(carried)}.")
    if absent := _absent(sheet):
        notes.append(f"No answer in: {', '.join(row.name for row in absent)}.")
    if sheet.remarks:
        notes.append(f"Noticed: {'; '.join(sheet.remarks)}.")
    return notes


def _finding(cell: GradedCell) -> str:
    """What was found of a cell, in a sentence or two."""
    answer = f" It is {cell.expected}." if cell.expected is not None else ""
    return cell.feedback + answer


def _title(row: str, cell: GradedCell, escape: Callable[[str], str]) -> str:
    written = f", {escape(cell.written)}" if cell.written else ""
    return f"{escape(row)} · {QUESTIONS[cell.column].heading}{written}: {cell.verdict.value}"


def _sheet_text(sheet: GradedSheet) -> str:
    lines = [printable(_head(sheet)), counts_text(sheet.verdicts)]
    for row, cell in _findings(sheet):
        lines += ["", _title(row, cell, printable)]
        lines += [f"  {line}" for line in wrap(printable(_finding(cell)), WIDTH)]
        lines += [f"    {printable(line)}" for line in cell.derivation]
    for note in _notes(sheet):
        lines += ["", *wrap(printable(note), WIDTH)]
    return "\n".join(lines) + "\n"


def _sheet_markdown(sheet: GradedSheet) -> str:
    lines = [f"**{escape_markdown(_head(sheet))}**", "", counts_text(sheet.verdicts), ""]
    for row, cell in _findings(sheet):
        lines.append(f"- **{_title(row, cell, escape_markdown)}.** {escape_markdown(_finding(cell))}")
        lines += [f"  - {escape_markdown(line)}" for line in cell.derivation]
    lines += [f"- {escape_markdown(note)}" for note in _notes(sheet)]
    return "\n".join(lines).rstrip("\n") + "\n"


# -- a class


def _class_rows(sheets: Sequence[GradedSheet]) -> list[list[str]]:
    is_open = any(sheet.verdicts[Verdict.UNDECIDED] for sheet in sheets)  # formulas only are undecided
    shown = [verdict for verdict in Verdict if verdict is not Verdict.UNDECIDED or is_open]
    rows = [["sheet", "points", "of", *(verdict.value for verdict in shown), ""]]
    for sheet in sheets:
        counts = sheet.verdicts
        rows.append(
            [
                printable(sheet.source),
                points_text(sheet.points),
                points_text(sheet.max_points),
                *(str(counts[verdict]) if sheet.problem is None else "" for verdict in shown),
                printable(f"not read: {sheet.problem}") if sheet.problem is not None else "",
            ]
        )
    return rows


def _common(sheets: Sequence[GradedSheet]) -> list[str]:
    """The usual mistakes, by how many sheets have them."""
    counts = Counter(
        (mistake, column)
        for sheet in sheets
        for mistake, column in {
            (cell.diagnosis.mistake, cell.column) for cell in sheet.cells if cell.diagnosis is not None
        }
    )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [f"{mistake} ({QUESTIONS[column].heading}): {count}" for (mistake, column), count in ordered[:COMMON]]


def _ends(sheets: Sequence[GradedSheet]) -> list[str]:
    broken = sum(sheet.problem is not None for sheet in sheets)
    read = [sheet for sheet in sheets if sheet.problem is None]
    text = f"{len(sheets)} submissions, {broken} not read"
    if read:
        mean = sum((sheet.points for sheet in read), Fraction(0)) / len(read)
        text += f"; {float(mean):.1f} of {points_text(read[0].max_points)} points on average"
    common = _common(sheets)
    return [text, *(["submissions with a mistake: " + "; ".join(common)] if common else [])]


def _class_text(sheets: Sequence[GradedSheet]) -> str:
    rows = _class_rows(sheets)
    rows = [[fit(row[0], 50), *row[1:]] for row in rows]
    widths = [max(cells_wide(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    lines = [
        "  ".join(
            [*(pad(cell, width, at > 0) for at, (cell, width) in enumerate(zip(row, widths, strict=False))), row[-1]]
        )
        for row in rows
    ]
    lines.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    for end in _ends(sheets):
        lines += wrap(end, WIDTH)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _class_markdown(sheets: Sequence[GradedSheet]) -> str:
    rows = _class_rows(sheets)
    lines = ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in rows]
    lines.insert(1, "|:---|" + "---:|" * (len(rows[0]) - 2) + ":---|")
    return "\n".join([*lines, "", *_ends(sheets)]) + "\n"


def summary_csv(sheets: Sequence[GradedSheet], columns: Sequence[str]) -> str:
    """A line for each sheet: its points, the points of each question, its verdicts, and why it could not be read.

    Nothing in it is a formula to a spreadsheet, whatever a file is called.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    verdicts = [verdict.value for verdict in Verdict]
    writer.writerow(["sheet", "points", "of", "percent", *columns, *verdicts, "problem"])
    for sheet in sheets:
        share = 100 * sheet.points / sheet.max_points if sheet.max_points else Fraction(0)
        by_question = [
            sum((cell.points for cell in sheet.cells if _question_of(cell.column, columns) == column), Fraction(0))
            for column in columns
        ]
        counts = sheet.verdicts
        writer.writerow(
            [
                csv_cell(sheet.source),
                points_text(sheet.points),
                points_text(sheet.max_points),
                f"{float(share):.1f}",
                *map(points_text, by_question),
                *(counts[verdict] for verdict in Verdict),
                csv_cell(sheet.problem or ""),
            ]
        )
    return stream.getvalue()


def _question_of(column: str, asked: Sequence[str]) -> str:
    """The question that a column answers: itself, or the one that it is a part of."""
    if column in asked:
        return column
    wholes = (key for key in asked if any(column in parts for parts in QUESTIONS[key].parts))
    return next(wholes, column)
