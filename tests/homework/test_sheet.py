"""Reading what students hand in: any of the formats, delimiters, orders, units and headings."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archcalc.homework.grade import Verdict
from archcalc.homework.questions import QUESTIONS
from archcalc.homework.submissions.headings import guess_heading, read_heading

COUNTS = {"": 1, "K": 10**3, "k": 10**3, "M": 10**6, "G": 10**9}
BYTES = {"": 1, "B": 1, "KB": 1024, "kB": 1024, "KiB": 1024, "MB": 1024**2, "elements": 4}


@pytest.mark.parametrize(
    ("heading", "key", "unit"),
    [
        ("#params", "params", ""),
        ("Params (K)", "params", "k"),
        ("Param #", "params", ""),
        ("No. of parameters", "params", ""),
        ("memory_kb", "memory", "kb"),
        ("Memory [KiB]", "memory", "kib"),
        ("params in k", "params", "k"),
        ("output H/W", "output_hw", ""),
        ("H×W", "output_hw", ""),
        ("out_c", "output_c", ""),
        ("in_hw", "given", ""),
        ("lecture flop (M)", "flops", "m"),
        ("FLOPs", "flops", ""),
        ("flops_lecture", "flops", ""),
        ("Mult-Adds", "macs", ""),
        ("#weights", "weights", ""),
        ("bias", "biases", ""),
        ("Layer (type)", "name", "type"),
        ("**params**", "params", ""),
        ("Output Shape", "output", ""),
        ("student", "", ""),
        ("share of flop", "", ""),
        ("fvcore flop", "", ""),
    ],
)
def test_headings(heading, key, unit):
    found = read_heading(heading, "lecture")
    assert (found.key, found.unit) == (key, unit)


@pytest.mark.parametrize(("heading", "key"), [("paramters", "params"), ("memroy", "memory"), ("parrots", "")])
def test_a_slip_in_a_heading_is_forgiven(heading, key):
    assert guess_heading(heading, "lecture").key == key


# -- round trips: the truth, written in any way, gets full marks


@st.composite
def ways(draw):
    """A way of writing a table."""
    return {
        "format": draw(st.sampled_from(["csv", "xlsx", "markdown", "json", "json by name", "json lists"])),
        "delimiter": draw(st.sampled_from(",;\t|:")),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "newline": draw(st.sampled_from(["\n", "\r\n"])),
        "comma": draw(st.booleans()),
        "thousands": draw(st.booleans()),
        "unit in": draw(st.sampled_from(["heading", "cell"])),
        "count": draw(st.sampled_from(sorted(COUNTS))),
        "bytes": draw(st.sampled_from(sorted(BYTES))),
        "shape": draw(
            st.sampled_from(
                ["{c}x{h}x{w}", "({c}, {h}, {w})", "{c}, {h}, {w}", "{h}×{w}×{c}", "{c}@{h}x{w}", "[1, {c}, {h}, {w}]"]
            )
        ),
        "output": draw(st.sampled_from(["output", "parts", "three parts"])),
        "params": draw(st.sampled_from(["params", "parts"])),
        "names": draw(st.sampled_from(["as they are", "loud", "spaced", "none", "others"])),
        "shuffled": draw(st.randoms(use_true_random=False)),
        "title": draw(st.booleans()),
    }


def amount(value, size, unit, way):
    """A number in a unit with all its digits."""
    from decimal import Decimal

    text = f"{Decimal(value) / size:,f}" if way["thousands"] else f"{Decimal(value) / size:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if way["comma"]:
        text = text.translate(str.maketrans(",.", ".,"))
    return f"{text} {unit}".strip() if way["unit in"] == "cell" else text


def table(key, way):
    """The key's answers as a table of texts."""

    def head(name, unit):
        return f"{name} ({unit})" if unit and way["unit in"] == "heading" else name

    heads = {"name": "Layer", "output": "Output shape", "output_c": "out C", "output_hw": "H/W", "output_h": "out H"}
    heads |= {"output_w": "out W", "memory": head("Memory", way["bytes"]), "flops": head("FLOPs", way["count"])}
    heads |= {"params": head("#params", way["count"]), "weights": head("weights", way["count"])}
    heads |= {"biases": head("biases", way["count"])}
    parts = {
        "output": ["output"],
        "parts": ["output_c", "output_hw"],
        "three parts": ["output_c", "output_h", "output_w"],
    }
    order = [
        *parts[way["output"]],
        "memory",
        *(["params"] if way["params"] == "params" else ["weights", "biases"]),
        "flops",
    ]
    way["shuffled"].shuffle(order)
    rows = [[heads[name] for name in ["name", *order]]]
    for at, row in enumerate(key.rows):
        names = {"as they are": row.name, "loud": row.name.upper(), "spaced": f" {row.name[:-1]} {row.name[-1]}"}
        cells = [names.get(way["names"], "" if way["names"] == "none" else f"row {'abcdefghijkl'[at]}")]
        shape = row.output_shape
        for name in order:
            value = QUESTIONS[name].value(row)
            if name == "output":
                c, h, w = shape if len(shape) == 3 else (shape[0], 0, 0)
                cells.append(way["shape"].format(c=c, h=h, w=w) if len(shape) == 3 else str(c))
            elif QUESTIONS[name].has_total:
                unit = way["bytes"] if name == "memory" else way["count"]
                cells.append(amount(value, (BYTES if name == "memory" else COUNTS)[unit], unit, way))
            else:
                cells.append("" if value is None else str(value[0] if isinstance(value, tuple) else value))
        rows.append(cells)
    return rows


