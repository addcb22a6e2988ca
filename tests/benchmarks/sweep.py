"""How many points a second a sweep computes: `python tests/benchmarks/sweep.py`.

ResNet-50 over (H, width): closed forms over arrays, against a loop of `archcalc.load(…).analyze()` and against fvcore
on torchvision's own model. Medians of runs that take turns; each computes parameters and multiply-adds.
"""

from __future__ import annotations

import logging
import statistics
import time
import warnings

import archcalc
from archcalc.sweep.space import Sweep, SweepPlan, parse_axis

RUNS = 3
GRID = SweepPlan("resnet50", (parse_axis("H=64:2111"), parse_axis("width=1:9765")))
SIZES = [(size, width) for size in (96, 160, 224) for width in (32, 64, 96)]


def arrays() -> float:
    """Points a second by closed forms, tracing included."""
    start = time.perf_counter()
    sweep = Sweep(GRID)
    points = sum(sweep.compute(chunk).kept for chunk in GRID.chunks())
    return points / (time.perf_counter() - start)


def loop() -> float:
    """Points a second by an analysis of each."""
    start = time.perf_counter()
    for size, width in SIZES:
        totals = archcalc.load("resnet50", input=(3, size, size), width=width).analyze().totals
        assert totals.params * totals.macs
    return len(SIZES) / (time.perf_counter() - start)


def fvcore() -> float:
    """Points a second by fvcore, which runs the model; building it is not counted."""
    import torch
    import torchvision
    from fvcore.nn import FlopCountAnalysis, parameter_count

    model = torchvision.models.resnet50(weights=None).eval()
    sizes = (96, 160, 224)
    start = time.perf_counter()
    for size in sizes:
        assert FlopCountAnalysis(model, torch.zeros(1, 3, size, size)).total()
        assert parameter_count(model)[""]
    return len(sizes) / (time.perf_counter() - start)


def main() -> None:
    """Print the three, and the ratios."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    found: dict[str, list[float]] = {"closed forms over arrays": [], "loop over points": [], "fvcore": []}
    for _ in range(RUNS):
        for name, measure in zip(found, (arrays, loop, fvcore), strict=True):
            found[name].append(measure())
    rates = {name: statistics.median(values) for name, values in found.items()}
    print(f"{GRID.points:,} points of resnet50 in (H, width)")
    for name, rate in rates.items():
        ratio = rates["closed forms over arrays"] / rate
        print(f"{name:26} {rate:16,.1f} points/s   arrays are {ratio:,.0f} times as fast")


if __name__ == "__main__":
    main()
