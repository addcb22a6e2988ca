"""Submissions that mean harm: bounded, escaped, reported."""

from __future__ import annotations

import csv
import io
import os
import sys
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest

from archcalc.homework.cells import MOST_COLUMNS, MOST_ROWS
from archcalc.homework.courses.grades_document import class_document, sheet_document
from archcalc.homework.grade import Verdict
from archcalc.homework.marking.grading import Grader
from archcalc.homework.submissions.tables import MOST_BYTES
from archcalc.render.writers import write_document

DATA = Path(__file__).parent / "data"
GOOD = "layer,params\nconv1,23296\n"


def workbook(rows, change=lambda sheet: None):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book.active)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def with_member(content, name, change):
    """A workbook with one of its files changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            data = old.read(member)
            new.writestr(member, change(data) if member == name else data)
    return stream.getvalue()


# -- files that are none


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device", "missing", "secret link"])
def test_only_plain_files_are_opened(tmp_path, make_key, kind):
    path = tmp_path / "answers.csv"
    target = tmp_path / "target.csv"
    target.write_text(GOOD)
    if kind == "link":
        path.symlink_to(target)
    elif kind == "secret link":
        path.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = type(path)("/dev/zero")
    sheet = Grader(make_key(ask="params")).grade(path)
    expected = {"link": "symbolic link", "secret link": "symbolic link", "missing": "No such file"}
    assert expected.get(kind, "expected a regular file") in sheet.problem
    assert sheet.points == 0
    assert "root" not in sheet.problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b" \n \n", "the file is empty"),
        (b"x" * (MOST_BYTES + 1), "more than"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not text"),
        (b"\xff\xfe\x00\xd8", "not text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel file"),
        (b"PK\x03\x04 and nothing", "the workbook is damaged"),
        (b"layer,mood\nconv1,good\n", "the file has no line with the headings that are asked: params"),
        (b'{"layers": [', "not valid JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b'[{"layer": "conv1", "params": 1, "params": 2}]', "occurs twice"),
        (b"[1, 2]", "no rows"),
        (("layer,params\n" + '"' + "x" * 200_000).encode(), "not valid CSV"),
        (("layer,params\n" + "conv1,1\n" * (MOST_ROWS + 1)).encode(), f"more than {MOST_ROWS:,} rows"),
        (("layer,params\nconv1" + ",1" * (MOST_COLUMNS + 1)).encode(), f"more than {MOST_COLUMNS} columns"),
        (("params," * (MOST_COLUMNS + 1) + "\n").encode(), f"more than {MOST_COLUMNS} columns"),
    ],
)
def test_broken(grade, content, problem):
    sheet = grade(content, ask="params")
    assert problem in sheet.problem
    assert sheet.verdicts == {Verdict.MISSING: 12}


def test_a_million_rows(grade):
    """As CSV too large, as a small workbook too many: seen without reading them all."""
    assert "more than" in grade(b"layer,params\n" + b"a,1\n" * 1_000_000, ask="params").problem
    row = '<row r="{}"><c r="A{}" t="inlineStr"><is><t>a</t></is></c><c r="B{}"><v>1</v></c></row>'
    rows = "".join(row.format(at, at, at) for at in range(1, 20_000))
    content = with_member(
        workbook([["layer", "params"]]),
        "xl/worksheets/sheet1.xml",
        lambda data: data.replace(b"</sheetData>", rows.encode() + b"</sheetData>"),
    )
    assert f"more than {MOST_ROWS:,} rows" in grade(content, "a.xlsx", ask="params").problem


# -- workbooks


def test_a_zip_bomb(grade):
    """A thousand times smaller than what it unpacks to."""
    content = with_member(workbook([["a"]]), "xl/styles.xml", lambda data: data + b" " * 60_000_000)
    assert len(content) < 200_000
    assert "unpacks to more than" in grade(content, "a.xlsx", ask="params").problem


def test_a_zip_that_lies_about_its_sizes(grade):
    content = with_member(workbook([["a"]]), "xl/styles.xml", lambda data: data + b" " * 60_000_000)
    size = (60_000_000).to_bytes(4, "little")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo("xl/styles.xml").file_size.to_bytes(4, "little")
    sheet = grade(content.replace(size, (900).to_bytes(4, "little")), "a.xlsx", ask="params")
    assert sheet.problem is not None


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_that_python_unpacks_at_once(grade, method):
    """zipfile bounds what it unpacks piece by piece for one method only, which is that of all spreadsheets."""
    stream = io.BytesIO(workbook([["layer", "params"]]))
    with zipfile.ZipFile(stream, "a", method) as archive:
        archive.writestr("xl/more.xml", b" " * 10_000_000)
    assert "a compression that" in grade(stream.getvalue(), "a.xlsx", ask="params").problem


def test_a_workbook_without_openpyxl_is_listed_with_what_to_install(grade, monkeypatch):
    """As with the core alone: that is neither archcalc's fault nor the end of the run."""
    stream = io.BytesIO()
    openpyxl.Workbook().save(stream)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    problem = grade(stream.getvalue()).problem
    assert problem == "this needs openpyxl, which is not installed; pip install 'archcalc[homework]'"


