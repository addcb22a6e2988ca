"""How many wrong answers get an explanation: `python tests/benchmarks/mistakes.py --count 2000`.

The answers are made by formulas of this file, not by archcalc: a convolution, a pool or a linear layer with one or two
mistakes in it, or a right number with a slip of arithmetic. Numbers drawn at random, which no mistake made, show how
often an explanation is a coincidence. Columns with one cause show how often it is found, and if it is the true one.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import archcalc
from archcalc.homework.grade import GradedSheet, Verdict
from archcalc.homework.key import AnswerKey
from archcalc.homework.marking.grading import Grader
from archcalc.homework.questions import asked, points_of


@dataclass(frozen=True)
class Layer:
    """What the formulas take, and how a count is made of them."""

    name: str
    kind: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    side: int
    bias: int = 1
    steps: int = 1
    ceil: bool = False
    once: int = 1
    """Sides of the padding are 2 / once."""
    square: int = 2
    shared: bool = True
    times: float = 1

    @property
    def size(self) -> int:
        """Return the side of the output."""
        if self.kind == "linear":
            return 1
        numerator = self.side - self.kernel + 2 * self.padding // self.once
        return (-(-numerator // self.stride) if self.ceil else numerator // self.stride) + self.steps

    def count(self, question: str) -> float:
        """Return the answer to a question."""
        window = self.kernel**self.square
        weights = 0 if self.kind == "pool" else self.outputs * self.inputs * window
        biases = 0 if self.kind == "pool" else self.bias * self.outputs
        positions = self.size**2
        value = {
            "params": (weights + biases) * (1 if self.shared else positions),
            "memory": 4 * self.outputs * positions,
            "flops": (weights if weights else self.outputs * window) * positions,
        }[question]
        return value * self.times


MADE: dict[str, Callable[[Layer], Layer]] = {
    "bias forgotten": lambda layer: replace(layer, bias=0),
    "padding ignored": lambda layer: replace(layer, padding=0),
    "stride ignored": lambda layer: replace(layer, stride=1),
    "floor and ceil": lambda layer: replace(layer, ceil=True),
    "one forgotten": lambda layer: replace(layer, steps=0),
    "padding once": lambda layer: replace(layer, once=2),
    "kernel once": lambda layer: replace(layer, square=1),
    "one channel": lambda layer: replace(layer, inputs=1) if layer.kind == "conv" else layer,
    "input channels": lambda layer: replace(layer, outputs=layer.inputs),
    "output channels": lambda layer: replace(layer, inputs=layer.outputs),
    "not shared": lambda layer: replace(layer, shared=False),
    "twice": lambda layer: replace(layer, times=2 * layer.times),
    "a thousandth": lambda layer: replace(layer, times=layer.times / 1000),
    "elements": lambda layer: replace(layer, times=layer.times / 4),
}
SIZES = ("padding ignored", "stride ignored", "floor and ceil", "one forgotten", "padding once", "input channels")
FOR = {
    "params": (
        *("bias forgotten", "kernel once", "one channel", "input channels", "output channels", "not shared"),
        "a thousandth",
    ),
    "flops": (*SIZES, "kernel once", "one channel", "output channels", "twice", "a thousandth"),
    "memory": (*SIZES, "twice", "elements", "a thousandth"),
}
LAYERS = [
    Layer("conv1", "conv", 3, 64, 11, 4, 2, 227),
    Layer("pool1", "pool", 64, 64, 3, 2, 0, 56),
    Layer("conv2", "conv", 64, 192, 5, 1, 2, 27),
    Layer("pool2", "pool", 192, 192, 3, 2, 0, 27),
    Layer("conv3", "conv", 192, 384, 3, 1, 1, 13),
    Layer("conv4", "conv", 384, 256, 3, 1, 1, 13),
    Layer("conv5", "conv", 256, 256, 3, 1, 1, 13),
    Layer("fc6", "linear", 9216, 4096, 1, 1, 0, 1),
    Layer("fc7", "linear", 4096, 4096, 1, 1, 0, 1),
    Layer("fc8", "linear", 4096, 1000, 1, 1, 0, 1),
]
"""AlexNet in one tower, as torchvision has it, on 227×227."""


def mistaken(draw: random.Random, count: int) -> tuple[Layer, str, str] | None:
    """Return a layer, a question, and its answer with so many mistakes; None if they change nothing."""
    layer, question = draw.choice(LAYERS), draw.choice(sorted(FOR))
    truth, wrong = layer.count(question), layer
    for name in draw.sample(FOR[question], count):
        before = wrong.count(question)
        wrong = MADE[name](wrong)
        if wrong.count(question) == before:
            return None
    value = wrong.count(question)
    if value == truth or value <= 0:
        return None
    return layer, question, str(int(value)) if value == int(value) else f"{value:.6g}"


def slipped(draw: random.Random) -> tuple[Layer, str, str] | None:
    """Return a right number with a slip of arithmetic."""
    layer, question = draw.choice(LAYERS), draw.choice(sorted(FOR))
    truth = int(layer.count(question))
    digits = str(truth)
    if truth < 1000:
        return None
    at = draw.randrange(len(digits) - 1)
    kernel, side = layer.kernel, layer.size
    made = {
        "swap": digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :],
        "drop": digits[:at] + digits[at + 1 :],
        "double": digits[: at + 1] + digits[at:],
        "digit": digits[:at] + draw.choice("123456789") + digits[at + 1 :],
        "carry": str(truth + draw.choice((-1, 1)) * 10 ** draw.randrange(1, max(len(digits) - 2, 2))),
        "factor left out": str(truth // draw.choice([kernel, side, layer.outputs, 10])),
        "factor twice": str(truth * draw.choice([kernel, side, 2, 10])),
        "factor off by one": str(truth // side * (side - 1)),
    }[draw.choice(["swap", "drop", "double", "digit", "carry", "factor left out", "factor twice", "factor off by one"])]
    return None if int(made) in (truth, 0) else (layer, question, made)


def by_chance(draw: random.Random) -> tuple[Layer, str, str] | None:
    """Return a number of the right size that no mistake made."""
    layer, question = draw.choice(LAYERS), draw.choice(sorted(FOR))
    truth = int(layer.count(question))
    value = int(truth * draw.uniform(0.2, 5))
    return None if truth < 1000 or value == truth else (layer, question, str(value))


def graded(grader: Grader, cells: dict[tuple[str, str], str], folder: Path) -> GradedSheet:
    """Return the grade of a sheet that is right but for some cells."""
    questions = [question.key for question in grader.key.questions]
    lines = ["\t".join(["layer", *questions])]
    for layer in LAYERS:
        right = [str(int(layer.count(question))) for question in questions]
        own = [cells.get((layer.name, question), value) for question, value in zip(questions, right, strict=True)]
        lines.append("\t".join([layer.name, *own]))
    path = folder / "answers.tsv"
    path.write_text("\n".join(lines) + "\n")
    return grader.grade(path)


def share_explained(
    grader: Grader, make: Callable[[], tuple[Layer, str, str] | None], count: int, folder: Path
) -> float:
    """Return the share of wrong answers that get an explanation."""
    explained = total = 0
    while total < count:
        made = make()
        if made is None:
            continue
        layer, question, text = made
        sheet = graded(grader, {(layer.name, question): text}, folder)
        cell = next(
            cell for row in sheet.rows if row.name == layer.name for cell in row.cells if cell.column == question
        )
        assert cell.verdict is Verdict.WRONG, (layer.name, question, text)
        explained += cell.diagnosis is not None
        total += 1
    return explained / total


def causes_found(grader: Grader, draw: random.Random, count: int, folder: Path) -> Counter[str]:
    """Return how often the cause of a column is the true one, another, or none; a tenth of the cells have slips."""
    found: Counter[str] = Counter()
    while sum(found.values()) < count:
        question = draw.choice(sorted(FOR))
        name = draw.choice(FOR[question])
        cells = {}
        for layer in LAYERS:
            value, truth = MADE[name](layer).count(question), layer.count(question)
            if value != truth:
                cells[layer.name, question] = str(int(value)) if value == int(value) else f"{value:.6g}"
            if draw.random() < 0.1:
                cells[layer.name, question] = str(int(truth * draw.uniform(0.3, 3)) + 1)
        if sum(MADE[name](layer).count(question) != layer.count(question) for layer in LAYERS) < 3:
            continue
        sheet = graded(grader, cells, folder)
        kept = [cell for cell in sheet.cells if cell.verdict is Verdict.REPEATED]
        right = [cell for cell in kept if cell.diagnosis is not None and _same(cell.diagnosis.mistake, name)]
        found["none" if not kept else "true" if len(right) == len(kept) else "other"] += 1
    return found


def _same(mistake: str, name: str) -> bool:
    synonyms = {
        "twice": ("counted twice", "gradients too", "bytes of a number", "other convention"),
        "a thousandth": ("unit",),
        "one forgotten": ("one forgotten", "padding once"),
        "padding once": ("padding once", "one forgotten"),
        "elements": ("elements", "elements of the output"),
        "input channels": ("input channels",),
    }
    return mistake in synonyms.get(name, (name,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    questions = asked("memory,params,flops")
    key = AnswerKey(archcalc.load("alexnet").analyze(), questions, points_of("", questions))
    grader = Grader(key)
    corpora: dict[str, Callable[[], tuple[Layer, str, str] | None]] = {
        "one mistake": lambda: mistaken(draw, 1),
        "two mistakes": lambda: mistaken(draw, 2),
        "a slip": lambda: slipped(draw),
        "by chance": lambda: by_chance(draw),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, make in corpora.items():
            share = share_explained(grader, make, options.count, Path(folder))
            print(f"{name:14} {share:6.1%} of {options.count} answers explained")
        found = causes_found(grader, draw, options.count, Path(folder))
        print(
            "one cause in a column:",
            ", ".join(f"{what} {number / options.count:.1%}" for what, number in found.items()),
        )


if __name__ == "__main__":
    main()