def written(rows, way):
    """The table as a file: its name and its content."""
    if way["format"] == "markdown":
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        return "a.md", "\n".join(["# Homework", "", lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]).encode()
    if way["format"] == "json":
        return "a.json", json.dumps([dict(zip(rows[0], row, strict=True)) for row in rows[1:]]).encode()
    if way["format"] == "json by name":
        named = {row[0] or f"r{at}": dict(zip(rows[0][1:], row[1:], strict=True)) for at, row in enumerate(rows[1:])}
        return "a.json", json.dumps({"layers": named}).encode()
    if way["format"] == "json lists":
        return "a.json", json.dumps(rows).encode()
    if way["format"] == "xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        for row in ([["Homework 1"], []] if way["title"] else []) + rows:
            book.active.append(row)
        stream = io.BytesIO()
        book.save(stream)
        return "a.xlsx", stream.getvalue()
    stream = io.StringIO()
    delimiter = way["delimiter"]
    writer = csv.writer(stream, delimiter=delimiter, quoting=way["quoting"], lineterminator=way["newline"])
    writer.writerows(([["Homework 1"], ["by", "Ada"]] if way["title"] else []) + rows)
    return "a.csv", stream.getvalue().encode(way["encoding"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ways())
def test_the_truth_in_any_way_has_full_marks(grade, make_key, way):
    key = make_key(points="params=2")
    name, content = written(table(key, way), way)
    sheet = grade(content, name, key=key)
    assert sheet.problem is None
    wrong = [
        (row.name, cell.column, cell.written, cell.feedback)
        for row in sheet.rows
        for cell in row.cells
        if cell.points != cell.max_points
    ]
    # Where marks of thousands and of decimals may be confused, a cell is called unreadable, never read wrongly.
    if way["thousands"] or way["comma"]:
        wrong = [one for one in wrong if "may be" not in one[-1]]
        if way["comma"] is False and way["delimiter"] != ";":
            assert sheet.is_right
    assert wrong == []
    assert sheet.max_points == 5 * len(key.rows)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ways(), st.data())
def test_every_single_altered_cell_is_found(grade, make_key, way, data):
    """Another digit in one cell: that cell is wrong, and no other loses a point."""
    key = make_key()
    way = {**way, "thousands": False, "comma": False}
    rows = table(key, way)
    at = data.draw(
        st.sampled_from(
            [
                (r, c)
                for r in range(1, len(rows))
                for c in range(1, len(rows[0]))
                if any(d in rows[r][c] for d in "123456789")
            ]
        )
    )
    text = rows[at[0]][at[1]]
    places = [place for place, one in enumerate(text) if one in "123456789"]
    place = data.draw(st.sampled_from(places))
    if text[: place + 1].startswith("[1") and place == 1:  # the batch
        return
    digit = data.draw(st.sampled_from([one for one in "123456789" if one != text[place]]))
    rows[at[0]][at[1]] = text[:place] + digit + text[place + 1 :]
    name, content = written(rows, way)
    sheet = grade(content, name, key=key)
    lost = [(row.name, cell.column) for row in sheet.rows for cell in row.cells if not cell.verdict.has_points]
    assert lost == [(key.rows[at[0] - 1].name, lost[0][1] if lost else "nothing was found")]
    assert sheet.points == sheet.max_points - next(
        cell.max_points for row in sheet.rows for cell in row.cells if cell.verdict is Verdict.WRONG
    )


# -- rows and columns


def test_rows_by_name_in_any_order_and_by_place(grade):
    sheet = grade("layer,params\nfc8,4097000\nconv1,23296\n", ask="params")
    assert [cell.verdict for row in sheet.rows if row.name in ("conv1", "fc8") for cell in row.cells] == [
        Verdict.RIGHT
    ] * 2
    assert sheet.verdicts[Verdict.MISSING] == 10
    sheet = grade("layer,params\nConv 1,23296\nmaxpool,0\ncovn2,307392\n", ask="params")
    assert sheet.verdicts[Verdict.RIGHT] == 3
    assert sheet.remarks == ("read rows by kind and order: 'maxpool' as pool1",)


