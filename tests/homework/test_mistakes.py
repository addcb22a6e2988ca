"""Common mistakes, made by hand here with plain arithmetic: each is found and named."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.homework.answers.kinds import transposed
from archcalc.homework.grade import Verdict
from archcalc.homework.marking.mistakes import MISTAKES

CONV1 = 64 * 56 * 56 * 3 * 11 * 11  # multiply-adds of AlexNet's first layer: 227, kernel 11, stride 4, padding 2

MADE = [
    # layer, question, what is written, the mistake
    ("conv1", "params", 64 * 3 * 11 * 11, "bias forgotten"),
    ("fc6", "params", 9216 * 4096, "bias forgotten"),
    ("conv1", "output", "64x55x55", "padding ignored"),  # (227 − 11)/4 + 1
    ("conv2", "output", "192x23x23", "padding ignored"),  # 27 − 5 + 1
    ("conv1", "output", "64x221x221", "stride ignored"),  # 227 − 11 + 4 + 1
    ("pool1", "output", "64x54x54", "stride ignored"),  # 56 − 3 + 1
    ("pool1", "output", "64x28x28", "floor and ceil"),  # ⌈53/2⌉ + 1
    ("pool1", "memory", 64 * 28 * 28 * 4, "floor and ceil"),
    ("conv3", "output", "384x12x12", "one forgotten"),  # 13 − 3 + 2
    ("conv2", "output", "192x25x25", "padding once"),  # 27 − 5 + 2 + 1
    ("conv1", "memory", 3 * 56 * 56 * 4, "input channels"),
    ("conv2", "params", 192 * 192 * 25 + 192, "output channels"),
    ("conv1", "flops", 64 * 227 * 227 * 3 * 121, "input size"),
    ("conv1", "params", 64 * 3 * 11 + 64, "kernel once"),
    ("conv1", "flops", 64 * 56 * 56 * 121, "one channel"),
    ("conv1", "flops", 2 * CONV1, "counted twice"),
    ("conv1", "flops", CONV1 + 64 * 56 * 56, "bias counted"),
    ("conv1", "memory", "802.8 KB", "KB = 1000"),
    ("conv1", "memory", "0.80 MB", "KB = 1000"),
    ("conv1", "memory", 64 * 56 * 56, "elements"),
    ("conv1", "memory", 64 * 56 * 56 * 8, "bytes of a number"),
    ("conv1", "memory", 23296 * 4, "weights instead of output"),
    ("conv1", "memory", 64 * 56 * 56 * 32, "bits"),
    ("conv1", "memory", 784, "unit"),
    ("conv1", "params", "23.296", "unit"),
    ("conv1", "params", "23296K", "unit"),
    ("pool1", "flops", CONV1, "layer before"),
    ("conv3", "params", 884992, "layer after"),
    ("conv3", "output", "192x13x13", "input channels"),
    ("conv1", "params", CONV1, "other column"),
    ("conv1", "params", "23,269", "transposed digits"),
    ("conv1", "output", "64x65x65", "transposed digits"),
    ("conv1", "flops", "72.8M", "cut off"),
    ("conv1", "flops", "73000000", "rounded"),
    ("conv1", "params", "0", "zero"),
    ("conv1", "flops", "0 T", "zero"),
    ("conv1", "params", "12345", None),
    ("conv1", "output", "64x57x57", "padding twice"),  # (227 − 11 + 8)/4 + 1
    ("conv1", "output", "64x58x56", None),
    ("conv1", "params", 64 * 3 * 121 + 1, "one bias"),
    ("conv1", "params", 64 * 3 * 122, "a bias a slice"),
    ("conv1", "params", 23296 * 56 * 56, "not shared"),
    ("conv1", "params", 3 * 121 + 1, "one filter"),
    ("pool1", "params", 9, "pool with parameters"),
    ("pool1", "params", 9 * 64, "pool with parameters"),
    ("fc6", "params", 256 * 4096 + 4096, "only channels"),  # 256 of 256·6·6
    ("conv1", "flops", 64 * 56 * 56 * (2 * 363 - 1), "additions counted"),
    ("conv1", "flops", 64 * 363, "positions ignored"),
    ("conv1", "flops", 64 * 56 * 363, "one side"),
    ("conv1", "output", "56x56", "channels missing"),
    ("conv1", "output", 64 * 56 * 56, "elements for a shape"),
    ("flatten", "output", 256, "only channels"),
    ("flatten", "output", 36, "only positions"),
    ("conv1", "memory", 56 * 56 * 4, "one map"),
    ("conv1", "memory", 4 * (64 * 56 * 56 + 23296), "weights too"),
    ("conv1", "memory", 4 * (64 * 56 * 56 + 3 * 227 * 227), "input too"),
    ("conv2", "rf", 11 + 3 + 5, "sum of kernels"),
    ("conv2", "rf", 1 + 10 + 2 + 4, "strides ignored"),
    ("conv2", "rf", 11 + 4 * 4, "pools ignored"),  # the stride before conv2 is then 4
    ("conv2", "rf", 51 * 51, "area"),  # 11 + 2·4 + 4·8 = 51
    ("conv2", "output", "192x27", "one side"),
    ("conv2", "rf", 19 + 5, "kernel added"),
    ("conv2", "rf", 11 * 5, "kernels of convolutions"),
    ("conv2", "memory", 4 * (192 * 27 * 27 + 192 * 64 * 25), "weights too"),
    ("conv1", "connections", 2 * 64 * 56 * 56 * 364, "counted twice"),
    ("conv1", "params", 64 * 121, "bias forgotten + one channel"),
    ("conv1", "params", 23926, "transposed digits"),
    ("conv1", "params", 23276, "one digit"),
    ("conv1", "params", 2396, "digit missing"),
    ("conv1", "params", 232296, "digit too many"),
    ("conv2", "params", 192 * 64 * 25 + 64, "a bias an input channel"),
    ("conv2", "macs", 27 * 27 * 64 * 25, "one filter"),
    ("conv2", "output", "192x21x21", "padding subtracted"),  # 27 − (5 + 2) + 1
    ("pool1", "output", "32x27x27", "channels changed"),
    ("pool1", "output", "1x27x27", "channels changed"),
    ("conv2", "macs", 32 * 192 * 27 * 27 * 64 * 25, "batch counted"),
    ("conv2", "memory", 32 * 192 * 27 * 27 * 4, "batch counted"),
]


SMALL = {
    "groups twice": (  # 64/8 · 32/8 · 9, and 64 biases
        "[16, 8, 8]",
        "{conv: 32, kernel: 1}, {conv: 64, kernel: 3, groups: 8, name: one}",
        ("params", 64 // 8 * (32 // 8) * 9 + 64),
    ),
    "joined sizes": (
        "[16, 32, 32]",
        "{concat: [[{conv: 16, kernel: 1}], []], name: one}",
        ("output", "16x64x64"),
    ),
    "one forgotten": ("[16, 5, 5]", "{conv: 8, kernel: 5, name: one}", ("output", "8x0x0")),  # 5 − 5
    "sides swapped": ("[3, 48, 96]", "{conv: 8, kernel: 3, padding: 1, name: one}, relu", ("output", "8x96x48")),
    "not transposed": (  # (8 − 4 + 2)/2 + 1
        "[16, 8, 8]",
        "{conv_transpose: 8, kernel: 4, stride: 2, padding: 1, name: one}",
        ("output", "8x4x4"),
    ),
}


@pytest.mark.parametrize("mistake", SMALL)
def test_named_in_small_networks(one, spec_file, mistake):
    shape, layers, (question, written) = SMALL[mistake]
    network = archcalc.load(spec_file(f"name: n\ninput: {shape}\nlayers: [{layers}]\n"))
    assert one(question, written, layer="one", network=network).diagnosis.mistake == mistake


@pytest.mark.parametrize(("layer", "question", "written", "mistake"), MADE)
def test_named(one, layer, question, written, mistake):
    cell = one(question, written, layer=layer)
    assert cell.verdict is Verdict.WRONG
    assert (cell.diagnosis.mistake if cell.diagnosis else None) == mistake
    assert (cell.diagnosis.says if cell.diagnosis else "No common mistake gives this number.") in cell.feedback


def test_groups_ignored(one):
    """AlexNet of 2012: conv2 has two groups, so a filter sees 48 of the 96 channels."""
    wrong = one("params", 256 * 96 * 25 + 256, layer="conv2", network="alexnet_2012")
    assert wrong.diagnosis.mistake == "groups ignored"
    assert one("params", 256 * 48 * 25 + 256, layer="conv2", network="alexnet_2012").verdict is Verdict.RIGHT


def test_mistakes_with_batch_normalization(one):
    """ResNet-18's conv1 has 64·3·7·7 weights and no bias; its row has batch normalization's 64 scales and 64 shifts."""
    right = 64 * 3 * 49 + 128
    made = {right - 128: "head only", right + 128: "statistics counted", right + 64: "bias added"}
    for written, mistake in made.items():
        assert one("params", written, network="resnet18").diagnosis.mistake == mistake


def test_mistakes_of_counting(one):
    assert one("flops", CONV1, convention="torch").diagnosis.mistake == "counted once"
    assert one("flops", CONV1, batch=2).diagnosis.mistake == "batch ignored"
    pool = one("flops", 0, layer="pool1", convention="full")
    assert pool.diagnosis.mistake == "zero"


def test_dilation_ignored(one, spec_file):
    path = spec_file("name: n\ninput: [3, 32, 32]\nlayers:\n  - {conv: 8, kernel: 3, dilation: 2, name: conv1}\n")
    assert one("output", "8x30x30", network=archcalc.load(path)).diagnosis.mistake == "dilation ignored"


def test_outside_the_lecture_kb_is_1000(one):
    assert one("memory", "186.6 KB", layer="pool1", convention="full").verdict is Verdict.RIGHT
    assert one("memory", "182.25 KiB", layer="pool1", convention="full").verdict is Verdict.RIGHT
    assert one("memory", "182.25 KB", layer="pool1", convention="full").diagnosis.mistake == "KB = 1024"


@pytest.mark.parametrize(
    ("written", "right", "found"),
    [
        ("418", "481", True),
        ("37725832", "37752832", True),
        ("145", "150", False),
        ("12", "12", False),
        ("123", "321", False),
    ],
)
def test_transposed(written, right, found):
    """418 for 481 and 37,725,832 for 37,752,832 are slips of the lectures."""
    assert transposed(written, right) is found


def test_no_mistake_gives_the_answer():
    """What is said of a mistake holds no number of the network: the sentences are the same for every one."""
    assert not any(one.isdigit() and one != "1" for mistake in MISTAKES for one in mistake.says)
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", "mobilenet_v2", "vit_b_16", "swin_t", "densenet121", "shufflenet_v1"]
)
def test_mistakes_can_be_made_in_any_network(make_key, name):
    """Every row of networks with branches, gates, attention and upsampling: candidates are numbers, or none."""
    from archcalc.homework.marking.case import Reruns
    from archcalc.homework.marking.mistakes import candidates

    key = make_key(name)
    for row in key.layers[:: max(1, len(key.layers) // 12)]:
        reruns = Reruns(key, row, {})
        for question in key.questions:
            for diagnosis, value in candidates(reruns, question):
                assert diagnosis.mistake
                assert diagnosis.says
                assert isinstance(value, tuple) or value >= 0
