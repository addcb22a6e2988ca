"""Random command lines: every command, with options drawn from its own declarations, and values right and wrong.

Every command line is to end with exit code 0, 1 or 2. A user's mistake is told in words; a traceback is a fault.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.cli import Commands
from archcalc.cli._formats import FORMATS
from archcalc.dtypes import BITS
from archcalc.homework.questions import QUESTIONS
from archcalc.ops import registry
from archcalc.quantities.table import COLUMNS, FORMULAS
from tests.command_line import run

MOST_SECONDS = 60
NASTY = (
    *("", " ", ",", "=", "-", "--", "a=b", "=1", "x", "é", "名", "a\nb", "\x1b[31m", "\udcff", "%s", "{}", "*", "a b"),
    *("0", "-1", "1", "2", "3,8,8", "1e999", "nan", "inf", "9" * 30, "1" * 5000, "1.5", "1/3", "٣", "²", "0x10", "1_0"),
    *("[1,2]", "{a: 1}", "!!python/name:os", "&a [*a]", "((((", "lambda: 0", "10**10**10", "(" * 300, "None", "true"),
    *("nosuch", "nosuch.yaml", "folder", "/", ".", "..", "/dev/null", "alexnet#x", "#", "tiny.yaml#", "a/b.csv"),
    *("conv 3x3 C->C", "conv(", "C->", "name,", ",name", "name,name", "help", "-params", "--", "H=", "all"),
)
"""Values that somebody may give to any option."""
FILES = {
    "tiny.yaml": "input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, name: c}, relu, flatten, {linear: 10}]\n",
    "open.yaml": "params: {w: 4, n: 2}\ninput: [3, H, W]\nlayers:\n- {conv: w, kernel: 3, padding: 1, repeat: n}\n"
    "- global_avg_pool\n- flatten\n",
    "two.yaml": "inputs: {a: [3, 8, 8], b: [3, 8, 8]}\nlayers:\n- {add, from: [a, b]}\n"
    "- side: [{conv: 2, kernel: 1}]\n- relu\n",
    "text.yaml": "input: [7]\nlayers: [{embedding: 8, entries: 50}, layer_norm, {linear: 3}]\n",
    "broken.yaml": "input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 30}, cnv]\n",
    "cyclic.yaml": "extends: cyclic.yaml\n",
    "answers.csv": "layer,output,params (K),flops (M)\nc,4x8x8,0.1,x\nrelu,,,\n",
    "answers.md": "| layer | memory |\n|---|---|\n| c | 1 KB |\n",
    "answers.json": '[{"layer": "c", "params": 112}]',
    "budget.txt": "params <= 5\n# nothing\nrf >= 3\n",
    "profile.json": '{"name": "x", "peak_flops": {"float32": 1e12}, "bandwidth": 1e9, "overhead": 0}',
}
SPACES = (
    {"network": ("lenet5",), "layer": ("conv1", "fc1"), "over": ("N=1,2",)},
    {"network": ("tiny.yaml",), "layer": ("c", "relu1", "linear1"), "inputs": ("3,9,9", "input=3,6x6")},
    {"network": ("two.yaml",), "layer": ("add1", "relu1"), "inputs": ("a=3,8,8",)},
    {"network": ("text.yaml",), "layer": ("layer_norm1",), "inputs": ("9",)},
    {
        "network": ("open.yaml",),
        "layer": ("0", "flatten1"),
        "inputs": ("3,8,8", "3,9x5"),
        "settings": ("w=8", "n=3", "w=1/3", "n=0", "w=[1]", "n=-1", "w='x'", "H=7"),
        "lets": ("H=h", "w=k", "W=2*v", "n=m", "H=h*h", "w=1/k", "H=w"),
        "over": ("w=1,2,4", "H=8:16:4", "n=1:3", "W=8", "w=1/2,2", "n=a,b", "n=0,1", "H=-3:3"),
        "keep": ("params <= 5000", "macs > params", "w == 4", "1 / 0 > w", "w", "w in [1]", "params < w < 9"),
        "per": ("w", "H,W"),
        "pareto": ("w",),
    },
    {"network": ("conv 3x3 C->C", "conv(5, C->2*C), relu", "linear C->C/4")},
    {"network": ("broken.yaml", "cyclic.yaml")},
)
"""Networks, each with the values that make sense for it."""
TEXTS: dict[str, tuple[str, ...]] = {
    "assertion": ("params <= 5e6", "output == [10]", "rf >= 1", "layer['c'].macs < 3", "1 / 0 < 2", "x in y", "a <"),
    "names": tuple(registry()),
    "files": tuple(FILES),
    "answers": ("answers.csv", "answers.md", "answers.json", "folder"),
    "file": ("budget.txt",),
    "convention": tuple(CONVENTIONS),
    "dtype": tuple(BITS),
    "columns": ("help", "name,output,params", ",".join(COLUMNS)),
    "quantity": ("output", "params,macs", "receptive", "memory,flops"),
    "of": ("params,macs", "memory", "output_elements,rf", ",".join(FORMULAS)),
    "pareto": ("params,-macs", "params"),
    "best": ("params", "-macs"),
    "sort": ("params", "-macs"),
    "ask": ("output,params", ",".join(QUESTIONS), "rf"),
    "points": ("params=2", "output=0.5,params=1"),
    "tolerance": ("digits", "cut", "exact", "2%", "200%"),
    "out_of": ("100", "0.5"),
    "mode": ("inference", "training"),
    "optimizer": ("none", "sgd", "momentum", "adam"),
    "budget": ("1GB", "1B", "24GiB"),
    "room": ("1GB", "1B", "64kB"),
    "unit": ("0,0", "3,3", "0", "99,99"),
    "metric": ("memory,params", "flops", "macs"),
    "topic": ("conv", "pool,rf", "chain"),
    "reference": ("h100", "profile.json"),
    "batch": ("1,2", "any", "1"),
    "on": ("*", "c", "*conv*", "fc1"),
}
"""Values that make sense for a text, by the parameter's name."""
ALWAYS = {"jobs": "1", "count": "2", "reference": "h100"}
"""Options whose other values take time or processes. `bench` predicts for a device that is not here."""
TOGETHER = {
    "lora": "on",
    "on": "lora",
    "seed": "sample",
    "visibility": "gradescope",
    "out_of": "gradescope",
    **dict.fromkeys(("optimizer", "accumulate", "clip", "devices"), "mode"),
}
"""Options that are refused without another one, which is then given too."""
NEVER = ("dask", "calibrate", "device", "help")


