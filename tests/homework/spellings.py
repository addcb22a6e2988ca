"""Answers as students write them: honest ones, made from the truth in every way that is read, and wrong ones.

`python -m tests.homework.spellings --honest 2000 --wrong 2000 --seed 1` grades that many sheets and prints each honest
cell that is not right, and each wrong cell that is.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import archcalc
from archcalc.homework.answers.kinds import MEMORY
from archcalc.homework.grade import GradedSheet, Verdict
from archcalc.homework.key import AnswerKey
from archcalc.homework.marking.grading import Grader
from archcalc.homework.questions import asked, points_of

DATA = Path(__file__).parent / "data" / "courses"
NETWORKS = ("alexnet", "lenet5", "vgg16", str(DATA / "small.yaml"), str(DATA / "filo_bn.yaml"))
ASKS = (
    "output,params",
    "output,memory,params,flops",
    "params,macs",
    "output_c,output_hw,params",
    "weights,biases,neurons",
    "output,connections,rf",
    "memory,flops,buffers",
    "multiplications,additions,training_memory",
)
HEADINGS = {
    "output": ["output", "Output Shape", "Activation map dimensions", "Size of feature maps", "Output Volume", "shape"],
    "output_c": ["output C", "Channels", "C", "output channels"],
    "output_hw": ["output H/W", "HxW", "output resolution"],
    "params": [
        "params",
        "# of parameters",
        "# of params",
        "Number of learnable parameters",
        "Param #",
        "No. of parameters",
    ],
    "memory": ["memory", "Memory", "Activation memory", "memory usage", "mem"],
    "flops": ["FLOPs", "flop", "Number of FLOPs", "# operations"],
    "macs": ["MACs", "# of MAC operations", "Number of MACs", "Mult-Adds"],
    "weights": ["weights", "# weights", "Number of weights"],
    "biases": ["biases", "#biases", "bias"],
    "neurons": ["neurons", "# Units", "Neurons", "Activation Size", "activations"],
    "connections": ["connections", "# connections"],
    "buffers": ["buffers", "Non-trainable params", "non-trainable"],
    "multiplications": ["multiplications", "# multiplications"],
    "additions": ["additions", "# additions"],
    "training_memory": ["memory in training", "training memory"],
    "rf": ["receptive field", "RF", "rf"],
}
KILO, MEGA = 10**3, 10**6
COUNT_UNITS = [
    *((unit, KILO) for unit in ("K", "k", " thousand", " kilo")),
    *((unit, MEGA) for unit in ("M", " million", " millions", " mega", " Mio", "·10^6", "×10⁶", "e6")),
    ("G", 10**9),
]
BYTE_UNITS = [
    *((unit, 1) for unit in (" B", " bytes")),
    *((unit, 1024) for unit in (" KB", "KB", " KiB", "kb", " kilobytes", " K", " kibibytes")),
    *((unit, 1024**2) for unit in (" MB", " MiB", " megabytes", " Mbyte")),
    *((unit, 4) for unit in (" elements", " floats")),
    *((" bits", Fraction(1, 8)), ("k floats", 4000), (" Kbit", 128)),
]
HEADING_UNITS = {
    False: [
        ("(K)", 10**3),
        ("[M]", 10**6),
        ("(10^6)", 10**6),
        ("(x1000)", 10**3),
        ("in M", 10**6),
        ("(millions)", 10**6),
    ],
    True: [("(KB)", 1024), ("[KiB]", 1024), ("(MB)", 1024**2), ("(elements)", 4), ("in KB", 1024), ("(bytes)", 1)],
}
GLUED = {"flops": ["MFLOPs", "GFLOPs", "kFLOPs"], "macs": ["MMACs", "GMACs"], "params": ["KParams", "MParams"]}
SIZES = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
CALLED = {
    "conv": ["CONV", "Conv2d", "Convolution", "conv layer"],
    "max_pool": ["MAXPOOL", "Max pooling", "POOL", "MaxPool2d"],
    "avg_pool": ["Avg Pooling", "AVGPOOL", "pool"],
    "adaptive_avg_pool": ["AdaptiveAvgPool2d", "avg pool"],
    "relu": ["ReLU", "relu", "activation"],
    "tanh": ["tanh", "Activation"],
    "batch_norm": ["BN", "Batch Norm", "BatchNormalization"],
    "dropout": ["Dropout", "dropout"],
    "flatten": ["Flatten", "FLATTEN"],
    "linear": ["FC", "Dense", "fully connected", "Linear"],
}
ABOUT = ["~", "≈", "≈ ", "about ", "ca. ", "approx. ", "circa "]
NOTHING = ["0", "-", "–", "none", "n/a", "N/A", "0 (no weights)", "no params", "zero", "None", "—", ""]


@dataclass
class Style:
    """How a student writes numbers: the same in a whole sheet."""

    group: str
    mark: str

    def whole(self, value: int) -> str:
        return f"{value:,}".replace(",", self.group)

    def decimal(self, value: Fraction, digits: int) -> tuple[str, Fraction]:
        """Return the number with so many decimals, and its value then."""
        scaled = round(value * 10**digits)
        text = str(abs(scaled)).rjust(digits + 1, "0")
        whole, rest = (text[:-digits], text[-digits:]) if digits else (text, "")
        return whole + (self.mark + rest if digits else ""), Fraction(scaled, 10**digits)


STYLES = [
    Style(",", "."),
    Style("", "."),
    Style(" ", "."),
    Style("'", "."),
    Style("_", "."),
    Style(".", ","),
    Style("", ","),
]


class Writer:
    """Writes answers in random ways."""

    def __init__(self, draw: random.Random, style: Style, last: bool, grouped: bool) -> None:
        self.draw, self.style, self.last, self.grouped = draw, style, last, grouped
        self.exact = False
        """True if a rounded number has at least three digits, so that no rounding makes another number of it."""

    def one(self, values: Any) -> Any:
        return self.draw.choice(list(values))

    def integer(self, value: int) -> str:
        return self.style.whole(value) if self.grouped and self.draw.random() < 0.6 else str(value)

    # -- amounts

    def amount(self, value: int, memory: bool, heading: int | Fraction | None) -> str:
        """Write a number, right to the digits that are written."""
        if value == 0:
            return self.one(NOTHING[:-1])
        units = BYTE_UNITS if memory else COUNT_UNITS
        if heading is not None:  # a power of ten below `(M)` says two things
            units = [unit for unit in units if "10" not in unit[0] and unit[0] != "e6"]
        ways: list[Callable[[int], str | None]] = [self.with_unit(units)] * 2
        if heading is None or heading == 1:
            ways += [self.plain, self.plain, self.product, self.scientific, self.decorated]
            if not memory:
                ways += [self.repeated, self.words, self.worked]
        else:
            ways += [self.scaled(heading)] * 6
        for _ in range(50):
            text = self.one(ways)(value)
            if text is not None:
                return text
        return f"{value} B" if memory else str(value) if heading in (None, 1) else f"{value}e0 params"

    def plain(self, value: int) -> str:
        return self.integer(value)

    def decorated(self, value: int) -> str:
        text = self.integer(value)
        full = text.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
        return self.one(
            [f"**{text}**", f"`{text}`", f"${text.replace(',', '{,}')}$", f" {text} ", full, f"= {value}"[2:]]
        )

    def scientific(self, value: int) -> str | None:
        exponent = len(str(value)) - 1
        digits = self.draw.randint(2, 6)
        if exponent < 3:
            return None
        text, _ = self.style.decimal(Fraction(value, 10**exponent), digits)
        raised = str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return text + self.one(
            [
                f"e{exponent}",
                f"E+{exponent:02}",
                f"×10^{exponent}",
                f" * 10^{exponent}",
                f"·10{raised}",
                f" x 10^{exponent}",
            ]
        )

    def factors(self, value: int) -> list[int]:
        found, left = [], value
        for prime in (2, 2, 3, 3, 5, 5, 7, 7, 11, 11, 13, 2, 2):
            if left % prime == 0 and left > prime:
                found.append(prime)
                left //= prime
        return [*found, left]

    def product(self, value: int) -> str:
        times = self.one(["*", " * ", "×", " x ", "·", "x", r" \times ", " ⋅ "])
        addend = self.draw.randint(1, 99)
        kind = self.draw.randint(0, 4)
        factors = self.factors(value)
        joined = times.join(map(str, factors))
        if kind == 1 and value > addend:
            return f"{times.join(map(str, self.factors(value - addend)))} + {addend}"
        if kind == 2:
            return f"{value * 8}/8"
        if kind == 3 and factors[-1] > 3:
            return f"({factors[-1] - 1}+1){times}{times.join(map(str, factors[:-1])) or 1}"
        if kind == 4 and factors.count(2) > 1:
            rest = [
                str(factor)
                for at, factor in enumerate(factors)
                if at not in [i for i, f in enumerate(factors) if f == 2][:2]
            ]
            return times.join([self.one(["2²", "2^2", "2**2"]), *rest])
        return joined if len(factors) > 1 else f"{value - 1} + 1"

    def worked(self, value: int) -> str:
        return f"{self.product(value)} = {self.integer(value)}"

    def words(self, value: int) -> str | None:
        if value < 100:
            return f"{value} params"
        bias = self.draw.randint(1, value // 2)
        return self.one([f"{value} params", f"{value - bias} weights + {bias} biases", f"{value - bias}+{bias}"])

    def repeated(self, value: int) -> str | None:
        if value < 1000:
            return None
        short, _ = self.style.decimal(Fraction(value, 1000), 1)
        return f"{self.integer(value)} ({short}K)"

    def with_unit(self, units: list[tuple[str, Any]]) -> Callable[[int], str | None]:
        def write(value: int) -> str | None:
            unit, size = self.one(units)
            text = self.in_millions(Fraction(value) / size) if size >= MEGA else self.number(Fraction(value) / size)
            return None if text is None else (self.one(ABOUT) if self.draw.random() < 0.2 else "") + text + unit

        return write

    def scaled(self, size: int | Fraction) -> Callable[[int], str | None]:
        return lambda value: self.number(Fraction(value) / size)

    def number(self, value: Fraction) -> str | None:
        """Write a number in a unit, with 0 to 2 or 4 decimals; a decimal mark before three digits says two things."""
        digits = self.one([0, 1, 2, 4])
        text, written = self.style.decimal(value, digits)
        if self.exact and abs(written) * 10**digits < 100:
            return None
        if written == 0 or (digits == 0 and value != written and value < 10):
            return None
        return text

    def in_millions(self, value: Fraction) -> str | None:
        """Write a number of millions, sometimes with a decimal mark before three digits, as a calculator shows it."""
        if self.draw.random() < 0.3 and 1 <= value < 1000 and not self.exact:
            return self.style.decimal(value, 3)[0].replace(",", self.one([",", "."]))
        return self.number(value)

    # -- shapes

    def shape(self, shape: tuple[int, ...]) -> str:
        if len(shape) == 1:
            (size,) = shape
            ways = [
                "{}",
                "({},)",
                "(None, {})",
                "[N, {}]",
                "[-1, {}]",
                "B x {}",
                "1x1x{}",
                "{}x1x1",
                "{} neurons",
                "torch.Size([1, {}])",
            ]
            return str(self.one([*ways, "{} units", "(batch, {})", "[{}]"])).format(size)
        c, h, w = shape
        sizes = (h, w, c) if self.last else (c, h, w)
        mark = self.one(["x", "×", " x ", ", ", "*", "·", " by ", "; ", "@", " х "])
        plain = mark.join(map(str, sizes))
        commas = ", ".join(map(str, sizes))
        square = f"{h}^2 x {c}" if self.last else f"{c} x {h}²"
        ways = [
            plain,
            f"({commas})",
            f"[{commas}]",
            f"(None, {commas})",
            f"[N, {commas}]",
            f"[-1, {commas}]",
            f"({commas},)",
        ]
        ways += [
            f"torch.Size([1, {commas}])",
            f"B x {mark.join(map(str, sizes))}",
            f"{plain} = {c * h * w}",
            f"TensorShape([{commas}])",
        ]
        ways += [
            f"C={c}, H={h}, W={w}",
            f"H={h}, W={w}, C={c}",
            f"{h}×{w}, {c} channels",
            f"{c} maps of {h}x{w}",
            f"{h}x{w} ({c} maps)",
        ]
        ways += [
            f"HxWxC = {h}x{w}x{c}",
            f"C×H×W: {c}×{h}×{w}",
            f"**{plain}**",
            rf"${h} \times {w} \times {c}$" if self.last else plain,
        ]
        if h == w:
            ways.append(square)
        return str(self.one(ways))

    def extent(self, sizes: tuple[int, ...]) -> str:
        h, w = sizes
        ways = [f"{h}x{w}", f"{h} × {w}", f"({h}, {w})", f"{h}x{w} px", f"H={h}, W={w}"]
        return str(self.one([*ways, str(h), f"{h}²", f"({h}-1)/1+1 = {h}"] if h == w else ways))


def sheet_of(key: AnswerKey, draw: random.Random, spoil: bool) -> tuple[str, set[tuple[str, str]]]:
    """Return a sheet as text, and its spoilt cells by row and question."""
    comma = draw.random() < 0.3
    style = draw.choice(STYLES[-2:] if comma else STYLES[:-2])
    delimiter = ";" if comma else draw.choice([",", "\t", ";", "md"])
    # In a file with semicolons a lone mark before three digits says nothing, where no other number tells.
    grouped = bool(style.group) and (style.group not in ",." or delimiter not in ";")
    writer = Writer(draw, style, draw.random() < 0.5, grouped)
    headings, units = {}, {}
    for question in key.questions:
        memory = question.kind is MEMORY
        headings[question.key], units[question.key] = draw.choice(HEADINGS[question.key]), None
        if question.has_total and draw.random() < 0.4:
            unit, size = draw.choice(HEADING_UNITS[memory])
            headings[question.key] += f" {unit}"
            units[question.key] = size
        elif question.key in GLUED and draw.random() < 0.4:
            glued = draw.choice(GLUED[question.key])
            headings[question.key], units[question.key] = glued, SIZES[glued[0]]
    apart = draw.random() < 0.4
    name = draw.choice([str, str.upper, str.title, None])
    rows: list[list[str]] = [["Layer", *(headings[question.key] for question in key.questions)]]
    spoilt: set[tuple[str, str]] = set()
    entries = [part for row in key.layers for part in (_parts(row) if apart else [row])]
    for row in entries:
        cells = []
        for question in key.questions:
            truth = key.answer(row, question)
            if truth is None:
                cells.append("")
                continue
            if spoil and draw.random() < 0.3:
                text = wrong(writer, question, truth, units[question.key])
                if text is not None:
                    spoilt.add((row.name, question.key))
                    cells.append(text)
                    continue
            cells.append(right(writer, question, truth, units[question.key]))
        called = draw.choice(CALLED[row.head.layer.op.kind]) if name is None else name(row.name)
        rows.append([called, *cells])
    if delimiter == "md":
        lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in row) + " |" for row in rows]
        return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n", spoilt
    return "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows) + "\n", spoilt


def _parts(row: Any) -> Iterator[Any]:
    from archcalc.analysis.rows import TableRow

    return (TableRow(costs.name, [costs]) for costs in row.layers)


def right(writer: Writer, question: Any, truth: Any, heading: Any) -> str:
    """Write the truth."""
    writer.exact = False
    if question.has_total:
        return writer.amount(truth, question.kind is MEMORY, heading)
    if question.key == "output":
        return writer.shape(tuple(truth))
    if question.key == "rf":
        return "all" if isinstance(truth, str) else str(truth[0])
    return writer.extent(tuple(truth)) if isinstance(truth, tuple) else str(truth)


def wrong(writer: Writer, question: Any, truth: Any, heading: Any) -> str | None:
    """Write something else than the truth; None if no wrong answer is drawn."""
    draw = writer.draw
    writer.exact = True
    if question.has_total:
        memory = question.kind is MEMORY
        if truth == 0:
            return writer.amount(draw.randint(1, 10**6), memory, heading)
        if draw.random() < 0.1:
            return draw.choice(["-", "none", "n/a", "?", "0" if heading is None else "–"])
        factor = draw.choice(
            [
                Fraction(2),
                Fraction(1, 2),
                Fraction(1000),
                Fraction(1024, 1000),
                Fraction(3, 4),
                Fraction(8),
                Fraction(11, 10),
            ]
        )
        value = (
            truth * factor
            if draw.random() < 0.6
            else Fraction(truth + draw.choice([-1, 1]) * draw.randint(1, max(truth // 3, 2)))
        )
        if value.denominator != 1 or value <= 0 or abs(value - truth) * 15 < truth:  # not within any rounding
            return None
        return writer.amount(int(value), memory, heading)
    if question.key == "rf":
        return None if isinstance(truth, str) else str(truth[0] + draw.choice([-1, 1, 2]))
    sizes = list(truth) if isinstance(truth, tuple) else [truth]
    at = draw.randrange(len(sizes))
    sizes[at] += draw.choice([1, 2, sizes[at], 10])
    if sorted(sizes) == sorted(truth if isinstance(truth, tuple) else [truth]):
        return None
    if question.key == "output":
        return writer.shape(tuple(sizes))
    return writer.extent(tuple(sizes)) if isinstance(truth, tuple) else str(sizes[0])


def keys() -> Iterator[AnswerKey]:
    """Yield a key for every network and set of questions."""
    for name in NETWORKS:
        analysis = archcalc.load(name).analyze()
        for ask in ASKS:
            questions = asked(ask)
            yield AnswerKey(analysis, questions, points_of("", questions))


def judged(key: AnswerKey, seed: int, spoil: bool, folder: Path) -> tuple[str, GradedSheet, set[tuple[str, str]]]:
    """Return a random sheet, its grade, and its spoilt cells."""
    text, spoilt = sheet_of(key, random.Random(seed), spoil)
    path = folder / "answers.csv"
    path.write_text(text, encoding="utf-8")
    return text, Grader(key, reveal=False).grade(path), spoilt


def faults(key: AnswerKey, seed: int, spoil: bool, folder: Path) -> list[str]:
    """Return what is graded unfairly in a random sheet."""
    text, sheet, spoilt = judged(key, seed, spoil, folder)
    if sheet.problem is not None:
        return [f"seed {seed}: {sheet.problem}\n{textwrap.shorten(text, 200)}"]
    found = []
    for row in sheet.rows:
        for cell in row.cells:
            is_wrong = (row.name, cell.column) in spoilt
            unfair = cell.verdict is Verdict.RIGHT if is_wrong else not spoil and cell.verdict is not Verdict.RIGHT
            if unfair:
                said = "wrong answer" if is_wrong else "honest answer"
                where = f"seed {seed}: {key.network.name} {row.name} {cell.column}"
                found.append(f"{where}: {said} {cell.written!r} is {cell.verdict.value}; {cell.feedback}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--honest", type=int, default=0, help="sheets of honest answers")
    parser.add_argument("--wrong", type=int, default=0, help="sheets with wrong answers")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    every = list(keys())
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for spoil, count in ((False, options.honest), (True, options.wrong)):
            found = []
            for index in range(count):
                found += faults(every[index % len(every)], options.seed * 1_000_000 + index, spoil, Path(folder))
            print("\n".join(found[:40]))
            print(f"{count:,} {'wrong' if spoil else 'honest'} sheets: {len(found)} cells graded unfairly")
            total += len(found)
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main())
