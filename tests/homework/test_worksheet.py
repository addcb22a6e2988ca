"""Worksheets: what is asked is blank, what is given gives nothing away, and a filled one has full marks."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.errors import SpecError
from archcalc.homework.courses.worksheet import NOT_ASKED, worksheet, worksheet_document
from archcalc.homework.key import key_of
from archcalc.homework.questions import QUESTIONS, asked, points_of
from archcalc.language.family import InlineSpec
from archcalc.render.writers import write_document


def fill(sheet, key):
    """The blanks of a worksheet, filled with the truth in the units of its headings."""
    units = {"(KB)": 1024, "(k)": 1000, "(M)": 10**6, "(G)": 10**9}
    rows = {row.name: row for row in key.rows}
    columns = {question.heading: question for question in key.questions}
    filled = [list(sheet[0])]
    for line in sheet[1:]:
        line = list(line)
        for at, heading in enumerate(sheet[0]):
            words = heading.replace(f"{key.analysis.convention.name} ", "").rpartition(" (")
            question = columns.get(words[0] or heading) or columns.get(heading)
            if line[at] == "" and question is not None and line[0] in rows:
                value = question.value(rows[line[0]])
                if question.has_total:
                    from decimal import Decimal

                    unit = units[f"({words[2]}"] if words[0] else 1
                    line[at] = f"{Decimal(value) / unit:f}"
                else:
                    line[at] = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
        filled.append(line)
    return filled


def as_file(sheet, format):
    if format == "csv":
        return "a.csv", write_document(worksheet_document(sheet), "csv").encode()
    if format == "markdown":
        return "a.md", write_document(worksheet_document(sheet), "markdown").encode()
    return "a.xlsx", write_document(worksheet_document(sheet), "xlsx")


@pytest.mark.parametrize("format", ["csv", "markdown", "xlsx"])
@pytest.mark.parametrize(
    ("network", "ask"),
    [
        ("alexnet", "output,memory,params,flops"),
        ("resnet18", "params,macs"),
        ("googlenet", "output_c,output_hw,weights,biases"),
        ("vit_b_16", "output,params,flops"),
    ],
)
def test_a_worksheet_filled_with_the_truth_has_full_marks(grade, make_key, network, ask, format):
    key = make_key(network, ask, with_total=True)
    sheet = worksheet(key)
    name, content = as_file(sheet, format)
    empty = grade(content, name, key=key)
    assert empty.points == 0
    assert {cell.verdict.value for cell in empty.cells} == {"missing"}
    name, content = as_file(fill(sheet, key), format)
    filled = grade(content, name, key=key)
    assert filled.problem is None
    assert [(row.name, cell) for row in filled.rows for cell in row.cells if cell.verdict.value != "right"] == []
    assert filled.remarks == ()


@settings(max_examples=30)
@given(
    st.lists(
        st.sampled_from([key for key in QUESTIONS if key not in ("output_h", "output_w", "rf")]),
        min_size=1,
        unique=True,
    )
)
def test_what_is_asked_is_not_given(make_key, ask):
    """No size is given where one is asked; every asked cell is blank or not asked."""
    key = make_key("resnet18", ",".join(ask))
    sheet = worksheet(key)
    for name in ask:
        heading = next(one for one in sheet[0] if QUESTIONS[name].heading in one and not one.startswith("input"))
        at = sheet[0].index(heading)
        assert {line[at] for line in sheet[1:] if line[0] != "input"} <= {"", NOT_ASKED}
    if any(QUESTIONS[name].derivation == "output" for name in ask):
        assert not {"input C", "input H/W", "output C", "output H/W"} & set(sheet[0]) - {
            QUESTIONS[name].heading for name in ask
        }
        assert sheet[1][0] == "input"


def test_everything_that_counts_is_given(make_key):
    """A missing bias, groups and what stands in the same row are said."""
    sheet = worksheet(make_key("resnet18", "params"))
    row = dict(zip(sheet[0], sheet[1], strict=True))
    assert (row["besides"], row["followed by"]) == ("bias false", "batch_norm, relu")
    assert (row["kernel"], row["stride"], row["pad"], row["input C"]) == ("7", "2", "3", "3")
    sheet = worksheet(make_key("alexnet_2012", "params"))
    assert "groups 2" in dict(zip(sheet[0], sheet[3], strict=True))["besides"]


def test_columns(make_key):
    sheet = worksheet(make_key("alexnet", "params"), ["name", "kernel", "memory"])
    assert sheet[0] == ["layer", "kernel", "memory (KB)", "params (k)"]
    with pytest.raises(SpecError, match="did you mean 'kernel"):
        worksheet(make_key("alexnet", "params"), ["name", "kernl"])


def test_a_worksheet_of_a_piece_has_symbols():
    questions = asked("params,output")
    sheet = worksheet(key_of(InlineSpec("conv 3x3 C->C/4"), questions, points_of("", questions)))
    assert sheet[1][:2] == ["input", "–"]
    assert "C×H×W" in sheet[1]
    assert sheet[2][2] == "C/4"


def test_names_from_specs_are_no_formulas(make_key, spec_file):
    """A layer may be called anything; the worksheet is opened by a teacher."""
    import archcalc

    path = spec_file('name: n\ninput: [3, 8, 8]\nlayers:\n  - {conv: 4, kernel: 3, name: "=1+1"}\n')
    try:
        network = archcalc.load(path)
    except SpecError:
        pytest.skip("the language does not allow such a name")
    sheet = worksheet(make_key(network, "params"))
    rows = list(csv.reader(io.StringIO(write_document(worksheet_document(sheet), "csv"))))
    assert rows[1][0] == "'=1+1"
    cell = openpyxl.load_workbook(io.BytesIO(write_document(worksheet_document(sheet), "xlsx"))).active["A2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_unknown_questions_and_points():
    with pytest.raises(SpecError, match="did you mean 'params"):
        asked("parms")
    with pytest.raises(SpecError, match="--ask has 'params' twice"):
        asked("params,params")
    for text in ("params", "params=x", "params=-1", "flops=1", "params=1e9"):
        with pytest.raises(SpecError):
            points_of(text, asked("params"))
