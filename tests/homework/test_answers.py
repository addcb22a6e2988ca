"""Answers of any kind: what is made from the truth is right, what is made wrong is never right, and nothing that is
handed in ends a run or gives away what was not answered.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from fractions import Fraction

import openpyxl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archcalc.homework.answers.kinds import COUNT, MEMORY
from archcalc.homework.courses.grades_document import class_document, sheet_document
from archcalc.homework.courses.gradescope import GradescopeOptions, results_json
from archcalc.homework.grade import Verdict
from archcalc.homework.key import key_of
from archcalc.homework.marking.grading import FAULT, Grader
from archcalc.homework.questions import QUESTIONS, asked, points_of
from archcalc.language.family import InlineSpec
from archcalc.render.writers import formats, write_document

many = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
BYTES = {" B": 1, " KB": 1024, " MB": 1024**2, " KiB": 1024, " MiB": 1024**2}


@pytest.fixture(scope="module")
def key(make_key):
    return make_key()


@pytest.fixture(scope="module")
def block():
    """A bottleneck, asked for formulas."""
    questions = asked("params,macs,output")
    return key_of(
        InlineSpec("conv 1x1 C->C/4, conv 3x3 stride=2 padding=1 C/4->C/4, conv 1x1 C/4->C"),
        questions,
        points_of("", questions),
    )


def written(key, cells):
    """A sheet as text: `cells` has what stands for a row and a question."""
    lines = [["layer", *(question.key for question in key.questions)]]
    for row in key.rows:
        lines.append([row.name, *(cells(row, question) for question in key.questions)])
    return "\n".join("\t".join(f'"{cell}"' for cell in line) for line in lines) + "\n"


def verdicts(sheet):
    assert sheet.problem is None
    return [(cell.written, cell.verdict) for cell in sheet.cells]


# -- numbers and shapes


def decimal(value: Fraction, digits: int) -> tuple[str, Fraction]:
    """A number rounded to so many decimals, as text and as it is then."""
    rounded = Fraction(round(value * 10**digits), 10**digits)
    whole, rest = divmod(abs(rounded.numerator) * 10**digits // rounded.denominator, 10**digits)
    return f"{'-' if rounded < 0 else ''}{whole}" + (f".{rest:0{digits}}" if digits else ""), rounded


@st.composite
def amounts(draw, truth: int, question, off: bool):
    """A spelling of an amount; if `off`, of one that is beside the truth by more than its rounding."""
    unit, size = draw(st.sampled_from(sorted((BYTES if question.kind is MEMORY else UNITS).items())))
    digits = draw(st.integers(0, 8)) if size > 1 else 0
    if 0 < truth * 10**digits < size:  # it would be 0, which says nothing in a coarse unit
        unit, size, digits = "", 1, 0
    value = Fraction(truth, size)
    if off:
        step = draw(st.integers(1, 9)) * 10 ** draw(st.integers(0, 6))
        value += draw(st.sampled_from([-1, 1])) * Fraction(step, 10**digits)
    text, rounded = decimal(value, digits)
    place = Fraction(size, 10**digits)
    if off:
        assume(2 * abs(rounded * size - truth) > place)
    if draw(st.booleans()) and "." not in text and not unit.strip() and abs(rounded) >= 10**6:
        text = f"{int(text):,}"
    if draw(st.booleans()) and question.kind is COUNT and not unit:
        text = f"{text}e0"
    return draw(st.sampled_from(["", "~", " "])) + text + unit


@st.composite
def shapes(draw, truth: tuple[int, ...], off: bool):
    """A spelling of a shape, channels first; if `off`, of another one."""
    orders = {truth, (*truth[1:], truth[0])}
    sizes = truth
    if off:
        at = draw(st.integers(0, len(sizes) - 1))
        change = draw(st.integers(-3, 3).filter(bool)) * draw(st.sampled_from([1, 1, 10, sizes[at]]))
        sizes = (*sizes[:at], max(sizes[at] + change, 1), *sizes[at + 1 :])
        assume(sizes not in orders)
    mark = draw(st.sampled_from(["x", "×", " x ", ", ", "*", "@"]))
    before, after = draw(st.sampled_from([("", ""), ("(", ")"), ("[", "]")]))
    return before + mark.join(map(str, sizes)) + after


def spelling(key, row, question, off):
    truth = key.answer(row, question)
    return amounts(truth, question, off) if question.has_total else shapes(truth, off)


@settings(many, max_examples=20)
@given(st.data())
def test_what_is_made_from_the_truth_is_right(grade, key, data):
    text = written(key, lambda row, question: data.draw(spelling(key, row, question, off=False)))
    assert [one for one in verdicts(grade(text, key=key)) if one[1] is not Verdict.RIGHT] == []


@settings(many, max_examples=12)
@given(st.data())
def test_what_is_made_wrong_is_never_right(grade, key, data):
    text = written(key, lambda row, question: data.draw(spelling(key, row, question, off=True)))
    assert [one for one in verdicts(grade(text, key=key)) if one[1] is Verdict.RIGHT] == []


# -- formulas

# Of the block: what each cell is, by hand. With stride 2 and padding 1 a 3x3 window gives ⌊(H − 1)/2⌋ + 1.
HALF = "(floor(({}-1)/2)+1)"
AREA = HALF.format("H") + HALF.format("W")
TRUTH = {
    ("conv1", "params"): "C^2/4",
    ("conv1", "macs"): "H W C^2/4",
    ("conv2", "params"): "9/16*C^2",
    ("conv2", "macs"): f"9/16*C^2*{AREA}",
    ("conv3", "params"): "C^2/4",
    ("conv3", "macs"): f"C^2/4*{AREA}",
}
SAME = [
    "{}",
    "({})*1",
    "C - C + {}",
    "({})*(C+H)/(H+C)",
    "(2({}) + W)/2 - W/2",
    "({})*(H - 2floor(H/2) + 1)/(H + 1 - 2floor(H/2))",
    "{} + floor(W/2) + ceil(W/2) - W",
    "{} + floor((H - 7)/3) - floor(H/3 + 2/3) + 3",
    "{} + floor(H/W) + 2 - floor((H + 2W)/W)",
]
"""What changes nothing."""


@st.composite
def nothing_almost(draw):
    """A term that is 0 for many numbers, or for nearly all, but not for all."""
    symbol = draw(st.sampled_from("CHW"))
    number = draw(st.integers(1, 10 ** draw(st.integers(1, 30))))
    term = draw(
        st.sampled_from(
            [
                "floor({n}/{s})",
                "(ceil({s}/{n}) - 1)",
                "(ceil({s}^2/{n}) - 1)",
                "floor({s}/({n}+1))",
                "floor(1/(1 + (4{s} - 4*{n})^2))",
                "({s} - {n})",
                "1/({s} + {n})",
                "(floor({s}/2) - {s}/2 + 1/2)",
                "floor({n}/{s}^2)",
                "floor({n}/{s})*{s}^3",
            ]
        )
    ).format(s=symbol, n=4 * number)
    return draw(st.sampled_from(["{{}} + {}", "{{}} - {}", "{{}} + C^2*{}", "{{}} + {}/1000"])).format(term)


@pytest.mark.parametrize(("row", "question"), TRUTH)
@settings(many, max_examples=8)
@given(around=st.lists(st.sampled_from(SAME), min_size=1, max_size=2))
def test_a_formula_that_is_the_truth_in_other_words_is_right(grade, block, row, question, around):
    text = TRUTH[row, question]
    for one in around:
        text = one.format(text)
    sheet = grade(f"layer\t{question}\n{row}\t{text}\n", key=block)
    assert {"right"} == {cell.verdict.value for cell in sheet.cells if cell.written}, text


@pytest.mark.parametrize(("row", "question"), TRUTH)
@settings(many, max_examples=8)
@given(beside=nothing_almost())
def test_a_formula_beside_the_truth_is_never_right(grade, block, row, question, beside):
    text = beside.format(TRUTH[row, question])
    sheet = grade(f"layer\t{question}\n{row}\t{text}\n", key=block)
    assert {"wrong"} == {cell.verdict.value for cell in sheet.cells if cell.written}, text


def test_what_is_undecided_is_left_to_a_person(grade, block):
    """9/16·C² and a floor that is always 0, which is not seen: no points yet, and it is said why."""
    sheet = grade("layer,params\nconv2,9/16 C^2 + floor(1/(C + H))\n", key=block)
    cell = sheet.rows[1].cells[0]
    assert (cell.verdict, cell.points) == (Verdict.UNDECIDED, 0)
    assert "A person will check it" in cell.feedback
    assert "1 undecided" in write_document(sheet_document(sheet), "text")
    assert "conv2 · params, 9/16 C^2 + floor(1/(C + H)): undecided" in write_document(sheet_document(sheet), "text")
    assert "undecided" in write_document(class_document([sheet], ["params"]), "csv").splitlines()[0].split(",")
    tests = json.loads(results_json(sheet, GradescopeOptions()))["tests"]
    assert (tests[1]["score"], tests[1]["status"]) == (0, "failed")
    assert "A person will check it" in tests[1]["output"]


# -- nothing is given away

blank = st.sampled_from(["", " ", "-", "?"])
unread = st.sampled_from(["many", "23,2,96,1", "=A1*2", "12 apples", "64x", "1" * 70, "nan", "1e999", "²"])
given_wrong = st.sampled_from(["1", "17", "2.5k", "64x55x55", "3x3x3", "99999"])


def shown_in(sheet):
    """Every text that is made of a sheet."""
    documents = (sheet_document(sheet), class_document([sheet], ["params"]))
    texts = [write_document(document, name) for document in documents for name in formats() if name != "xlsx"]
    return "\n".join([*texts, results_json(sheet, GradescopeOptions())])


def numbers_of(text):
    """The large numbers and the shapes in a text."""
    return set(re.findall(r"\d+(?:×\d+)+|\d{1,3}(?:,\d{3})+", text))


@pytest.mark.parametrize("reveal", [False, True])
@settings(many, max_examples=10)
@given(data=st.data())
def test_no_answer_is_given_away_where_none_was_given(grade, key, reveal, data):
    """Whatever else is in the sheet, and whatever the options: no right number that nobody wrote something beside."""
    answered = data.draw(st.sampled_from([0.0, 0.5, 0.9]))
    given_cells = set()

    def cell(row, question):
        if data.draw(st.floats(0, 1)) < answered:
            text = data.draw(given_wrong)
            if ("x" in text) != question.has_total:
                given_cells.add((row.name, question.key))
            return text
        return data.draw(blank | unread)

    sheet = grade(written(key, cell), key=key, reveal=reveal)
    secrets, known = set(), set()
    for row, graded in zip(key.rows, sheet.rows, strict=True):
        for one in graded.cells:
            answer = Grader(key, reveal=True).key.answer(row, QUESTIONS[one.column])
            text = f"{answer:,}" if isinstance(answer, int) else "×".join(map(str, answer))
            is_given = one.verdict in (Verdict.RIGHT, Verdict.CARRIED_FORWARD, Verdict.WRONG)
            (known if reveal and is_given else secrets).add(text)
            assert is_given or (one.expected is None and one.derivation == ())
    secrets = {one for one in secrets - known if "," in one or "×" in one}
    assert not secrets & numbers_of(shown_in(sheet))


# -- whatever is handed in

TOKENS = [
    b'<c r="ZZZ9" t="s"><v>99999</v></c>',
    b'<c t="s"><v>-99999999</v></c>',
    b"<c><v>nan</v></c>",
    b"<c><v>-inf</v></c>",
    b"<c><v>" + b"9" * 5000 + b"</v></c>",
    b"<c><v>1e999</v></c>",
    b'<c t="d"><v>2026-99-99</v></c>',
    b'<c t="e"><v>#REF!</v></c>',
    b'<c t="x"><v>1</v></c>',
    b'<c s="4000"><v>1</v></c>',
    b'<c t="inlineStr"><is/></c>',
    b'<c><f t="shared" si="9"/><v>1</v></c>',
    b'<c><f t="array" ref="!!">{1}</f></c>',
    b'<row r="0"/>',
    b'<row r="-5"><c/></row>',
    b'<row r="99999999999"><c r="A1"/></row>',
    b'<row r="x"/>',
    b"</row>",
    b"<sheetData>",
    b"</sheetData>",
    b"<!-- -->",
    b"&#0;",
    b"&x;",
    b"\x00",
    b"\xff\xfe",
    b'"',
    b">",
]


def a_workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (["layer", "output", "params"], ["conv1", "64x56x56", 23296], ["pool1", "64x27x27", 0]):
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@st.composite
def workbooks(draw):
    """A workbook with pieces of its XML cut, or put in between; or with bytes of the archive changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(a_workbook())) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        cells = [name for name in names if "sheet1.xml" in name or "sharedStrings" in name]
        broken = draw(st.sets(st.sampled_from(names) | st.sampled_from(cells), max_size=2))
        for name in names:
            content = old.read(name)
            if name in broken:
                at = draw(st.integers(0, len(content)))
                cut = draw(st.sampled_from([0, 0, 1, 20, 10**6]))
                content = content[:at] + draw(st.sampled_from([*TOKENS, b""])) + content[at + cut :]
            if name not in broken or draw(st.integers(0, 9)):
                new.writestr(name, content)
    content = stream.getvalue()
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(4, len(content)))
        content = content[:at] + draw(st.binary(max_size=4)) + content[at + draw(st.integers(0, 4)) :]
    return content


