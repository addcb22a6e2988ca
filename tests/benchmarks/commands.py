"""What each command costs at 10,000 layers: `python tests/benchmarks/commands.py [COMMAND…]`.

The processor's time of whole processes, beside `archcalc table` of the same network, and beside the same command at
5,000 layers: 2 where the cost is linear, less where starting takes a part of it, 4 where it is quadratic.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LAYERS = (5_000, 10_000)
TURNS = 3
MOST_SECONDS = 600
BLOCK = """
  - add:
      - - {conv: 8, kernel: 3, padding: 1}
        - batch_norm
        - relu
      - []"""
"""Four layers."""
COMMANDS = {
    "table": "table {net}",
    "table --format json": "table {net} --format json",
    "lint": "lint {net}",
    "rf": "rf {net}",
    "budget": "budget {net} params>0",
    "compare": "compare {net} {net}",
    "compare --conventions": "compare {net} --conventions",
    "formula": "formula {net} --let H=h",
    "worksheet": "worksheet {net}",
    "explain": "explain {net}",
    "memory": "memory {net}",
    "memory --mode training": "memory {net} --mode training",
    "memory --fit": "memory {net} --fit 4GB",
    "memory --checkpoint": "memory {net} --checkpoint 1GB",
    "draw": "draw {net} -o {out}.svg",
    "draw --no-fold, dot": "draw {net} --no-fold -o {out}.dot",
    "plot": "plot {net} -o {out}.svg",
    "report": "report {net} -o {out}.html",
    "export --to spec": "export {net} -o {out}.yaml",
    "export --to torch": "export {net} -o {out}.py",
}


def cost(words: list[str]) -> float | str:
    """Seconds of the processor for one process, or what it said where it failed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        command = [sys.executable, "-m", "archcalc", *words]
        done = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, encoding="utf-8")
    except subprocess.TimeoutExpired:
        return f"more than {MOST_SECONDS} s"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        return done.stderr.strip().splitlines()[-1]
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(chosen: list[str]) -> None:
    """Measure and print the commands that are named, or all."""
    print(f"{'command':24}{'5,000':>9}{'10,000':>9}{'growth':>8}{'× table':>9}")
    with tempfile.TemporaryDirectory() as folder:
        nets = []
        for layers in LAYERS:
            net = Path(folder, f"net{layers}.yaml")
            net.write_text("name: net\ninput: [8, 32, 32]\nlayers:" + BLOCK * (layers // 4) + "\n", encoding="utf-8")
            nets.append(str(net))
        peer = None
        for name, line in COMMANDS.items():
            if chosen and name not in chosen and name != "table":
                continue
            calls = [[word.format(net=net, out=Path(folder, "out")) for word in line.split()] for net in nets]
            turns = [[cost(call) for call in calls] for _ in range(TURNS)]
            failures = [one for turn in turns for one in turn if isinstance(one, str)]
            if failures:
                print(f"{name:24} {failures[0]}", flush=True)
                continue
            small, large = (statistics.median(turn[at] for turn in turns) for at in range(2))
            peer = peer or large
            print(f"{name:24}{small:8.2f}s{large:8.2f}s{large / small:8.2f}{large / peer:9.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
