"""`archcalc worksheet`."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest


def test_the_table_with_blanks(cli):
    result = cli("worksheet", "alexnet", "--ask", "output,memory,params,flops")
    rows = list(csv.reader(io.StringIO(result.out)))
    assert rows[:3] == [["Worksheet: AlexNet, one tower"], ["Name", ""], ["Number", ""]]
    heading, example, _, first, *_ = (row for row in rows if len(row) > 2)
    assert example[-4:] == ["8x32x32", "32", "0.224", "0.221184"]  # 8·3·3·3 + 8, and 8·32·32·27
    assert heading[-4:] == ["output", "memory (KB)", "params (k)", "lecture FLOPs (M)"]
    assert first == ["conv1", "conv", "64", "11", "4", "2", "relu", "", "", "", ""]
    assert result.code == 0


@pytest.mark.parametrize(
    ("name", "begins"),
    [("hw1.csv", b'\xef\xbb\xbf"Worksheet: AlexNet'), ("hw1.md", b"Worksheet: AlexNet"), ("hw1.xlsx", b"PK")],
)
def test_the_format_is_the_files(cli, tmp_path, name, begins):
    assert cli("worksheet", "alexnet", "-o", tmp_path / name).code == 0
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_workbook_has_numbers_as_numbers(cli, tmp_path):
    cli("worksheet", "alexnet", "--ask", "params", "-o", tmp_path / "hw.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "hw.xlsx").active
    rows = [[cell.value for cell in row][:4] for row in sheet.iter_rows()]
    assert [row for row in rows if row[0] in ("layer", "example", "conv1")] == [
        ["layer", "operator", "filters", "kernel"],
        ["example", "conv", 8, 3],
        ["conv1", "conv", 64, 11],
    ]
    assert sheet.protection.sheet
    is_open = {cell.coordinate for row in sheet.iter_rows() for cell in row if not cell.protection.locked}
    assert len(is_open) == 3 + 12  # name, number, the unit, and the parameters of twelve layers


def test_what_cannot_be_asked(cli, tmp_path):
    assert "did you mean 'params" in cli("worksheet", "alexnet", "--ask", "parms").err
    assert cli("worksheet", "alexnet", "-o", tmp_path / "hw.docx").code == 2
    assert "needs a file" in cli("worksheet", "alexnet", "--format", "xlsx").err
    assert cli("worksheet", "alexnet", "--columns", "name,kernl").code == 2
    assert list(tmp_path.iterdir()) == []


def test_grading_is_for_an_autograder(cli):
    result = cli("worksheet", "alexnet", "--tolerance", "5%")
    assert result.code == 2
    assert "--autograder" in result.err


def test_without_openpyxl_the_extra_is_named(cli, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    result = cli("worksheet", "alexnet", "-o", tmp_path / "hw.xlsx")
    assert result.code == 2
    assert "archcalc[homework]" in result.err
    assert cli("worksheet", "alexnet", "-o", tmp_path / "hw.csv").code == 0


def test_formulas_are_asked_of_a_piece(cli):
    result = cli("worksheet", "conv 3x3 C->C, conv 3x3 C->C", "--ask", "params", "--total")
    rows = [line.split(",")[0] for line in result.out.splitlines()]
    assert rows[rows.index("layer") :] == ["layer", "conv1", "conv2", "total"]
    result = cli("worksheet", "resnet18", "--let", "H=32*h", "--ask", "macs", "--depth", "1")
    assert "layer1" in result.out
