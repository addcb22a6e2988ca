"""Grading whole sheets."""

from __future__ import annotations

import re
import shutil
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archcalc
from archcalc.homework.courses.grades_document import sheet_document
from archcalc.homework.grade import Verdict
from archcalc.homework.key import key_of
from archcalc.homework.marking.grading import Grader
from archcalc.homework.questions import asked, points_of
from archcalc.language.family import InlineSpec
from archcalc.render.writers import write_document


@pytest.fixture(scope="module")
def key(make_key):
    return make_key()


def cells(sheet):
    return {(row.name, cell.column): cell for row in sheet.rows for cell in row.cells}


def test_the_lectures_own_table(data, grade):
    """Its one slip (conv4, 145 M for 149.5 M) and its three fc rows without bias; nothing else."""
    sheet = grade((data / "gold" / "printed_001_alexnet.csv").read_bytes())
    wrong = {at: cell for at, cell in cells(sheet).items() if cell.verdict is not Verdict.RIGHT}
    assert [cell.verdict.value for cell in wrong.values()] == ["wrong", "wrong", "same mistake", "same mistake"]
    assert {at: cell.diagnosis and cell.diagnosis.mistake for at, cell in wrong.items()} == {
        ("conv4", "flops"): None,
        ("fc6", "params"): "bias forgotten",
        ("fc7", "params"): "bias forgotten",
        ("fc8", "params"): "bias forgotten",
    }
    assert sheet.points == 46  # three layers without biases are one mistake
    assert sheet.max_points == 48
    assert wrong["conv4", "flops"].derivation == ("FLOPs = C'·H'·W'·C·K² = 256·13·13·384·3² = 149,520,384",)


def test_the_lectures_fc6_that_was_transposed(grade):
    """Deck 001 prints 37,725,832 for 37,752,832 (errata 2 of the gold data)."""
    cell = cells(grade('layer,params\nfc6,"37,725,832"\n', ask="params"))["fc6", "params"]
    assert cell.diagnosis.mistake == "transposed digits"


# As deck 001 of the gold data's lectures prints them.
STEM = """layer,in_c,in_hw,filters,kernel,stride,pad,out_c,out_hw,memory_kb,params_k,flop_m
conv,3,224,64,7,2,3,64,112,3136,9,118
max-pool,64,112,,3,2,1,64,56,784,0,2
conv,64,56,64,1,1,0,64,56,784,4,13
conv,64,56,192,3,1,1,192,56,2352,111,347
max-pool,192,56,,3,2,1,192,28,588,0,1
"""
CLASSIFIER = """layer,in_c,in_hw,filters,kernel,stride,pad,out_c,out_hw,memory_kb,params_k,flop_m
flatten,512,7,,,,,25088,,98,,
fc6,25088,,4096,,,,4096,,16,102760,103
fc7,4096,,4096,,,,4096,,16,16777,17
fc8,4096,,1000,,,,1000,,4,4096,4
"""


def test_the_lectures_googlenet_stem_is_right(grade, spec_file):
    """Rows of the same names, matched by their place."""
    layers = ["{conv: 64, kernel: 7, stride: 2, padding: 3}", "{max_pool: 3, stride: 2, padding: 1}"]
    layers += ["{conv: 64, kernel: 1}", "{conv: 192, kernel: 3, padding: 1}", "{max_pool: 3, stride: 2, padding: 1}"]
    path = spec_file("name: stem\ninput: [3, 224, 224]\nlayers:\n" + "".join(f"  - {one}\n" for one in layers))
    sheet = grade(STEM, network=archcalc.load(path))
    assert sheet.is_right
    assert sheet.points == 20


def test_the_lectures_vgg16_classifier_leaves_biases_out(grade):
    found = cells(grade(CLASSIFIER, network="vgg16"))
    written = {at: cell for at, cell in found.items() if cell.written}
    wrong = {at: cell.diagnosis.mistake for at, cell in written.items() if cell.verdict is not Verdict.RIGHT}
    assert wrong == {(f"classifier.{at}", "params"): "bias forgotten" for at in (0, 3, 6)}
    assert len(written) == 14


def test_the_lectures_lenet(grade, data):
    """Deck 002 writes `Conv 1`, `Avg Pooling 1`, and sizes alone."""
    sheet = grade((data / "gold" / "002_lenet5_table.csv").read_bytes(), network="lenet5", ask="output")
    assert {cell.verdict for row in sheet.rows if row.name != "flatten" for cell in row.cells} == {Verdict.RIGHT}


# -- errors carried forward