csv_texts = st.lists(
    st.lists(
        st.sampled_from(
            ["layer", "params", "output", "conv1", "pool1", "total", "23296", "64x56x56", "", '"', "=", "|"]
        )
        | st.text(max_size=12),
        max_size=6,
    ),
    max_size=8,
).map(lambda rows: "\n".join(",".join(row) for row in rows))
marked_texts = st.text(st.sampled_from("|-: \n*_`$\\layerpms1"), max_size=200)
json_texts = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | st.sampled_from(["layer", "conv1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["layer", "params", "rows", "conv1", "output"]), inner, max_size=4)
    ),
).map(json.dumps)
submissions = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    (csv_texts | marked_texts | json_texts).map(lambda text: text.encode("utf-8", "surrogatepass")),
    csv_texts.map(lambda text: text.encode("utf-16", "surrogatepass")),
    workbooks(),
)


@settings(many, max_examples=120)
@given(content=submissions)
def test_whatever_is_handed_in_ends_no_run(grade, key, content):
    """It is graded, or has a reason why not, which is never a fault of archcalc's; and it can be shown."""
    sheet = grade(content, "answers.xlsx", key=key, reveal=True)
    assert FAULT not in (sheet.problem or "")
    assert sheet.problem != ""
    assert sheet.max_points == 48
    shown_in(sheet)
    assert write_document(class_document([sheet], ["params"]), "csv").count("\n") == 2
