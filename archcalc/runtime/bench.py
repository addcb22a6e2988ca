"""Inference timed as a whole and layer by layer, beside the prediction of the roofline."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch import fx

from archcalc.network import Network
from archcalc.runtime.benchmark import Benchmark, predict_only
from archcalc.runtime.checks import VerificationTarget
from archcalc.runtime.device_profile import DeviceProfile
from archcalc.runtime.devices import computing_in, release, torch_dtype
from archcalc.runtime.timing import Stopwatch, Timing, measure
from archcalc.structs import replace

LAYER_RUNS = 20
LAYER_SECONDS = 3.0


def bench(
    network: Network,
    batch: int,
    dtype: str,
    device: torch.device,
    profile: DeviceProfile,
    channels_last: bool = False,
) -> Benchmark:
    """Time inference on a device, in PyTorch's memory format or with the channels last.

    The result has a ``failure`` if the device runs out of memory or does not support an operation.
    """
    predicted = predict_only(network, batch, dtype, profile)
    subject = VerificationTarget(network, device, torch_dtype(dtype), batch, channels_last)
    try:
        timing, layers = _measured(subject, dtype)
    except (RuntimeError, MemoryError) as error:
        return replace(predicted, failure=_reason(error))
    finally:
        del subject
        release(device)
    return replace(predicted, timing=timing, layer_seconds=layers)


def _measured(subject: VerificationTarget, dtype: str) -> tuple[Timing, dict[str, float]]:
    """Return the time of a pass, and the seconds of each layer."""
    with computing_in(dtype), torch.inference_mode():
        inputs, module = subject.inputs(), subject.module
        timing = measure(lambda: module(*inputs), subject.device)
        return timing, layer_seconds(module, inputs, subject.device)


def layer_seconds(module: Any, inputs: tuple[torch.Tensor, ...], device: torch.device) -> dict[str, float]:
    """Return the median seconds of each layer, over runs of the whole network layer by layer."""
    timer = _Timer(module, device)
    timer.run(*inputs)  # warm-up
    runs: list[dict[str, float]] = []
    begin = time.perf_counter()
    while len(runs) < LAYER_RUNS and (not runs or time.perf_counter() - begin < LAYER_SECONDS):
        timer.marks.clear()
        timer.run(*inputs)
        runs.append(timer.seconds())
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


class _Timer(fx.Interpreter):
    """Runs a module node by node, and records a time mark before and after each."""

    def __init__(self, module: fx.GraphModule, device: torch.device) -> None:
        super().__init__(module)
        self.stopwatch = Stopwatch(device)
        self.marks: list[tuple[str | None, Any, Any]] = []

    def run_node(self, n: fx.Node) -> Any:
        if n.op not in ("call_module", "call_function"):
            return super().run_node(n)
        begin = self.stopwatch.mark()
        result = super().run_node(n)
        self.marks.append((n.meta.get("layer"), begin, self.stopwatch.mark()))
        return result

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each layer; nodes without a layer count for the next layer."""
        found: dict[str, float] = {}
        before = 0.0
        for name, begin, end in self.marks:
            before += self.stopwatch.seconds(begin, end)
            if name is not None:
                found[name], before = before, 0.0
        return found


def _reason(error: BaseException) -> str:
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or "not enough memory" in str(error):
        return "out of memory"
    return str(error).strip().partition("\n")[0] or type(error).__name__