def test_an_extra_row_is_said_and_disturbs_nothing(grade):
    sheet = grade("layer,params\nconv1,23296\nrelu1,0\nnorm1,0\npool1,0\ntotal,61100840\n", ask="params")
    assert [row.name for row in sheet.rows[:3]] == ["conv1", "relu1", "pool1"]
    assert sheet.verdicts[Verdict.RIGHT] == 3
    assert sheet.verdicts[Verdict.WRONG] == 0
    assert (sheet.points, sheet.max_points) == (2, 12)  # an activation has no parameters, and no points
    assert sheet.remarks == (
        "ignored the row 'total': it is not asked",
        "ignored the row 'norm1': no layer has this name",
    )


def test_a_name_with_another_number_is_another_layer(grade):
    """`conv6` is no slip for conv5, also where that is the only one left."""
    lines = ["conv6,590080", *(f"conv{at},1" for at in range(1, 5))]
    sheet = grade("layer,params\n" + "\n".join(lines) + "\n", ask="params")
    found = {row.name: row.cells[0].verdict for row in sheet.rows}
    assert found["conv5"] is Verdict.MISSING
    assert "ignored the row 'conv6': no layer has this name" in sheet.remarks


def test_columns_that_are_not_asked_doubled_or_unknown(grade):
    sheet = grade("layer,params,#params,mood,macs\nconv1,23296,23296,good,1\n", ask="params")
    assert sheet.rows[0].cells[0].verdict is Verdict.UNREADABLE
    assert "Keep one of them" in sheet.rows[0].cells[0].feedback
    assert set(sheet.remarks) >= {
        "the columns 'params' and '#params' answer the same question",
        "ignored the unknown column 'mood'",
        "ignored the column 'macs': it is not asked",
    }


def test_a_number_that_was_cut_up_by_a_comma_is_not_guessed(grade):
    sheet = grade("layer,params,flops\nconv1,23,296,72855552\npool1,0,419904\n", ask="params,flops")
    assert [cell.verdict for cell in sheet.rows[0].cells] == [Verdict.UNREADABLE] * 2
    assert "Write numbers with commas in quotes" in sheet.rows[0].cells[0].feedback
    assert [cell.verdict for cell in sheet.rows[1].cells] == [Verdict.RIGHT] * 2


def test_a_word_in_the_headings_brackets_that_is_no_unit_is_said(grade):
    sheet = grade("layer,params (learnable)\nconv1,23296\n", ask="params")
    assert sheet.rows[0].cells[0].verdict is Verdict.RIGHT
    assert "ignored 'learnable' in the heading 'params (learnable)': it is not a unit" in sheet.remarks


@pytest.mark.parametrize(
    ("written", "verdict"),
    [
        ("", Verdict.MISSING),
        ("-", Verdict.MISSING),
        ("?", Verdict.MISSING),
        ("about many", Verdict.UNREADABLE),
        ("23296 KB", Verdict.UNREADABLE),
        ("=64*363+64", Verdict.UNREADABLE),
        ("23.296,5,1", Verdict.UNREADABLE),
        ("23296 params", Verdict.RIGHT),
        ("23.3K", Verdict.RIGHT),
        ("23K", Verdict.RIGHT),
        ("2.3e4", Verdict.RIGHT),
        ("0.023 million", Verdict.RIGHT),
    ],
)
def test_a_cell_costs_only_itself(grade, written, verdict):
    sheet = grade(f'layer\tparams\tflops\nconv1\t"{written}"\t72.9M\n', ask="params,flops")
    assert [cell.verdict for cell in sheet.rows[0].cells] == [verdict, Verdict.RIGHT]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("64x56x56", True),
        ("64 × 56 × 56", True),
        ("(64, 56, 56)", True),
        ("56x56x64", True),
        ("64@56x56", True),
        ("[-1, 64, 56, 56]", True),
        ("64*56*56", True),
        ("64 by 56 by 56", True),
        ("56x64x56", False),
        ("64x56", False),
        ("64x55x55", False),
    ],
)
def test_shapes(one, text, right):
    assert (one("output", text).verdict is Verdict.RIGHT) is right


@pytest.mark.parametrize(
    ("text", "right"), [("4096", True), ("4,096", True), ("4096x1x1", True), ("1×1×4096", True), ("4x96", False)]
)
def test_shapes_of_vectors(one, text, right):
    assert (one("output", text, layer="fc6").verdict is Verdict.RIGHT) is right


def test_receptive_fields(one):
    assert one("rf", "11").verdict is Verdict.RIGHT
    assert one("rf", "11x11").verdict is Verdict.RIGHT
    assert one("rf", "12").verdict is Verdict.WRONG
    assert one("rf", "all", layer="fc6").verdict is Verdict.RIGHT
    assert one("rf", "global", layer="conv1").verdict is Verdict.WRONG
