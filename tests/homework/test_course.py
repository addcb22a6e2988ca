"""A course: worksheets that are handed out, archives that are handed in, grades for the course's system."""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
import zipfile

import openpyxl
import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.homework.answers.numbers import AnswerTolerance
from archcalc.homework.courses.collect import collect
from archcalc.homework.marking.grading import Grader
from archcalc.homework.variants import variant

RIGHT = "layer,output,params\nconv1,64x56x56,23296\npool1,64x27x27,0\n"
WRONG = "layer,output,params\nconv1,64x55x55,23232\nconv2,192x27x27,307200\n"
CANVAS = {
    "adalovelace_11_100_hw1.csv": WRONG,
    "adalovelace_LATE_11_101_hw1-1.csv": RIGHT,
    "bobb_12_102_hw1.csv": WRONG,
    "anon_a8Fq_103_hw1.csv": WRONG,
    "carol_13_104_photo.jpg": "x",
}
MOODLE = {
    "Ada Lovelace_21_assignsubmission_file/hw1.csv": RIGHT,
    "Bob B_22_assignsubmission_file_hw1.csv": WRONG,
    "Participant_23_assignsubmission_file/a.csv": WRONG,
    "Participant_23_assignsubmission_file/b.csv": WRONG,
}
BLACKBOARD = {
    "hw1_ada_attempt_2026-01-02-03-04-05_hw1.csv": WRONG,
    "hw1_ada_attempt_2026-01-03-03-04-05_hw1.csv": RIGHT,
    "hw1_ada_attempt_2026-01-03-03-04-05.txt": "Name: Ada (ada)",
    "hw1_bob_attempt_2026-01-02-03-04-05_hw1.csv": WRONG,
}
GRADESCOPE = {
    "assignment_1_export/submission_31/hw1.csv": RIGHT,
    "assignment_1_export/submission_32/hw1.csv": WRONG,
    "assignment_1_export/submission_metadata.yml": "submission_31:\n  :submitters:\n  - :name: Ada Lovelace\n"
    "    :sid: '7'\n    :email: ada@example.org\n  :created_at: 2026\nsubmission_32:\n  :submitters:\n"
    "  - :name: Bob\n    :email: bob@example.org\n  - :name: Eve\n    :email: eve@example.org\n",
}


@pytest.fixture
def archive(tmp_path):
    """`archive(files)`: a zip archive with these files."""

    def make(files):
        path = tmp_path / "submissions.zip"
        with zipfile.ZipFile(path, "w") as made:
            for name, text in files.items():
                made.writestr(name, text)
        return path

    return make


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            CANVAS,
            [
                ("adalovelace", "11", True, False),
                ("anon_a8Fq", "", False, False),
                ("bobb", "12", False, False),
                ("carol", "13", False, True),
            ],
        ),
        (
            MOODLE,
            [("Ada Lovelace", "21", False, False), ("Bob B", "22", False, False), ("Participant", "23", False, True)],
        ),
        (BLACKBOARD, [("ada", "", False, False), ("bob", "", False, False)]),
        (GRADESCOPE, [("Ada Lovelace", "31", False, False), ("Bob, Eve", "32", False, False)]),
        ({"a.csv": RIGHT, "__MACOSX/a.csv": "x", ".DS_Store": "x"}, [("", "", False, False)]),
    ],
    ids=["canvas", "moodle", "blackboard", "gradescope", "plain"],
)
def test_archives_of_four_systems(archive, tmp_path, files, expected):
    found = collect([archive(files)], tmp_path / "scratch")
    shown = sorted((one.student, one.number, one.is_late, bool(one.problem)) for one in found)
    assert shown == expected
    if files is CANVAS or files is BLACKBOARD:  # the newest attempt counts
        assert found[0].path.read_text() == RIGHT


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "C:\\evil.csv"])
def test_nothing_leaves_the_folder(archive, tmp_path, name):
    found = collect([archive({name: RIGHT, "good.csv": RIGHT})], tmp_path / "scratch")
    assert [one.path.name for one in found] == ["good.csv"]
    assert not list(tmp_path.rglob("evil.csv"))


