"""A worksheet as a workbook: notes above the table, and only the asked cells can be changed."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archcalc.homework.courses.notes import Notes
from archcalc.requirements import need
from archcalc.words import is_digits, printable

GIVEN, ASKED, EXAMPLE = "E8E8E8", "FFF9DB", "DDEBF7"
"""Colors of cells: given, asked, and of the example."""
WIDEST = 40


def worksheet_xlsx(
    sheet: list[list[str]],
    notes: Notes,
    asked: Mapping[int, Sequence[str]],
    example: list[str] | None = None,
) -> bytes:
    """Return a workbook. Excel asks for no password, so the protection only prevents slips.

    Args:
        sheet: the rows, headings first.
        notes: the title and the rules.
        asked: the columns with questions, by their indices, each with the headings that a student can choose: one for
            each unit. The empty cells of these columns are open, and say what to write.
        example: a filled row, which `archcalc check` ignores.
    """
    page = _Page()
    page.put(1, 1, notes.title).font = page.font(bold=True, size=14)
    for line, label in enumerate(("Name", "Number"), 2):
        page.put(line, 1, label, bold=True)
        page.put(line, 2, "", ASKED, is_open=True)
    for line, rule in enumerate(notes.rules, 4):
        page.put(line, 1, rule)
    top = 5 + len(notes.rules)
    headings, *rows = sheet
    _put_headings(page, top, headings, asked)
    if example is not None:
        for column, text in enumerate(example, 1):
            unit = _unit(headings[column - 1]) if column - 1 in asked and text else ""
            page.put(top + 1, column, f"{text} {unit}".strip(), EXAMPLE).font = page.font(italic=True)
    first = top + 1 + (example is not None)
    for index, row in enumerate(rows):
        for column, text in enumerate(row, 1):
            is_open = column - 1 in asked and not text
            page.put(first + index, column, text, ASKED if is_open else GIVEN, is_open)
    for index in sorted(asked):
        letter = page.letter(index + 1)
        cells = f"{letter}{first}:{letter}{first + max(len(rows), 1) - 1}"
        whole = ["all"] if headings[index].startswith("receptive") else []
        page.validate(
            cells, whole, showErrorMessage=False, promptTitle=headings[index][:32], prompt=_hint(headings[index])
        )
    for column in range(1, len(headings) + 1):
        widest = max(len(row[column - 1]) for row in sheet)
        page.page.column_dimensions[page.letter(column)].width = min(max(12, widest + 2), WIDEST)
    page.page.freeze_panes = page.page.cell(row=first, column=2)
    stream = io.BytesIO()
    page.book.save(stream)
    return stream.getvalue()


class _Page:
    """The only sheet of a workbook."""

    def __init__(self) -> None:
        self.openpyxl: Any = need("openpyxl", "homework")
        self.book = self.openpyxl.Workbook()
        self.page = self.book.active
        self.page.title = "worksheet"
        self.page.protection.sheet = True
        self.font = self.openpyxl.styles.Font
        self.letter = self.openpyxl.utils.get_column_letter

    def put(self, row: int, column: int, text: str, color: str = "", is_open: bool = False, bold: bool = False) -> Any:
        """Write a cell, and return it."""
        styles = self.openpyxl.styles
        cell = self.page.cell(row=row, column=column)
        if is_digits(text, 15):
            cell.value = int(text)
        elif text:
            cell.value = printable(text)
            cell.data_type = "s"
        if color:
            cell.fill = styles.PatternFill("solid", fgColor=color)
        cell.protection = styles.Protection(locked=not is_open)
        cell.font = styles.Font(bold=bold)
        return cell

    def validate(self, cells: str, choices: Iterable[str] = (), **settings: Any) -> None:
        """Give cells a list to choose from, and what is said of them."""
        text = ",".join(choices)
        listed = {"type": "list", "formula1": f'"{text}"'} if text else {}
        kind = self.openpyxl.worksheet.datavalidation.DataValidation
        validation = kind(showInputMessage=True, **listed, **settings)
        validation.add(cells)
        self.page.add_data_validation(validation)


def _put_headings(page: _Page, top: int, headings: Sequence[str], asked: Mapping[int, Sequence[str]]) -> None:
    """Write the headings; one with several units can be chosen."""
    for column, heading in enumerate(headings, 1):
        choices = asked.get(column - 1, ())
        cell = page.put(top, column, heading, GIVEN, is_open=len(choices) > 1, bold=True)
        if len(choices) > 1:
            page.validate(
                cell.coordinate, choices, showErrorMessage=True, promptTitle="Unit", prompt="Choose another unit here"
            )


def _hint(heading: str) -> str:
    """Return what to write in a column."""
    if heading.startswith("receptive"):
        return "A size, such as 7; or all, for the whole input"
    if "output" in heading:
        return "Sizes, such as 64x56x56 or 7"
    return "A number in the unit of the heading, which has a list of units; or a unit beside it"


def _unit(heading: str) -> str:
    """Return the unit in brackets at the end of a heading; empty if there is none."""
    return heading.rpartition("(")[2].rstrip(")") if heading.endswith(")") else ""