def prepare(folder: Path) -> None:
    """Write the files that command lines name, into an empty folder."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "folder").mkdir()


def lines(count: int, seed: int) -> Iterator[list[str]]:
    """So many command lines; the same for the same seed."""
    group = Commands()
    commands = {
        name: group.get_command(click.Context(click.Command("archcalc")), name) for name in group.list_commands(None)
    }
    # One runs PyTorch, one computes every bundled network, and one does not end by itself.
    del commands["verify"], commands["list"], commands["serve"]
    for number in range(count):
        rng = random.Random(f"{seed}-{number}")
        name = rng.choice(list(commands))
        yield [name, *Line(rng).words(commands[name])]


class Line:
    """One command line: about one network, with more or fewer options and nasty values."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.values = {name: TEXTS.get(name, ()) + more for name, more in rng.choice(SPACES).items()}
        self.values = {**TEXTS, **self.values}
        self.nasty = rng.choice((0, 0, 0, 0.05, 0.2))
        self.more = rng.choice((0.05, 0.1, 0.3))
        """How likely an option is."""

    def words(self, command: click.Command) -> list[str]:
        words: list[str] = []
        chosen = self.chosen(command)
        for parameter in command.params:
            name = parameter.name or ""
            if isinstance(parameter, click.Argument):
                wanted = parameter.required or name in ("networks", "answers") or self.rng.random() < 0.5
                times = self.rng.choice((1, 1, 1, 2, 3)) if parameter.nargs == -1 else 1
                words += [self.value(parameter, command) for _ in range(times * wanted)]
                if name == "words":
                    words += self.rng.sample(TEXTS["assertion"], self.rng.choice((0, 1, 2)))
            elif name in ALWAYS:
                words += [parameter.opts[0], self.value(parameter, command) if name == "reference" else ALWAYS[name]]
            elif name in chosen:
                option = self.rng.choice([*parameter.opts, *parameter.secondary_opts])
                words += [option] if getattr(parameter, "is_flag", False) else [option, self.value(parameter, command)]
        return words

    def chosen(self, command: click.Command) -> set[str]:
        """Some options of a command, with those that they need."""
        names = [parameter.name or "" for parameter in command.params if isinstance(parameter, click.Option)]
        likely = ("over", "lets", "inputs")
        chosen = {name for name in names if self.rng.random() < self.more * (3 if name in likely else 1)}
        chosen |= {TOGETHER[name] for name in chosen & TOGETHER.keys()}
        if "seed" in names and "sample" not in names:  # without a seed, each run asks something else
            chosen.add("seed")
        return chosen.difference(NEVER)

    def value(self, parameter: click.Parameter, command: click.Command) -> str:
        """A value of a parameter."""
        name = {"networks": "network", "words": "network"}.get(parameter.name or "", parameter.name)
        if self.rng.random() < self.nasty:
            return self.rng.choice(NASTY)
        if isinstance(parameter.type, click.Choice):
            return str(self.rng.choice(parameter.type.choices))
        if isinstance(parameter.type, (click.IntRange, click.types.IntParamType)):
            return self.rng.choice(("1", "2", "3", "7"))
        if name in self.values:
            return self.rng.choice(self.values[name])
        if name in ("draw", "chart"):
            return "out" + self.rng.choice((".svg", ".png", ".pdf"))
        if name in ("summary", "gradescope", "autograder"):
            return {"summary": "out.csv", "gradescope": "out.json", "autograder": f"new{self.rng.random()}"}[name]
        if name == "output":
            choices = [option for option in command.params if option.name == "format_"]
            formats = choices[0].type.choices if choices else ("html",)  # type: ignore[attr-defined]
            return self.rng.choice(("out", "out", "folder/out", "missing/out")) + self.rng.choice(
                [suffix for name in formats for suffix in FORMATS[name].suffixes]
            )
        return self.rng.choice(NASTY)


class TooSlow(BaseException):
    """A command line takes longer than it may."""


def complaint(words: list[str]) -> str | None:
    """Run a command line and return what is wrong with how it ended, if anything is."""

    def stop(*_: Any) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(MOST_SECONDS)
    start = time.process_time()
    try:
        result = run(*words)
    except TooSlow:
        return f"more than {MOST_SECONDS} s"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if result.code in (0, 1, 2) and "Traceback" not in result.err:
        return None
    return f"exit code {result.code} after {time.process_time() - start:.1f} s\n{result.err}"