def test_a_link_in_an_archive_is_ignored(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
    assert collect([path], tmp_path / "scratch") == []


def test_a_broken_archive_is_said(cli, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(UserError, match="cannot be unpacked"):
        collect([tmp_path / "a.zip"], tmp_path / "scratch")
    result = cli("check", "alexnet", tmp_path / "a.zip")
    assert (result.code, "cannot be unpacked" in result.err) == (2, True)


def test_a_class_in_all_its_files(cli, archive, tmp_path):
    files = {name: tmp_path / f"grades.{name}" for name in ("csv", "xlsx", "html")}
    canvas = tmp_path / "canvas.csv"
    result = cli(
        *("check", "alexnet", archive(CANVAS), "--ask", "output,params", "--summary", files["csv"]),
        *("--report", files["html"], "--canvas", canvas),
    )
    assert result.code == 1
    assert "4 submissions, 1 not read" in result.out
    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text())))
    ada, bob = rows[0], rows[1]
    assert (ada["student"], ada["number"], ada["late"], ada["conv1 params"], ada["points"]) == (
        *("adalovelace", "11", "true"),
        *("1", "4"),
    )
    assert (bob["conv1 params"], bob["bias forgotten"], bob["padding ignored"]) == ("0", "2", "1")
    graded = list(csv.reader(io.StringIO(canvas.read_text())))
    assert graded[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "alexnet"]
    assert "Points Possible" in graded[1][0]
    assert graded[2] == ["adalovelace", "11", "", "", "", "4.00"]
    page = files["html"].read_text()
    assert "bias forgotten" in page
    assert "padding ignored" in page
    assert "adalovelace" not in page  # it can be shown in class
    assert cli("check", "alexnet", archive(CANVAS), "--ask", "output,params", "--summary", files["xlsx"]).code == 1
    assert openpyxl.load_workbook(files["xlsx"]).active.max_row == 5


def test_a_grading_worksheet_is_written_where_there_is_none(cli, archive, tmp_path):
    moodle = tmp_path / "moodle.csv"
    cli("check", "alexnet", archive(MOODLE), "--ask", "output,params", "--moodle", moodle)
    assert moodle.read_text().splitlines()[0].startswith("Identifier,Full name,Email address,Grade,")


@pytest.mark.parametrize(
    ("files", "option", "reason"),
    [
        (GRADESCOPE, "--canvas", "these submissions come from Gradescope"),
        (GRADESCOPE, "--moodle", "these submissions come from Gradescope"),
        (MOODLE, "--canvas", "these submissions come from Moodle"),
        (CANVAS, "--moodle", "these submissions come from Canvas"),
        ({"a.csv": RIGHT}, "--canvas", "no file's name has one"),
    ],
)
def test_another_systems_numbers_are_refused(cli, archive, tmp_path, files, option, reason):
    """They would give a student the grade of another one, or of nobody."""
    result = cli("check", "alexnet", archive(files), "--ask", "output,params", option, tmp_path / "grades.csv")
    assert (result.code, reason in result.err) == (2, True)
    assert not (tmp_path / "grades.csv").exists()


def test_two_submissions_of_a_student_have_one_grade(cli, tmp_path):
    """Of files that are named one by one, nothing says which counts; of a folder, the newest does."""
    files = [tmp_path / "in" / name for name in ("adalovelace_11_100_a.csv", "adalovelace_11_101_b.csv")]
    files[0].parent.mkdir()
    for file, text in zip(files, (WRONG, RIGHT), strict=True):
        file.write_text(text)
    grading = ("--ask", "output,params", "--canvas", tmp_path / "grades.csv")
    result = cli("check", "alexnet", *files, *grading)
    assert (result.code, "have the same student's number 11" in result.err) == (2, True)
    cli("check", "alexnet", files[0].parent, *grading)
    assert [row[1] for row in csv.reader((tmp_path / "grades.csv").open())][2:] == ["11"]