CARRIED = """layer,output,memory (KB),params,flops
conv1,64x55x55,756.25,23296,70276800
pool1,64x27x27,182.25,0,419904
conv2,192x26x26,507,307392,207667200
pool2,192x12x12,108,0,248832
conv3,384x12x12,216,663936,95551488
"""
"""55 for 56 and 26 for 27; every number after them is right for these sizes: 64·55·55·4/1024, 192·26·26·64·25, …"""


def test_an_error_costs_points_where_it_was_made(grade):
    found = cells(grade(CARRIED, per_mistake=False))
    wrong = [at for at, cell in found.items() if cell.verdict is Verdict.WRONG]
    carried = [at for at, cell in found.items() if cell.verdict is Verdict.CARRIED_FORWARD]
    assert wrong == [("conv1", "output"), ("conv2", "output")]
    assert carried == [
        ("conv1", "memory"),
        ("conv1", "flops"),
        *(("conv2", column) for column in ("memory", "flops")),
        *(("pool2", column) for column in ("output", "memory", "flops")),
        *(("conv3", column) for column in ("output", "memory", "flops")),
    ]
    assert all(found[at].points == found[at].max_points == 1 for at in carried)


def test_a_mistake_costs_points_once(grade):
    """55 and 26 are 56 and 27 without the + 1: one mistake, which carries through the sheet."""
    once, each = grade(CARRIED), grade(CARRIED, per_mistake=False)
    assert (once.points, each.points) == (19, 18)
    assert cells(once)["conv2", "output"].verdict is Verdict.REPEATED
    assert "explains 2 cells" in cells(once)["conv1", "output"].feedback
    text = write_document(sheet_document(once), "text")
    assert "Right with a mistake that costs points once, above: conv2 output." in text


WHOLE = [("conv1", 23296), ("pool1", 0), ("conv2", 307392), ("pool2", 0), ("conv3", 663936), ("conv4", 884992)]
WHOLE += [("conv5", 590080), ("pool5", 0), ("flatten", 0), ("fc6", 37752832), ("fc7", 16781312), ("fc8", 4097000)]
FLOPS = [72855552, 419904, 223948800, 292032, 112140288, 149520384, 99680256, 82944, 0, 37748736, 16777216, 4096000]


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (lambda params, flops: (params, [2 * value for value in flops]), "counted twice"),
        (lambda params, flops: (flops, params), "columns swapped"),
        (lambda params, flops: ([0, *params[:-1]], [0, *flops[:-1]]), "layer before"),
        (lambda params, flops: ([round(value / 1000) for value in params], flops), "unit"),
    ],
)
def test_a_misconception_costs_one_cell(grade, change, mistake):
    """Doubled multiply-adds, swapped columns, shifted rows and a wrong unit cost 1 to 3 points of 24, not 8 to 12."""
    params, flops = change([value for _, value in WHOLE], FLOPS)
    lines = [f"{name},{first},{second}" for (name, _), first, second in zip(WHOLE, params, flops, strict=True)]
    sheet = grade("layer,params,flops\n" + "\n".join(lines) + "\n", ask="params,flops")
    missed = [cell for cell in sheet.cells if not cell.verdict.has_points]
    assert sheet.verdicts[Verdict.REPEATED] > 3
    assert mistake in {cell.diagnosis.mistake for cell in missed if cell.diagnosis}
    assert len(missed) <= 3  # the rows shifted by one begin with zeros, which have no row before them


@pytest.mark.parametrize("ask", ["output,params", "output,memory,params,flops"])
@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("network", ["lenet5", "alexnet"])
def test_rows_shifted_by_one_cost_once(grade, make_key, network, ask, step):
    """Each row has the answers of its neighbor, and the row at one end is empty."""
    key = make_key(network, ask)
    layers = dict(enumerate(key.layers))
    lines = ["\t".join(["layer", *(question.key for question in key.questions)])]
    for place, row in layers.items():
        source = layers.get(place - step)
        answers = [key.answer(source, question) if source else "" for question in key.questions]
        texts = ["x".join(map(str, answer)) if isinstance(answer, tuple) else str(answer) for answer in answers]
        lines.append("\t".join([row.name, *texts]))
    sheet = grade("\n".join(lines), key=key)
    assert sheet.max_points - sheet.points == 1
    assert sheet.verdicts[Verdict.MISSING] == 0


def test_two_slips_are_two_mistakes(grade):
    sheet = grade("layer,params\nconv1,23269\nconv2,307329\n", ask="params")
    assert sheet.verdicts[Verdict.WRONG] == 2


