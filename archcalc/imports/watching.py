"""A watch over an export: a module that takes its samples one by one would be followed 7,919 times."""

from __future__ import annotations

import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archcalc.errors import UserError
from archcalc.imports.batch import BATCH, has_batch
from archcalc.imports.recording import replaced
from archcalc.words import help_line

MOST_CALLS, MOST_SECONDS = 30_000, 300.0
"""Calls of PyTorch's functions in one export, and seconds of the processor: more than any known network takes."""
MOST_SAMPLES = 50
"""Samples that may be taken out of a batch, such as the first one, before it is a loop over all."""
_PARTS = frozenset([Tensor.unbind, torch.unbind, Tensor.split, torch.split, Tensor.chunk, torch.chunk])
_TAKING = frozenset([Tensor.__getitem__, Tensor.select, torch.select, Tensor.narrow, torch.narrow])


class Endless(UserError):
    """A module makes more calls than are followed."""


class Watch(TorchFunctionMode):
    """Raises `Endless` in a module that makes too many calls, or that takes the samples of its batch one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.taken = 0
        self.end = time.process_time() + MOST_SECONDS
        self.error: Endless | None = None
        """What was raised: PyTorch may raise something else in its place."""

    @contextmanager
    def over(self, module: nn.Module) -> Iterator[None]:
        """Watch the calls that a module's `forward` makes for a while."""
        forward = module.forward

        @wraps(forward)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self:
                return forward(*args, **kwargs)

        with replaced(module, "forward", watched):
            yield

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.calls += 1
        if self.calls > MOST_CALLS or time.process_time() > self.end:
            self._stop(f"{self.calls:,} calls are not all that it makes", "import a part of it, or a smaller setting")
        found = function(*args, **kwargs or {})
        if function in _PARTS and len(found) >= BATCH:
            self._stop_at_samples()
        if function in _TAKING and isinstance(found, Tensor):
            given = args[0].shape if args and isinstance(args[0], Tensor) else ()
            if _has_batch(given) and not _has_batch(found.shape):
                self.taken += 1
                if self.taken > MOST_SAMPLES:
                    self._stop_at_samples()
        return found

    def _stop_at_samples(self) -> None:
        self._stop(
            "it takes the samples of a batch one by one",
            "call its layers on the whole batch, whose samples are along the first axis",
        )

    def _stop(self, why: str, fix: str) -> None:
        place = next(_own_frames(), "")
        self.error = Endless(f"{why}{place}{help_line(fix)}")
        raise self.error


def _has_batch(sizes: Sequence[int]) -> bool:
    return any(isinstance(size, int) and has_batch(size) for size in sizes)


def _own_frames() -> Iterator[str]:
    """Yield the places of calls outside PyTorch and archcalc, the innermost first."""
    frame = sys._getframe(2)
    hidden = (str(Path(torch.__file__).parent), str(Path(__file__).parent), sysconfig.get_path("stdlib"))
    while frame is not None:
        if not frame.f_code.co_filename.startswith(hidden):
            yield f", in line {frame.f_lineno} of {Path(frame.f_code.co_filename).name}"
        frame = frame.f_back  # type: ignore[assignment]