def test_moodles_own_worksheet_is_filled_in(cli, archive, tmp_path):
    """Its importer needs Identifier, Grade and Last modified (grade); the grade is a share of the maximum."""
    own = tmp_path / "worksheet.csv"
    own.write_text(
        "\ufeffIdentifier,Full name,Grade,Maximum Grade,Last modified (grade),Feedback comments\n"
        'Participant 21,Ada Lovelace,,100.00,-,\nParticipant 99,Nobody,,100.00,"Monday, 2 November",=1\n'
    )
    homework = ("--ask", "output,params", "--points", "params=2")
    cli("check", "alexnet", archive(MOODLE), *homework, "--moodle", own)
    ada, nobody = list(csv.DictReader(io.StringIO(own.read_text())))
    assert ada["Grade"] == "16.67"  # 6 of 36 points
    assert ada["Last modified (grade)"] == "-"
    assert nobody == {
        "Identifier": "Participant 99",
        "Full name": "Nobody",
        "Grade": "",
        "Maximum Grade": "100.00",
        "Last modified (grade)": "Monday, 2 November",
        "Feedback comments": "=1",
    }


def test_names_and_cells_are_escaped_in_the_report(cli, tmp_path):
    (tmp_path / "a.csv").write_text("layer,params\nconv1,23232\n")
    spec = tmp_path / "n.yaml"
    spec.write_text('name: "n"\ninput: [3, 8, 8]\nlayers:\n  - {conv: 4, kernel: 3, name: "a<b>"}\n')
    cli("check", spec, tmp_path / "a.csv", "--ask", "params", "--report", tmp_path / "r.html")
    assert "a<b>" not in (tmp_path / "r.html").read_text()


# -- worksheets


@pytest.mark.parametrize("name", ["hw.csv", "hw.xlsx", "hw.md"])
@pytest.mark.parametrize("options", [(), ("--layout", "hwc"), ("--without", "bias"), ("--all",), ("--seed", "ada")])
def test_the_key_has_all_points_and_the_sheet_none(cli, tmp_path, name, options):
    ask = ("--ask", "output,memory,params,flops,connections", "--total", *options)
    own = tuple(word for word in ask if word not in ("--layout", "hwc"))
    cli("worksheet", "lenet5", *ask, "-o", tmp_path / name)
    cli("worksheet", "lenet5", *ask, "--key", "-o", tmp_path / f"key{name}")
    empty = cli("check", "lenet5", tmp_path / name, *own)
    full = cli("check", "lenet5", tmp_path / f"key{name}", *own)
    assert " 0 of " in empty.out
    assert full.code == 0, full.out + full.err


def test_a_csv_sheet_has_its_notes_above_the_table(cli, tmp_path):
    cli("worksheet", "lenet5", "--ask", "params", "--title", "Homework 1", "-o", tmp_path / "hw.csv")
    content = (tmp_path / "hw.csv").read_bytes()
    assert content.startswith("\ufeffHomework 1".encode())  # Excel knows UTF-8 by the mark at its start
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert ["Name", ""] in rows
    assert any(row[0].startswith("Count weights and biases") for row in rows)
    headings = next(at for at, row in enumerate(rows) if row[0] == "layer")
    assert rows[headings + 1][0] == "example"
    assert rows[headings + 1][-1] == "0.224"  # 8·3·3² + 8 = 224, in thousands
    rows[1][1] = "Ada, L."
    rows[-1][-1] = "0.85"
    (tmp_path / "hw.csv").write_text("\n".join(";".join(f'"{cell}"' for cell in row) for row in rows))
    graded = cli("check", "lenet5", tmp_path / "hw.csv", "--ask", "params").out
    assert "4 right, 4 missing" in " ".join(
        graded.split()
    )  # fc2, and the empty cells of pool1, pool2 and flatten above it


