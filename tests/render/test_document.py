"""A document in every format: what people are shown, and what programs get."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction

import pytest

from archcalc.render.document import (
    Document,
    Equations,
    Formula,
    Item,
    ItemList,
    Paragraph,
    Section,
    Table,
    data_column,
    value_column,
    word_column,
)
from archcalc.render.text import cells_wide
from archcalc.render.writers import formats, text, write_document

ROWS = [("conv1", 1_234_567, None, "a convolution with a window of eleven by eleven"), ("fc8", 12, None, "the last")]


def table(*sections):
    columns = (
        word_column("layer", lambda row: row[0], "layer", is_name=True),
        value_column("params", lambda row: row[1], key="params"),
        value_column("time", lambda row: row[2], key="seconds", is_optional=True),
        data_column("half", lambda row: Fraction(row[1], 2)),
        word_column("remark", lambda row: row[3], is_prose=True),
    )
    return Table("", columns, sections or (Section(ROWS),))


def written(block, format, **settings):
    return write_document(Document("it", (block,), **settings), format)


def test_people_read_units_and_programs_numbers():
    assert "1,234,567" in written(table(), "text")
    rows = list(csv.DictReader(io.StringIO(written(table(), "csv"))))
    assert rows[0] == {"layer": "conv1", "params": "1234567", "seconds": "", "half": "617283.5"}
    assert json.loads(written(table(), "json"))[1] == {"layer": "fc8", "params": 12, "seconds": None, "half": 6}


@pytest.mark.parametrize("format", ["text", "markdown", "html", "latex"])
def test_an_optional_column_without_cells_is_left_out(format):
    shown = written(table(), format)
    assert "time" not in shown
    assert "half" not in shown
    timed = table(Section([("conv1", 1, 2.5, "")]))
    assert "2.5" in written(timed, format)


@pytest.mark.parametrize("width", [42, 50, 60])
def test_prose_is_wrapped_in_its_column(width):
    lines = text.write(Document("it", (table(),)), width).splitlines()
    assert max(map(cells_wide, lines)) <= width
    below = lines[lines.index(next(line for line in lines if "conv1" in line)) + 1]
    assert below.startswith(" " * 18)
    assert below.strip()
    assert len(text.write(Document("it", (table(),))).splitlines()) == 4


@pytest.mark.parametrize(
    ("format", "title"),
    [
        ("text", "\nVGG (2014)\n"),
        ("markdown", "## VGG (2014)\n\nSimonyan\n\n| layer |"),
        ("html", '<tr><th colspan="3" style="text-align:left">VGG (2014)<p>Simonyan</p></th></tr>'),
        ("latex", "\\midrule\n  \\multicolumn{3}{l}{VGG (2014)} \\\\"),
    ],
)
def test_sections_have_titles(format, title):
    sections = (Section(ROWS[:1], title="AlexNet"), Section(ROWS[1:], title="VGG (2014)", text=("Simonyan",)))
    assert title in written(table(*sections), format)


FORMULA = Formula("W' = ⌊W/2⌋", r"W' = \lfloor W/2 \rfloor")


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("text", "pool1\n  W' = ⌊W/2⌋\n"),
        ("markdown", "- **pool1**\n  - $$W' = \\lfloor W/2 \\rfloor$$\n"),
        ("html", "<ul>\n<li><b>pool1</b> <ul><li>W&#x27; = ⌊W/2⌋</li></ul></li>\n</ul>\n"),
        (
            "latex",
            "% needs \\usepackage{amsmath}\n\\begin{itemize}\n\\item \\textbf{pool1}\n\\begin{align*}\n"
            "  &W' = \\lfloor W/2 \\rfloor\n\\end{align*}\n\\end{itemize}\n",
        ),
    ],
)
def test_lists_hold_formulas(format, shown):
    assert written(ItemList((Item("pool1", lines=(FORMULA,)),)), format) == shown


@pytest.mark.parametrize("format", ["text", "markdown", "html", "latex"])
def test_formulas_and_paragraphs_are_blocks(format):
    formula = FORMULA.text if format == "text" else FORMULA.latex if format != "html" else "⌊W/2⌋"
    assert formula in written(Equations((FORMULA,)), format)
    assert "<b>" not in written(Paragraph("a <b> & c"), format) or format in ("text", "latex")


@pytest.mark.parametrize(
    ("written_text", "shown"),
    [
        ("a `max(x_1, 0)` b_c", "a `max(x_1, 0)` b\\_c\n"),
        ("`<b>`", "\\`\\<b\\>\\`\n"),
        ("`a|b`", "\\`a\\|b\\`\n"),
        ("a ` b", "a \\` b\n"),
    ],
)
def test_markdown_has_code_but_no_tags(written_text, shown):
    assert written(Paragraph(written_text), "markdown") == shown


def test_json_cannot_steer_a_terminal():
    """Letters stay letters; the escape character is escaped, and the data is the same."""
    data = {"name": "é\x1b[2J\u202e"}
    shown = written(table(), "json", data=lambda: data)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "é" in shown
    assert json.loads(shown) == data


def test_no_two_formats_have_a_suffix():
    suffixes = [suffix for format in formats().values() for suffix in format.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert next(iter(formats())) == "text"
    assert [name for name, format in formats().items() if format.is_binary] == ["xlsx"]
