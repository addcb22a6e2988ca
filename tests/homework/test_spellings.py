"""Honest answers are right in every spelling, wrong ones in none; the cases of real courses; printed tables."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.homework.grade import Verdict
from archcalc.homework.marking.grading import FAULT, Grader
from archcalc.homework.submissions.headings import mapped_headings, read_heading
from tests.homework.spellings import DATA, faults, keys


@pytest.mark.parametrize(("spoil", "step"), [(False, 1), (True, 2)])
def test_honest_answers_are_right_and_wrong_ones_are_not(tmp_path, spoil, step):
    """A random sheet for every network and set of questions; `python -m tests.homework.spellings` draws thousands."""
    for index, key in enumerate(list(keys())[::step]):
        assert faults(key, 7_000_000 + index, spoil, tmp_path) == []


@pytest.fixture
def case(make_key):
    """`case("small.yaml", "ans_w2.csv", "output,params")`: a sheet that somebody handed in, graded."""

    def run(spec, name, ask, **settings):
        key = make_key(archcalc.load(DATA / spec), ask, **settings)
        return Grader(key, reveal=True).grade(DATA / name)

    return run


@pytest.mark.parametrize(
    ("spec", "name", "ask", "right"),
    [
        ("filo_bn.yaml", "ans_bnrows.csv", "output,params", 22),  # conv1 is 896 and bn1 64
        ("filo_bn.yaml", "ans_buf.csv", "buffers", 2),  # 2C, without PyTorch's counter
        ("filo_bn.yaml", "ans_tr.csv", "params,buffers", 4),
        ("small.yaml", "ans_w2.csv", "output,params", 16),  # CONV1, ReLU, MAXPOOL, … without numbers
        ("small.yaml", "ans_w3.tsv", "output,params", 12),
        ("small.yaml", "ans_v1.csv", "output,params", 4),
        ("small.yaml", "ans_v2.csv", "output,params", 4),
        ("small.yaml", "ans_v5.csv", "output,params", 4),
        ("small.yaml", "ans_v9.csv", "output,params", 4),
        ("small.yaml", "ans_a3.csv", "output,params", 2),
        ("small.yaml", "ans_e4.csv", "memory", 1),
        ("small.yaml", "ans_m14.csv", "memory,flops", 2),
        ("small.yaml", "ans_m16.csv", "memory,flops", 2),  # a decimal point in millions, beside decimal commas
        ("small.yaml", "ans_e.csv", "flops", 1),
    ],
)
def test_what_was_handed_in(case, spec, name, ask, right):
    verdicts = case(spec, name, ask).verdicts
    assert (verdicts.pop(Verdict.RIGHT), set(verdicts) - {Verdict.MISSING}) == (right, set())


def test_a_row_for_each_layer_shares_the_points(case):
    sheet = case("filo_bn.yaml", "ans_bnrows.csv", "output,params")
    assert (sheet.points, sheet.max_points) == (18, 18)
    points = {row.name: row.points for row in sheet.rows}
    assert (points["conv1"], points["bn1"]) == (1.5, 0.5)  # both have parameters, and the size is asked once
    every = case("filo_bn.yaml", "ans_bnrows.csv", "output,params", every_layer=True)
    assert (every.points, every.max_points) == (22, 22)


@pytest.mark.parametrize(
    ("heading", "key", "unit"),
    [
        ("# of parameters", "params", ""),
        ("# of parameter", "params", ""),
        ("# of params", "params", ""),
        ("Number of learnable parameters", "params", ""),
        ("Number of trainable parameters", "params", ""),
        ("# of MAC operations", "macs", ""),
        ("Number of MACs", "macs", ""),
        ("# multiplications", "multiplications", ""),
        ("connections", "connections", ""),
        ("Activation map dimensions", "output", ""),
        ("Size of feature maps", "output", ""),
        ("Tensor size", "output", ""),
        ("output feature map", "output", ""),
        ("# Units", "neurons", ""),
        ("Neurons", "neurons", ""),
        ("Activation Size", "neurons", ""),
        ("MFLOPs", "flops", "m"),
        ("GFLOPs", "flops", "g"),
        ("KParams", "params", "k"),
        ("FLOPs (10^6)", "flops", "10^6"),
        ("Params (x1000)", "params", "x1000"),
        ("Channels", "output_c", ""),
        ("Height", "output_h", ""),
        ("Width", "output_w", ""),
        ("H", "output_h", ""),
        ("BN params", "", ""),
        ("Output shape (HxWxC)", "output", "hxwxc"),
        ("Params (incl. bias)", "params", "incl. bias"),
        ("MB", "memory", "mb"),
    ],
)
def test_headings_of_courses(heading, key, unit):
    found = read_heading(heading, "lecture")
    assert (found.key, found.unit) == (key, unit)


def test_a_heading_can_be_mapped(grade, make_key):
    text = "layer,Num W\nconv1,23296\n"
    assert grade(text, ask="params").problem.endswith("it has 'layer', 'Num W'")
    key = make_key(ask="params", headings=mapped_headings(["Num W=params"]))
    assert grade(text, key=key).points == 1
    with pytest.raises(ValueError, match="did you mean 'params'"):
        mapped_headings(["Num W=parms"])


def test_a_guess_is_said(grade):
    assert "read the heading 'paramters' as params" in grade("layer,paramters\nconv1,23296\n", ask="params").remarks


def test_sizes_answer_a_shape_and_a_shape_answers_sizes(grade):
    sheet = grade('layer,output\nconv1,"(None, 56, 56, 64)"\npool1,27x28x64\n', ask="output_c,output_hw")
    assert [cell.verdict.value for row in sheet.rows[:2] for cell in row.cells] == ["right", "right", "right", "wrong"]
    assert grade("layer,C,H,W\nconv1,64,56,56\n", ask="output").points == 1


def test_a_sheet_has_one_order(grade):
    """A shape in the other order is another shape: 64×13×13 channels first is not the map of 13×13×64."""
    sheet = grade("layer,output\nconv1,56x56x64\npool1,27x27x64\nconv2,192x27x27\n", ask="output")
    assert [row.cells[0].verdict.value for row in sheet.rows[:3]] == ["right", "right", "wrong"]
    assert "read shapes as height×width×channels" in sheet.remarks
    named = grade('layer,output\nconv1,56x56x64\npool1,"C=64, H=27, W=27"\n', ask="output")
    assert named.points == 2


@pytest.mark.parametrize(
    ("written", "verdict"),
    [
        ("(3*11*11+1)*64", "right"),
        ("23232 weights + 64 biases", "right"),
        ("64*363+64 = 23296", "right"),
        ("64*363 = 23232", "wrong"),
        ("46592/2", "right"),
        ("23296 (23.3K)", "right"),
        ("23296 (23.9K)", "unreadable"),
        ("1/0", "unreadable"),
        ("9^9^9", "unreadable"),
        ("((((((((((((((((((((((((1))))))))))))))))))))))))", "unreadable"),
        ("2^400", "unreadable"),
        ("-", "missing"),
        ("none", "missing"),
    ],
)
def test_arithmetic(grade, written, verdict):
    cell = grade(f'layer\tparams\nconv1\t"{written}"\n', ask="params").rows[0].cells[0]
    assert cell.verdict.value == verdict


def test_the_way_is_shown_where_the_result_differs(grade):
    cell = grade('layer\tparams\nconv1\t"64*364 = 23295"\n', ask="params").rows[0].cells[0]
    assert "Your own arithmetic gives 23,296." in cell.feedback


def test_an_empty_cell_is_0_where_the_student_passed_over_it(grade):
    sheet = grade("layer,params\nconv1,23296\npool1,\nconv2,307392\npool2,\n", ask="params")
    assert [row.cells[0].verdict.value for row in sheet.rows[:4]] == ["right", "right", "right", "missing"]
    assert grade("layer,params\nconv1,\npool1,\n", ask="params").points == 0


def test_kib_tells_kb_apart(grade):
    """In a sheet that writes KiB, kB is 1000 bytes; elsewhere in the lecture's convention it is 1024."""
    text = "layer,memory\nconv1,784 KiB\npool1,{}\n"
    assert grade(text.format("186.624 kB"), ask="memory").points == 2
    assert grade(text.format("182.25 kB"), ask="memory").points == 1
    assert grade("layer,memory\npool1,182.25 kB\n", ask="memory").points == 1