def test_a_workbook_lets_students_choose_a_unit(cli, tmp_path):
    ask = ("--ask", "output,params,rf")
    cli("worksheet", "lenet5", *ask, "--key", "-o", tmp_path / "hw.xlsx")
    book = openpyxl.load_workbook(tmp_path / "hw.xlsx")
    page = book.active
    lists = {validation.formula1 for validation in page.data_validations.dataValidation if validation.type == "list"}
    assert lists == {'"params,params (k),params (M),params (G)"', '"all"'}
    heading = next(cell for row in page.iter_rows() for cell in row if cell.value == "params (k)")
    assert not heading.protection.locked
    heading.value = "params (M)"
    for (cell,) in page.iter_rows(min_row=heading.row + 3, min_col=heading.column, max_col=heading.column):
        cell.value = float(cell.value) / 1000
    book.save(tmp_path / "hw.xlsx")
    result = cli("check", "lenet5", tmp_path / "hw.xlsx", *ask)
    assert result.code == 0, result.out


def test_a_page_has_fields_and_no_answers(cli, tmp_path):
    assert cli("worksheet", "alexnet", "--ask", "params", "-o", tmp_path / "hw.html").code == 0
    page = (tmp_path / "hw.html").read_text()
    assert page.count("<input") == 2 + 12
    assert not any(answer in page for answer in ("23296", "23,296", "23.296", "307392", "37752"))
    assert "http" not in page
    handed_in = cli("check", "alexnet", tmp_path / "hw.html", "--ask", "params")
    assert (handed_in.code, "hand in the CSV file that its button saves" in handed_in.err) == (2, True)


def test_a_page_saves_what_check_reads(cli, tmp_path):
    """Filled in and saved in a browser, it has its points."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if shutil.which("chromedriver") is None:
        pytest.skip("needs Chromium and its driver")
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path / "saved")})
    cli("worksheet", "lenet5", "--ask", "params", "-o", tmp_path / "hw.html")
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))) as browser:
        browser.get((tmp_path / "hw.html").as_uri())
        browser.find_element("name", "name").send_keys("Ada L.")
        browser.find_element("css selector", "td input").send_keys("0.156")
        browser.find_element("css selector", "button").click()
        saved = tmp_path / "saved" / "Ada_L_.csv"
        for _ in range(1200):
            if saved.exists():
                break
            time.sleep(0.05)
    graded = cli("check", "lenet5", saved, "--ask", "params")
    assert "1 right" in graded.out


def test_a_student_gets_a_network_of_their_own():
    network = archcalc.load("alexnet")
    students = [f"student {number}" for number in range(30)]
    drawn = [variant(network, name) for name in students]
    told = {tuple(layer.output_shape for layer in one.layers) for one in drawn}
    assert len(told) > 20
    assert all(one.layers[-1].output_shape == (1000,) for one in drawn)
    again = variant(network, " Student 3 ")
    assert [layer.output_shape for layer in again.layers] == [layer.output_shape for layer in drawn[3].layers]
    names = ("Ada Lovelace", "Lovelace, Ada", "lovelaceada")  # Canvas names files by the last one
    assert len({tuple(layer.output_shape for layer in variant(network, name).layers) for name in names}) == 1
    for one in drawn:  # every window comes out whole: (n − K + 2P) is a multiple of S
        for layer in one.layers:
            given = layer.op.hyperparameters()
            if "kernel" in layer.op.arguments and layer.op.category in ("convolution", "pooling"):
                kernel, stride = given["kernel"][0], given["stride"][0]
                padding = layer.op.padding[0][0] if layer.op.weights() else 0
                assert (layer.op.x[1] - kernel + 2 * padding) % stride == 0


def test_a_variant_needs_a_chain():
    with pytest.raises(UserError, match="has branches"):
        variant(archcalc.load("resnet18"), "ada")


def test_a_class_with_networks_of_their_own(cli, tmp_path):
    for name in ("Ada", "Bob"):
        cli("worksheet", "lenet5", "--seed", name, "--key", "--ask", "params", "-o", tmp_path / f"{name}.csv")
    result = cli("check", "lenet5", tmp_path / "Ada.csv", tmp_path / "Bob.csv", "--ask", "params", "--seed", "name")
    assert result.code == 0, result.out


def test_one_file_is_graded_by_the_name_that_the_system_gave_it(cli, tmp_path):
    cli("worksheet", "lenet5", "--seed", "Ada", "--key", "--ask", "params", "-o", tmp_path / "ada_11_100_hw1.csv")
    result = cli("check", "lenet5", tmp_path / "ada_11_100_hw1.csv", "--ask", "params", "--seed", "name")
    assert result.code == 0, result.out


@pytest.mark.parametrize(("by", "seed"), [("name", "Ada L"), ("email", "ada@example.org"), ("number", "7")])
def test_gradescope_grades_each_by_their_own_network(cli, tmp_path, by, seed):
    """`submission_metadata.json` as Gradescope's autograder specification has it, beside `submission/`."""
    users = [
        {"email": "zoe@example.org", "id": 8, "name": "Zoe"},
        {"email": "ada@example.org", "id": 7, "name": "Ada L"},
    ]
    (tmp_path / "submission").mkdir()
    cli("worksheet", "lenet5", "--seed", seed, "--key", "--ask", "params", "-o", tmp_path / "submission" / "hw1.csv")
    homework = (
        "check",
        "lenet5",
        tmp_path / "submission",
        "--ask",
        "params",
        "--gradescope",
        tmp_path / "results.json",
    )
    unknown = cli(*homework, "--seed", "email")
    assert "the student's email is unknown" in (tmp_path / "results.json").read_text()
    assert unknown.code == 1
    for broken in ("", "[]", '{"users": 1}', '{"users": []}', '{"users": [1]}', "[" * 10_000):
        (tmp_path / "submission_metadata.json").write_text(broken)
        assert cli(*homework, "--seed", "email").code == 1
    (tmp_path / "submission_metadata.json").write_text(json.dumps({"id": 1, "users": users}))
    result = cli(*homework, "--seed", by)
    assert result.code == 0, result.out


