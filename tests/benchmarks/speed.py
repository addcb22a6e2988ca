"""How fast archcalc is, as ratios to peers in the same run: `python tests/benchmarks/speed.py`.

Every figure is a median; the two sides of a ratio take turns, so that a change in the machine's speed meets both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

FVCORE = """
import warnings; warnings.simplefilter("ignore")
import logging; logging.disable(logging.WARNING)
import torch, torchvision
from fvcore.nn import FlopCountAnalysis
print(FlopCountAnalysis(torchvision.models.resnet152(weights=None).eval(), torch.zeros(1, 3, 224, 224)).total())
"""
ARCHCALC = [str(Path(sys.executable).with_name("archcalc")), "table", "resnet152"]


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def process(command: list[str]) -> Callable[[], object]:
    """An action that runs a whole process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )


def compare(
    one: Callable[[], object], other: Callable[[], object], turns: int, in_a_row: int = 1
) -> tuple[float, float]:
    """Medians of both, in turns, each so often in a row, after one warm-up."""
    one(), other()
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(turns):
        mine += [seconds(one) for _ in range(in_a_row)]
        theirs += [seconds(other) for _ in range(in_a_row)]
    return statistics.median(mine), statistics.median(theirs)


def chain(layers: int) -> str:
    """A spec of so many plain convolutions."""
    step = "  - {conv: 8, kernel: 3, padding: 1}\n"
    return "name: chain\ninput: [8, 32, 32]\nlayers:\n" + step * layers


def report(what: str, mine: float, peer: float, ratio: float, bound: str) -> None:
    """One line of the result."""
    print(f"{what:70} {1000 * mine:9.1f} ms {1000 * peer:9.1f} ms  ratio {ratio:7.2f}  ({bound})")


def main() -> None:
    """Measure and print all figures."""
    import torch
    import torchvision
    from fvcore.nn import FlopCountAnalysis

    import archcalc
    from archcalc.language.library import open_spec

    print(f"{'what':70} {'archcalc':>12} {'peer':>12}")
    mine, peer = compare(process(ARCHCALC), process([sys.executable, "-c", FVCORE]), 3)
    report(
        "(a) process: table resnet152 / fvcore on torchvision's", mine, peer, peer / mine, "at least 20 times faster"
    )
    mine, peer = compare(process(ARCHCALC), process([sys.executable, "-c", "import click, yaml"]), 21)
    report("(b) process: table resnet152 / python -c 'import click, yaml'", mine, peer, mine / peer, "at most 2.5")

    module, image = torchvision.models.resnet50(weights=None).eval(), torch.zeros(1, 3, 224, 224)
    warnings.simplefilter("ignore")

    def fvcore() -> int:
        count = FlopCountAnalysis(module, image)
        count.unsupported_ops_warnings(False)
        return count.total()

    mine, peer = compare(lambda: archcalc.load("resnet50").analyze().totals, fvcore, 15)
    report(
        "(c) in process: load + analyze resnet50 / fvcore's call", mine, peer, peer / mine, "at least 50 times faster"
    )
    mine, peer = compare(lambda: archcalc.load("resnet50").analyze().totals, fvcore, 5, in_a_row=5)
    report("    the same, five calls of each in a row", mine, peer, peer / mine, "no bound")
    mine, peer = compare(lambda: archcalc.load("resnet50").analyze().unaligned, fvcore, 15)
    report("    the same, with all receptive fields", mine, peer, peer / mine, "no bound")
    path = Path(__file__).resolve().parents[2] / "specs" / "resnet.yaml"
    mine, peer = compare(lambda: open_spec(path).network("resnet50").analyze().totals, fvcore, 15)
    report("    the same, reading the file anew each time", mine, peer, peer / mine, "no bound")
    long, short = chain(10_000), chain(1_000)
    mine, peer = compare(
        lambda: archcalc.loads(long).analyze().totals, lambda: archcalc.loads(short).analyze().totals, 5
    )
    report("(d) in process: chain of 10,000 convolutions / of 1,000", mine, peer, mine / peer, "at most 11")


if __name__ == "__main__":
    main()
