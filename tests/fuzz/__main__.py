"""`python -m tests.fuzz`: as many random specs, or broken ones, as one likes."""

from __future__ import annotations

import argparse
import sys
import time
import warnings


def main() -> int:
    """Run the fuzzers that are asked for; 1 if one found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    for kind, (_, says) in KINDS.items():
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N", help=says)
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another seed gives other specs")
    options = parser.parse_args()
    asked = {kind: count for kind in KINDS if (count := getattr(options, kind))}
    if not asked:
        *kinds, last = KINDS
        parser.error(f"say how many: {' N, '.join(f'--{kind}' for kind in kinds)} N or --{last} N")
    warnings.simplefilter("ignore")
    start = time.monotonic()
    found = sum(KINDS[kind][0](count, options.seed) for kind, count in asked.items())
    print(f"{time.monotonic() - start:.0f} s")
    return 1 if found else 0


def differential(examples: int, seed: int) -> int:
    """Random specs; the first failure is shrunk, printed and ends the run."""
    import torch
    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded

    from tests.fuzz.properties import check
    from tests.fuzz.specs import specs

    torch.set_num_threads(1)
    checked = 0

    @seeded(seed)
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(specs())
    def run(text: str) -> None:
        nonlocal checked
        check(text)
        checked += 1

    run()
    print(f"{checked:,} random specs agree with PyTorch, fvcore, their formulas and their own exports")
    return 0


def memory(examples: int, seed: int) -> int:
    """The memory of random specs; every one that differs is printed."""
    import torch
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    import archcalc
    from archcalc.runtime.tolerances import EXACT, MEMORY, Measured, tolerance
    from tests.fuzz.properties import check_memory, has_memory
    from tests.fuzz.specs import specs_with_memory

    torch.set_num_threads(1)
    seen: set[str] = set()
    found = 0
    exempt = 0

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(specs_with_memory())
    def run(text: str) -> None:
        nonlocal found, exempt
        if text in seen:
            return
        seen.add(text)
        try:
            network = archcalc.loads(text)
            if not has_memory(network):
                seen.remove(text)
                return
            exempt += any(tolerance(quantity, Measured(network)) != EXACT for quantity in MEMORY)
            check_memory(network)
        except Exception as difference:
            found += 1
            print(f"{type(difference).__name__} {str(difference).splitlines()[0]}\n{text}", flush=True)

    run()
    print(
        f"{len(seen):,} networks, {found} that take other memory in PyTorch {torch.__version__} than is said; "
        f"{exempt:,} have a layer whose memory is only nearly known"
    )
    return found


def refusals(examples: int, seed: int) -> int:
    """Random applications of operators; the first that only archcalc refuses ends the run."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded

    from tests.fuzz.refusals import applications, check_refused

    asked = 0

    @seeded(seed)
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(applications())
    def run(application: tuple) -> None:
        nonlocal asked
        asked += check_refused(application) is True

    run()
    print(f"{examples:,} applications: {asked:,} that archcalc refuses and PyTorch was asked for, it refuses too")
    return 0


def hostile(inputs: int, seed: int) -> int:
    """Broken inputs; every one that is not refused in words is printed."""
    from tests.fuzz.hostile import Watch, broken

    watch = Watch()
    found = 0
    for raw in broken(inputs, seed):
        complaint = watch.complaint(raw)
        if complaint:
            found += 1
            print(f"{complaint}\n{raw!r}\n", flush=True)
    print(
        f"{inputs:,} inputs: {watch.networks:,} networks, {watch.refused:,} refused, {found} faults; the slowest took "
        f"{watch.slowest:.2f} s of CPU, and the most memory was {watch.most_memory / 2**20:.0f} MiB"
    )
    return found


def commands(count: int, seed: int) -> int:
    """Random command lines in a temporary folder; every one that ends in a fault is printed."""
    import os
    import shlex
    import tempfile
    from pathlib import Path

    from tests.fuzz.commands import complaint, lines, prepare

    found = 0
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        before = os.getcwd()
        os.chdir(folder)
        for words in lines(count, seed):
            complained = complaint(words)
            if complained:
                found += 1
                print(f"archcalc {shlex.join(words)}\n{complained}\n", flush=True)
        os.chdir(before)
    print(f"{count:,} command lines, {found} faults")
    return found


def onnx_files(count: int, seed: int) -> int:
    """Broken ONNX files; every one that is not refused in words is printed with its number."""
    import tempfile
    from pathlib import Path

    from tests.fuzz.onnx_files import Watch, broken

    found = 0
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(Path(folder))
        for number, raw in enumerate(broken(count, seed)):
            complaint = watch.complaint(raw)
            if complaint:
                found += 1
                print(f"file {number}, seed {seed}: {complaint}", flush=True)
    print(
        f"{count:,} ONNX files: {watch.networks:,} networks, {watch.refused:,} refused, {found} faults; the slowest "
        f"took {watch.slowest:.2f} s of CPU, and the most memory was {watch.most_memory / 2**20:.0f} MiB"
    )
    return found


def torch_modules(count: int, seed: int) -> int:
    """Random modules; every one that is traced as another is printed."""
    import torch

    from tests.fuzz.modules import complaints, modules

    torch.set_num_threads(1)
    found = 0
    for number, (module, x) in enumerate(modules(count, seed)):
        try:
            complained = complaints(module, x)
        except Exception as error:
            complained = [f"{type(error).__name__} {error}"]
        if complained:
            found += 1
            shape = "×".join(map(str, x.shape[1:]))
            print(f"module {number}, seed {seed}, of {shape}: {module}", *complained, sep="\n  ", flush=True)
    print(f"{count:,} modules, {found} that are traced as others")
    return found


KINDS = {
    "examples": (differential, "random valid specs, against the real tools"),
    "memory": (memory, "random valid specs, their memory alone; finds all that differ"),
    "refusals": (refusals, "random operators: what is refused, PyTorch refuses"),
    "hostile": (hostile, "broken specs and bytes, against the limits"),
    "commands": (commands, "random command lines: a user's mistake is told in words"),
    "onnx": (onnx_files, "broken ONNX files, against the limits"),
    "modules": (torch_modules, "random PyTorch modules, traced"),
}
"""The fuzzers, in the order in which they run, each with what it does."""

if __name__ == "__main__":
    sys.exit(main())