# -- printed tables: the formats of Keras 2 and 3, torchsummary and torchinfo

KERAS_2 = """Model: "sequential"
_________________________________________________________________
 Layer (type)                Output Shape              Param #   
=================================================================
 conv2d (Conv2D)             (None, 55, 55, 96)        34944     
                                                                 
 max_pooling2d (MaxPooling2D  (None, 27, 27, 96)       0         
 )                                                               
                                                                 
 conv2d_1 (Conv2D)           (None, 27, 27, 256)       614656    
                                                                 
 max_pooling2d_1 (MaxPooling  (None, 13, 13, 256)      0         
 2D)                                                             
                                                                 
 flatten (Flatten)           (None, 43264)             0         
                                                                 
 dense (Dense)               (None, 10)                432650    
                                                                 
=================================================================
Total params: 1,082,250
Trainable params: 1,082,250
Non-trainable params: 0
"""  # noqa: W291, W293 as printed
KERAS_3 = """┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ conv2d (Conv2D)                 │ (None, 55, 55, 96)     │        34,944 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ max_pooling2d (MaxPooling2D)    │ (None, 27, 27, 96)     │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ conv2d_1 (Conv2D)               │ (None, 27, 27, 256)    │       614,656 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ max_pooling2d_1 (MaxPooling2D)  │ (None, 13, 13, 256)    │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ flatten (Flatten)               │ (None, 43264)          │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 10)             │       432,650 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 1,082,250 (4.13 MB)
"""
TORCHSUMMARY = """----------------------------------------------------------------
        Layer (type)               Output Shape         Param #
================================================================
            Conv2d-1           [-1, 96, 55, 55]          34,944
              ReLU-2           [-1, 96, 55, 55]               0
         MaxPool2d-3           [-1, 96, 27, 27]               0
            Conv2d-4          [-1, 256, 27, 27]         614,656
              ReLU-5          [-1, 256, 27, 27]               0
         MaxPool2d-6          [-1, 256, 13, 13]               0
           Flatten-7                [-1, 43264]               0
            Linear-8                   [-1, 10]         432,650
================================================================
Total params: 1,082,250
"""