def test_an_autograder_of_own_networks_brings_a_student_to_try_it_with(cli, tmp_path):
    cli("worksheet", "lenet5", "--ask", "params", "--seed", "name", "--autograder", tmp_path / "hw1")
    assert "--seed name" in (tmp_path / "hw1" / "run_autograder").read_text()
    (tmp_path / "hw1" / "submission").mkdir()
    shutil.copy(tmp_path / "hw1" / "key.csv", tmp_path / "hw1" / "submission")
    homework = ("--ask", "params", "--seed", "name", "--gradescope", tmp_path / "results.json")
    assert cli("check", "lenet5", tmp_path / "hw1" / "submission", *homework).code == 0
    assert cli("worksheet", "lenet5", "--ask", "params", "--seed", "name").code == 2  # nobody's network


def test_answers_on_standard_input(monkeypatch, cli):
    for text, code in ((RIGHT, 1), ("", 2)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        result = cli("check", "alexnet", "-", "--ask", "output,params")
        assert (result.code, "<stdin>" in result.out + result.err) == (code, True)


def test_options_list_their_values(cli):
    assert "connections" in cli("check", "alexnet", "x.csv", "--ask", "help").out
    assert cli("worksheet", "alexnet", "--without", "biases").code == 2


@pytest.mark.parametrize(
    ("text", "rule", "least", "verdict"),
    [
        ("0.1G", "digits", 1, "right"),
        ("0.1G", "digits", 2, "wrong"),
        ("73M", "digits", 2, "right"),
        ("0.07G", "5%", 1, "right"),  # 4 % off, and it rounds to the digits
        ("0.1G", "5%", 1, "right"),  # a tolerance never makes a right answer wrong
        ("70.0M", "5%", 1, "right"),
        ("60.0M", "5%", 1, "wrong"),
    ],
)
def test_digits_and_tolerance(make_key, tmp_path, text, rule, least, verdict):
    path = tmp_path / "a.csv"
    path.write_text(f'layer;flops\nconv1;"{text}"\n')
    grader = Grader(make_key(ask="flops"), AnswerTolerance.parse(rule, least))
    assert grader.grade(path).rows[0].cells[0].verdict.value == verdict
