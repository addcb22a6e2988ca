"""`archcalc verify`: networks compared with PyTorch and the counting tools, one after another."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from archcalc.analysis import Counting, analyze
from archcalc.memory.estimating import estimated
from archcalc.memory.inference import peak
from archcalc.memory.summary import fit
from archcalc.memory.training import saved_tensor_bytes, training_peak
from archcalc.network import Network
from archcalc.requirements import installed
from archcalc.runtime.calibration import measured_peak
from archcalc.runtime.checks import CHECKS, Check, VerificationTarget
from archcalc.runtime.devices import available_memory, computing_in, device_name, driver_version, release, torch_dtype
from archcalc.runtime.memory import inference_peak, saved_bytes
from archcalc.runtime.memory import training_peak as measured_training_peak
from archcalc.runtime.reference import reference_module
from archcalc.runtime.timing import take_turns
from archcalc.runtime.tolerances import Measured, Tolerance, tolerance
from archcalc.structs import Struct
from archcalc.units import BYTES, in_words

COMPARED_WITH = ("torchvision", "timm", "transformers", "fvcore")
"""Packages whose versions are reported."""
COUNTED_IN = torch.float32
"""Dtype of the counting tools; counts do not depend on it."""
_BYTES_ALONE, _BYTES_WITH_REFERENCE = 4 + 4, 4 + 8 + 8
"""Bytes for each parameter that verification holds at once."""


class Settings(Struct):
    """How networks are verified."""

    device: torch.device
    dtype: str = "float32"
    batch: int = 1
    channels_last: bool = False


def environment(device: torch.device) -> dict[str, Any]:
    """Return device, driver and versions, which measured numbers depend on."""
    on_cuda = device.type == "cuda"
    return {
        "device": str(device),
        "name": device_name(device),
        "driver": driver_version() if on_cuda else None,
        "cuda": torch.version.cuda if on_cuda else None,
        "torch": torch.__version__,
        **installed(COMPARED_WITH),
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }


@dataclass
class Verification:
    """The result for one network."""

    network: str
    checks: list[Check] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Why verification stopped: out of memory, an unsupported operation, an invalid reference; empty if it did not."""

    @property
    def passed(self) -> bool:
        """True if every difference is within its tolerance and there was no problem."""
        counted = all(check.passed is not False for check in self.checks)
        return not self.problem and counted and all(figures["within"] is not False for figures in self.memory.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**vars(self), "checks": [asdict(check) for check in self.checks], "passed": self.passed}


def verify(
    networks: Sequence[Network], settings: Settings, before: Callable[[str], None] = lambda name: None
) -> Iterator[Verification]:
    """Verify networks in order; ``before`` is called with the name of each first.

    A network that does not fit into memory or that the device does not support gets a ``problem``; the others continue.
    One whose weights alone do not fit is not built.
    """
    device_peak = measured_peak(settings.device, settings.dtype)
    for network in networks:
        before(network.name)
        result = Verification(network.name, problem=_too_large(network, settings.device))
        if result.problem:
            yield result
            continue
        try:
            _verify(network, settings, device_peak, result)
        except torch.OutOfMemoryError:
            result.problem = _out_of_memory(network, settings)
        except (RuntimeError, NotImplementedError, ValueError) as error:
            result.problem = str(error).strip().splitlines()[0][:300]
        release(settings.device)
        yield result


def _too_large(network: Network, device: torch.device) -> str:
    """Return a problem if the weights that verification holds at once do not fit into memory; empty if they do.

    Those are the module's and their gradients in float32, or the module's and, in float64, two copies for the outputs
    of the reference. Modules are built in the machine's memory, and then moved to the device.
    """
    needed = analyze(network).totals.params * (_BYTES_WITH_REFERENCE if network.about.reference else _BYTES_ALONE)
    for place, name in ((torch.device("cpu"), "memory"), (device, f"memory of {device}")):
        available = available_memory(place)
        if available is not None and needed > available:
            return (
                f"not built: its weights take {in_words(needed, BYTES)} in verification, "
                f"and {in_words(available, BYTES)} of {name} are free"
            )
    return ""