@pytest.mark.parametrize("text", [KERAS_2, KERAS_3, TORCHSUMMARY], ids=["keras2", "keras3", "torchsummary"])
def test_a_printed_table_is_read(grade, make_key, text):
    key = make_key(archcalc.load(DATA / "small.yaml"), "output,params", with_total=True)
    sheet = grade(text, "summary.txt", key=key)
    assert (sheet.problem, sheet.is_right, sheet.points) == (None, True, 13)


def test_a_table_that_torchinfo_prints_is_read(grade, make_key):
    torchinfo = pytest.importorskip("torchinfo")
    network = archcalc.load(DATA / "small.yaml")
    from archcalc.runtime.building import build_module

    text = str(torchinfo.summary(build_module(network), input_size=(1, 3, 227, 227), device="cpu", verbose=0))
    sheet = grade(text, "summary.txt", key=make_key(network, "output,params"))
    assert (sheet.problem, sheet.points, sheet.max_points) == (None, 12, 12)


# -- quantities as courses define them


def test_connections_of_lenet(make_key):
    """C1 has 122,304 connections with its biases (LeCun and others, 1998): 28·28·6·(25 + 1)."""
    key = make_key("lenet5", "connections,macs,additions,multiplications,neurons")
    values = {question.key: key.answer(key.rows[0], question) for question in key.questions}
    assert values["connections"] == 28 * 28 * 6 * 26
    assert values["macs"] == values["multiplications"] == 28 * 28 * 6 * 25
    assert values["additions"] == 28 * 28 * 6 * 25  # 24 additions of 25 products, and one of the bias
    assert values["neurons"] == 28 * 28 * 6


def test_connections_without_padding(make_key):
    """A 3×3 window on 4×4 with padding 1 has 100 of its 144 connections inside: (2 + 3 + 3 + 2)² of (4·3)²."""
    spec = "name: n\ninput: [1, 4, 4]\nlayers:\n  - {conv: 1, kernel: 3, padding: 1, bias: false}\n"
    key = make_key(archcalc.loads(spec), "connections,connections_inside")
    assert [key.answer(key.rows[0], question) for question in key.questions] == [144, 100]


def test_without_bias(make_key):
    from archcalc.homework.without_bias import without_bias

    key = make_key(without_bias(archcalc.load("alexnet")), "params,connections")
    assert [key.answer(key.rows[0], question) for question in key.questions] == [64 * 363, 56 * 56 * 64 * 363]


def test_a_total_may_count_the_input(make_key):
    memory = {}
    for with_input in (False, True):
        key = make_key("lenet5", "memory,neurons", with_total=True, with_input=with_input)
        memory[with_input] = [key.answer(key.rows[-1], question) for question in key.questions]
    elements = 32 * 32  # of LeNet-5's input
    assert [b - a for a, b in zip(memory[False], memory[True], strict=True)] == [4 * elements, elements]


# -- nothing that is written takes long, or ends a run

HOSTILE = [
    "(",
    "1x",
    "=1",
    "^{",
    "\\frac{1}{",
    "²",
    "１",
    "C=1,",
    "1^9",
    "\ufdfa",
    "1(",
    "9!",
    "~",
    "about ",
    "{,}",
    "-1",
    "1e9",
]
HOSTILE += [
    "None,",
    "(None, ",
    "torch.Size([",
    "1 channels",
    "x10^",
    "(1)=",
    "1/0+",
    "K",
    "1000,",
    "²³",
    "⌊",
    "\u202e",
    "'",
    "$",
]


@pytest.fixture(scope="module")
def many_questions(make_key):
    return make_key("lenet5", "output,memory,params,flops,rf,connections,output_hw")


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_cell_of_any_length_is_read_or_refused(many_questions, tmp_path, piece):
    """Each piece alone, and as often as a cell holds it, under every kind of heading and as a heading and a name."""
    key = many_questions
    grader = Grader(key, reveal=True)
    for text in (piece, piece * (1000 // len(piece)), piece * 100_000):
        cell = text.replace('"', '""')
        rows = [["layer", *(question.key for question in key.questions)]]
        rows += [[row.name, *[cell] * len(key.questions)] for row in key.rows]
        headings = [[cell, "layer", "params"], *([cell, row.name, cell] for row in key.rows)]
        for table in (rows, headings):
            path = tmp_path / "answers.csv"
            path.write_text("\n".join(",".join(f'"{entry}"' for entry in row) for row in table), encoding="utf-8")
            sheet = grader.grade(path)
            assert FAULT not in (sheet.problem or "")