def test_a_second_error_is_diagnosed_on_the_students_own_numbers(grade):
    """With 26 for 27 before it, a pool whose quotient is rounded up gives ⌈23/2⌉ + 1 = 13, the right size by chance."""
    found = cells(grade("layer,output\nconv2,192x26x26\npool2,192x24x24\n", ask="output"))
    assert found["pool2", "output"].diagnosis.mistake == "stride ignored"  # 26 − 3 + 1
    assert cells(grade("layer,output\nconv2,192x26x26\npool2,192x13x13\n", ask="output"))["pool2", "output"].points == 1


def test_sizes_in_columns_apart_are_carried_too(grade):
    sheet = grade("layer,out_c,out_hw,flops\nconv1,64,55,70276800\nconv2,192,,\n", ask="output,flops")
    found = cells(sheet)
    assert found["conv1", "output_c"].points == Fraction(1, 2)
    assert found["conv1", "output_hw"].verdict is Verdict.WRONG
    assert found["conv1", "flops"].verdict is Verdict.CARRIED_FORWARD
    assert found["conv2", "output_hw"].verdict is Verdict.MISSING
    assert sheet.max_points == 24


def test_a_total_of_the_students_own_numbers(grade, make_key):
    key = make_key(ask="params", with_total=True)
    rows = [[row.name, row.costs.params] for row in key.layers]
    rows[0][1] = 23232  # without its bias

    def total(number):
        text = "layer,params\n" + "".join(f"{name},{params}\n" for name, params in rows) + f"total,{number}\n"
        return cells(grade(text, key=key))["total", "params"].verdict

    assert total(61100840) is Verdict.RIGHT
    assert total(61100840 - 64) is Verdict.CARRIED_FORWARD
    assert total(61100840 - 65) is Verdict.WRONG


def test_rows_that_say_nothing_make_no_total_right(grade, make_key):
    """Every row in units so large that any total would be theirs."""
    key = make_key(ask="params", with_total=True)
    text = "layer,params\n" + "".join(f"{row.name},0.1T\n" for row in key.layers) + "total,1.3T\n"
    assert cells(grade(text, key=key))["total", "params"].verdict is Verdict.WRONG


def test_branches_carry_errors(grade, make_key):
    """GoogLeNet: a wrong size of one branch of an inception is carried into the concatenation."""
    key = make_key("googlenet", ask="output")
    rows = {row.name: row for row in key.layers}
    concat = next(name for name, row in rows.items() if len(row.head.layer.inputs) == 4)
    branch = rows[concat].head.layer.inputs[0]
    row = next(row for row in key.layers if branch in [costs.name for costs in row.layers])
    channels, *size = row.output_shape
    whole = rows[concat].output_shape
    shapes = [(row.name, channels + 5, *size), (concat, whole[0] + 5, *whole[1:])]
    text = "layer,output\n" + "".join(f"{name},{'x'.join(map(str, shape))}\n" for name, *shape in shapes)
    found = cells(grade(text, key=key))
    assert found[row.name, "output"].verdict is Verdict.WRONG
    assert found[concat, "output"].verdict is Verdict.CARRIED_FORWARD


# -- points, reveal, formulas


def test_points(grade):
    sheet = grade("layer,params,flops\nconv1,23296,1\n", ask="params,flops", points="params=2,flops=0.5")
    assert (sheet.points, sheet.max_points) == (2, 30)
    sheet = grade("layer,weights,biases,flops\nconv1,23232,65,1\n", ask="params,flops", points="params=2,flops=0.5")
    assert (sheet.points, sheet.max_points) == (1, 30)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(["1", "2.5M", "12K", "x", "", "64x55x55", "99999"])), min_size=48, max_size=48)
)
def test_no_reveal_gives_no_answer(grade, key, written):
    """Whatever is written, no text of the result holds a right number that the student did not write."""
    texts = iter(one[0] for one in written)
    lines = [f"{row.name},{next(texts)},{next(texts)},{next(texts)},{next(texts)}" for row in key.rows]
    sheet = grade("layer,output,memory,params,flops\n" + "\n".join(lines) + "\n", key=key, reveal=False)
    for row, graded in zip(key.rows, sheet.rows, strict=True):
        secrets = {str(row.costs.memory), str(row.costs.params), str(row.costs.flops)} - {"0"}
        for cell in graded.cells:
            assert cell.expected is None
            feedback = re.sub(r"by a factor of [10,]+", "", cell.feedback.replace(f"'{cell.written}'", ""))
            said = " ".join([feedback, *cell.derivation]).replace(",", "")
            assert not any(re.search(rf"\b{secret}\b", said) for secret in secrets)
            assert not re.search(r"\d{4}", said)