def _verify(network: Network, settings: Settings, device_peak: float, result: Verification) -> None:
    counted = VerificationTarget(network, settings.device, COUNTED_IN, 1)
    for check in CHECKS:
        result.checks.append(check(counted))
    del counted
    dtype = torch_dtype(settings.dtype)
    subject = VerificationTarget(network, settings.device, dtype, settings.batch, settings.channels_last)
    guessed = dict.fromkeys(estimated(network).values())
    if guessed:
        result.checks.append(Check("memory", None, note=f"memory of {', '.join(guessed)} is estimated"))
    else:
        result.memory = _memory(subject, settings)
    result.timing = _timing(subject, settings, device_peak)


def _memory(subject: VerificationTarget, settings: Settings) -> dict[str, dict[str, Any]]:
    """Compare peak memory of inference and training, and the saved tensors; all without parameters.

    Training is measured with at least two samples, because batch normalization needs them.
    """
    module, images = subject.module, subject.inputs()
    inference = peak(analyze(subject.network, Counting(settings.batch, settings.dtype))).live_bytes
    several = max(2, settings.batch)
    samples = subject.inputs(batch=several)
    analysis = analyze(subject.network, Counting(several, settings.dtype))
    saved, step = saved_tensor_bytes(analysis), training_peak(analysis, "none").live_bytes
    measures: dict[str, tuple[int, int, Callable[[], int]]] = {
        "inference": (inference, settings.batch, lambda: inference_peak(module, images)),
        "saved": (saved, several, lambda: saved_bytes(module, samples)),
        "training": (step, several, lambda: measured_training_peak(module, samples)),
    }
    device, dtype, channels_last = settings.device.type, settings.dtype, settings.channels_last
    return {
        quantity: {
            "batch": batch,
            **_beside(
                predicted, measure, tolerance(quantity, Measured(subject.network, device, dtype, batch, channels_last))
            ),
        }
        for quantity, (predicted, batch, measure) in measures.items()
    }


def _beside(predicted: int, measure: Callable[[], int], allowed: Tolerance) -> dict[str, Any]:
    """Return predicted and measured bytes; measured is None if the device runs out of memory."""
    try:
        measured = measure()
    except torch.OutOfMemoryError:
        measured = None
    return {
        "predicted_bytes": predicted,
        "measured_bytes": measured,
        "ratio": predicted / measured if measured else None,
        "within": None if measured is None else allowed.admits(predicted, measured),
        "tolerance": allowed._asdict(),
    }


def _timing(subject: VerificationTarget, settings: Settings, device_peak: float) -> dict[str, Any]:
    """Time a pass of the network and of its reference; rates as a share of the peak of a matrix product."""
    images = subject.inputs()
    actions = [lambda: subject.module(*images)]
    name = subject.network.about.reference
    if name:
        reference = subject.placed(reference_module(name), subject.dtype)
        actions.append(lambda: reference(*images))
    with torch.inference_mode(), computing_in(settings.dtype):
        mine, *theirs = take_turns(actions, settings.device)
    result: dict[str, Any] = {
        "seconds": mine.median,
        "spread": mine.spread,
        "runs": mine.runs,
        "images_per_second": settings.batch / mine.median,
        "flops_per_second": subject.analyze("torch").totals.flops / mine.median,
        "device_peak": device_peak,
        "share_of_peak": subject.analyze("torch").totals.flops / mine.median / device_peak,
    }
    for reference_timing in theirs:
        result["reference_seconds"] = reference_timing.median
        result["ratio_to_reference"] = mine.median / reference_timing.median
    return result


def _out_of_memory(network: Network, settings: Settings) -> str:
    """Return the problem, with the largest batch that fits by archcalc's prediction."""
    if settings.device.type != "cuda":
        return f"out of memory at batch {settings.batch}"
    free = torch.cuda.mem_get_info(settings.device)[0]
    fits = fit(analyze(network, Counting(dtype=settings.dtype)), free).batch
    return f"out of memory at batch {settings.batch}; the largest predicted batch is {fits}"