def test_sheets_without_a_table_are_passed_over(grade):
    book = openpyxl.load_workbook(io.BytesIO(workbook([["layer", "params"], ["conv1", 23296]])))
    book.create_sheet("Sheet2", 0)
    stream = io.BytesIO()
    book.save(stream)
    assert grade(stream.getvalue(), "a.xlsx", ask="params").points == 1


def cell(value):
    """A workbook with this as its one number."""
    content = workbook([["layer", "params"], ["conv1", 23296]])
    return with_member(content, "xl/worksheets/sheet1.xml", lambda data: data.replace(b"23296", value))


def test_a_broken_file_is_listed_and_the_others_are_graded(cli, tmp_path):
    """Each of these once ended the run of the whole class."""
    broken = {
        "index.xlsx": (DATA / "hostile_shared_string.xlsx").read_bytes(),
        "nan.xlsx": cell(b"nan"),
        "digits.xlsx": cell(b"9" * 1_000_000),
        "points.xlsx": cell(b"1.5.5"),
        "deep.json": b'[{"layer": "conv1", "params": ' + b"[" * 900 + b"]" * 900 + b"}]",
        "junk.csv": bytes(range(256)) * 100,
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    for name in ("a.csv", "z.csv"):
        (tmp_path / name).write_text(GOOD)
    files = sorted(tmp_path.iterdir())
    result = cli("check", "alexnet", *files, "--ask", "params", "--summary", tmp_path / "grades.csv")
    assert (result.code, "Traceback" in result.err) == (1, False)
    rows = list(csv.DictReader((tmp_path / "grades.csv").read_text().splitlines()))
    found = {row["sheet"].rpartition("/")[2]: (row["points"], row["problem"]) for row in rows}
    assert found["a.csv"] == found["z.csv"] == ("1", "")
    for name in ("index.xlsx", "nan.xlsx", "digits.xlsx", "points.xlsx"):
        assert found[name][1].startswith("the workbook is damaged"), name
    assert found["junk.csv"][1].startswith("the file is not text")
    assert found["deep.json"] == ("0", "")  # its one cell is unreadable


# -- the time it takes

GROWING = {
    "spaces": lambda n: " " * n,
    "a cell of spaces": lambda n: "layer,params\nconv1,x" + " " * n,
    "spaces and a dash": lambda n: "layer|params\n" + " " * n + "-",
    "rules": lambda n: "|--|--|\n" * (n // 8),
    "a long rule": lambda n: "layer|params\n" + "--|" * (n // 3),
    "dashes": lambda n: "a|b\n" + "-" * n,
    "bars": lambda n: "|" * n,
    "marks": lambda n: "|layer|params|\n|--|--|\n|conv1|" + "*" * n + "|",
    "quotes": lambda n: '"' * n,
    "lines": lambda n: "\n" * n,
    "brackets": lambda n: "[" + "[]," * (n // 3) + "[]]",
    "rows of one name": lambda n: "layer,params\n" + "conv1,1\n" * (n // 8),
    "rows of many names": lambda n: "layer,params\n" + "".join(f"c{at},1\n" for at in range(n // 8)),
    "long names": lambda n: "layer,params\n" + ("convolution" * 80 + ",1\n") * (n // 900),
    "remarks": lambda n: "layer,params\n" + "total,1\n" * (n // 8),
}


@pytest.mark.parametrize("kind", GROWING)
def test_reading_takes_as_many_steps_as_a_file_is_long(tmp_path, make_key, kind):
    """Lines of Python that are run, for a file and for one of twice its size. (tests/package/test_patterns.py counts
    the steps of patterns.)"""
    key = make_key(ask="params")

    def lines_run(size):
        path = tmp_path / "answers.csv"
        path.write_text(GROWING[kind](size))
        run = 0

        def count(frame, event, argument):
            nonlocal run
            run += 1
            return count

        sys.settrace(count)
        try:
            Grader(key).grade(path)
        finally:
            sys.settrace(None)
        return run

    lines_run(100)  # what is computed once
    assert lines_run(32_000) < 2.3 * lines_run(16_000) + 5_000


def test_eighty_thousand_spaces(grade):
    """These once took two minutes."""
    assert grade(" " * 80_000, ask="params").problem == "the file is empty"
    assert grade("layer,params\nconv1,23296\n" + " " * 80_000 + "x", ask="params").points == 1


def test_many_members(grade):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for at in range(2000):
            archive.writestr(f"{at}.xml", "")
    assert "more than 500 files" in grade(stream.getvalue(), "a.xlsx", ask="params").problem


def test_entities(grade):
    """A billion laughs, in any of its spellings: no declaration is read."""
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    content = with_member(
        workbook([["layer", "params"]]),
        "xl/styles.xml",
        lambda data: data.replace(b"<styleSheet", laughs + b"<styleSheet"),
    )
    assert "declarations" in grade(content, "a.xlsx", ask="params").problem


def test_cells_far_away(grade):
    """A cell in the last column of the last row makes no grid of 17 thousand million cells."""

    def change(sheet):
        sheet["XFD1048576"] = 1

    start = time.process_time()
    sheet = grade(workbook([["layer", "params"], ["conv1", 23296]], change), "a.xlsx", ask="params")
    assert sheet.problem is not None
    assert time.process_time() - start < 30


def test_formulas_in_cells_are_not_read(grade):
    content = workbook(
        [["layer", "params", "flops"], ["conv1", "=64*363+64", 72855552], ["pool1", '=HYPERLINK("http://x")', 0]]
    )
    sheet = grade(content, "a.xlsx", ask="params,flops")
    cells = sheet.rows[0].cells
    assert cells[0].verdict is Verdict.UNREADABLE
    assert "is a spreadsheet formula; write its value" in cells[0].feedback
    assert cells[1].verdict is Verdict.RIGHT


def test_a_workbook_that_calls_itself_csv(grade):
    sheet = grade(workbook([["layer", "params"], ["conv1", 23296.0]]), "answers.csv", ask="params")
    assert sheet.rows[0].cells[0].verdict is Verdict.RIGHT


def test_dates_and_words_in_a_workbook_are_unreadable(grade):
    import datetime

    content = workbook([["layer", "params"], ["conv1", datetime.date(2026, 1, 5)], ["conv2", True], ["conv3", 663936]])
    found = {row.name: row.cells[0].verdict for row in grade(content, "a.xlsx", ask="params").rows}
    assert found["conv1"] is found["conv2"] is Verdict.UNREADABLE
    assert found["conv3"] is Verdict.RIGHT


# -- what is written is escaped wherever it is shown

HOSTILE = "\x1b[31mred\x1b]0;title\x07<script>alert(1)</script>|**x**\u202e\x9b2J"


@pytest.mark.parametrize("format", ["text", "markdown", "json"])
def test_names_and_cells_are_escaped(grade, format):
    text = f'layer,params,"{HOSTILE}"\n"{HOSTILE}","{HOSTILE}",1\n'
    sheet = grade(text, f"{HOSTILE[:4]}answers<b>.csv", ask="params")
    for document in (sheet_document(sheet), class_document([sheet, sheet], ["params"])):
        shown = write_document(document, format)
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "\u202e" not in shown
        assert "\x9b" not in shown
        if format == "markdown":
            assert "<script>" not in shown
            assert "**x**" not in shown


def test_a_file_whose_name_is_no_text(cli, tmp_path):
    """Names of files are bytes; those that are no UTF-8 are shown all the same, in every format."""
    path = os.fsdecode(os.fsencode(tmp_path / "a") + b"\xff\x1b[2J.csv")
    with open(path, "w") as stream:
        stream.write(GOOD)
    for format in ("text", "markdown", "json", "html", "latex", "csv"):
        target = tmp_path / f"out.{format}"
        code = cli("check", "alexnet", path, path, "--ask", "params", "--format", format, "-o", target).code
        assert code == 1
        assert "\x1b" not in target.read_text(encoding="utf-8")
    assert cli("check", "alexnet", path, path, "--ask", "params", "--summary", tmp_path / "g.csv").code == 1
    assert "\\x1b[2J.csv,1,12" in (tmp_path / "g.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0.csv", "+1.csv", "-1.csv", "@SUM(1).csv", "\t=1.csv", " =1.csv", "＝1.csv"]
)
def test_the_summary_has_no_formulas(tmp_path, make_key, name, monkeypatch):
    import csv

    monkeypatch.chdir(tmp_path)
    path = type(tmp_path)(name.replace("/", "∕"))
    path.write_text(GOOD)
    text = write_document(class_document([Grader(make_key(ask="params")).grade(path)], ["params"]), "csv")
    row = list(csv.reader(io.StringIO(text)))[1]
    assert row[0].startswith("'")
    assert not any(cell.lstrip()[:1] in "=+@" for cell in row if cell)


def test_a_hostile_cell_is_quick(grade):
    """Texts that make careless patterns run for ever."""
    start = time.process_time()
    for cell in (
        "1," * 499,
        "1 " * 499,
        "9" * 999,
        "1e" * 400,
        "(" * 999,
        "1x" * 499,
        "²" * 999,
        "\\|" * 400,
        "=" * 999,
    ):
        grade(f'layer\tparams\toutput\nconv1\t"{cell}"\t"{cell}"\n', ask="params,output")
    for line in ("|" * 5000, "|-" * 5000, "| - " * 3000, "-" * 9999, "a " * 5000 + "b"):
        grade(f"{line}\n{line}\n{line}\n", ask="params")
    assert time.process_time() - start < 60