def test_a_hint_is_the_formula_without_its_numbers(one):
    hint = one("output", "64x55x55", reveal=False)
    assert hint.derivation == ("with the mistake: W' = (W − K)/S + 1", "W' = (W − K + 2P)/S + 1", "H' = W'")
    shown = one("output", "64x55x55").derivation
    assert shown[0] == "with the mistake: W' = (W − K)/S + 1 = (227 − 11)/4 + 1 = 216/4 + 1 = 55"
    assert hint.feedback.startswith("The padding is left out.")


def test_a_derivation_has_numbers_only_below_what_is_answered(grade):
    """That of the operations holds the output's sizes, which must not stand beside an output that is left blank."""
    lines = "layer,output,flops\nconv1,{},1\npool1,64x27x27,1\n"
    asked_for = {"ask": "output,flops", "reveal": True}
    blank = cells(grade(lines.format(""), **asked_for))
    assert blank["conv1", "flops"].derivation == ("FLOPs = C'·H'·W'·C·K²",)
    assert blank["conv1", "flops"].expected == "72,855,552 (72.9 M)"
    assert blank["conv1", "output"].expected is None
    assert not any("56" in line for cell in blank.values() for line in cell.derivation)
    full = cells(grade(lines.format("64x55x55"), **asked_for))
    assert full["conv1", "flops"].derivation == ("FLOPs = C'·H'·W'·C·K² = 64·56·56·3·11² = 72,855,552",)


def piece(text, ask, total=False):
    questions = asked(ask)
    return key_of(InlineSpec(text), questions, points_of("", questions), with_total=total)


def test_formulas(grade):
    """A bottleneck with a quarter of the channels: C²/4 + 9C²/16 + C²/4 weights (17/16 C², deck 001)."""
    key = piece("conv 1x1 C->C/4, conv 3x3 C/4->C/4, conv 1x1 C/4->C", "params,memory", total=True)
    text = (
        "layer,params,memory (elements)\nconv1,C^2/4,HWC/4\nconv2,9(C/4)^2,C/4 H W\nconv3,C*C/4,HWC\n"
        "total,17/16 C²,3/2 HWC\n"
    )
    assert grade(text, key=key).is_right
    wrong = cells(grade(text.replace("9(C/4)^2", "9C^2/4"), key=key))
    assert wrong["conv2", "params"].verdict is Verdict.WRONG
    assert wrong["conv2", "params"].expected == "9C²/16"
    assert sum(cell.verdict is not Verdict.RIGHT for cell in wrong.values()) == 1


def test_mistakes_in_formulas_are_named(grade):
    key = piece("conv(5, C->2*C), conv(3, 2*C->C, stride=2)", "params,output")
    found = cells(grade('layer,params,output\nconv1,25C²,CxHxW\nconv2,18C^2,"(C, H, W)"\n', key=key))
    assert found["conv1", "params"].diagnosis.mistake == "input channels"
    assert found["conv1", "output"].diagnosis.mistake == "input channels"
    assert found["conv2", "params"].verdict is Verdict.RIGHT
    assert found["conv2", "output"].diagnosis.mistake == "stride ignored"


# -- classes


def test_a_broken_file_does_not_stop_the_rest(tmp_path, make_key):
    good = tmp_path / "a.csv"
    good.write_text("layer,params\nconv1,23296\n")
    shutil.copy(good, tmp_path / "c.csv")
    (tmp_path / "b.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    key = make_key(ask="params")
    sheets = list(map(Grader(key).grade, sorted(tmp_path.iterdir())))
    assert [sheet.points for sheet in sheets] == [1, 0, 1]
    assert [sheet.problem is None for sheet in sheets] == [True, False, True]
    assert sheets[1].problem.startswith("the file is not text")
    assert {sheet.max_points for sheet in sheets} == {12}


def test_what_can_be_had_is_the_same_in_every_sheet(grade):
    sheets = [
        grade("layer,output,params\n", ask="output,params"),
        grade("layer,out_c,out_hw,weights\nfc6,4096,,1\n", ask="output,params"),
        grade("layer,out_c,out_h,out_w,params\n", ask="output,params"),
        grade(b"", ask="output,params"),
    ]
    assert {sheet.max_points for sheet in sheets} == {24}
    assert {tuple(row.max_points for row in sheet.rows) for sheet in sheets} == {(2,) * 12}
