"""`archcalc` and `python -m archcalc`: the command line; an interrupt, even in imports, is one line."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
_interrupts = 0


def main() -> None:
    """Run the command line. An interrupt prints one line and exits with code 130, whenever it comes."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the parent process ignores it
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = _unraisable
    gc.set_threshold(50_000)  # a command makes many objects that stay: looking at them every 700 takes 5 % of `table`
    from archcalc.cli import main as run

    try:
        run()
    finally:
        gc.freeze()  # the process ends: looking once more for garbage among all objects takes 14 % of `table`


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Unwind a command, so that it leaves no unfinished output; outside of it, end at once.

    Imports end at once too: an exception there could be taken for a missing library, or end with a traceback.
    """
    global _interrupts
    _interrupts += 1
    within = False
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _end()
        within = within or (frame.f_code.co_name, frame.f_globals.get("__name__")) == ("invoke", "archcalc.cli")
        frame = frame.f_back
    if not within or _interrupts > 1:
        _end()
    raise KeyboardInterrupt


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """End the process if an interrupt was raised and lost, as in a destructor."""
    if isinstance(lost.exc_value, KeyboardInterrupt):
        _end()
    sys.__unraisablehook__(lost)


def _end() -> NoReturn:
    """End the process at once, without unfinished files or child processes."""
    if "archcalc.files" in sys.modules:
        sys.modules["archcalc.files"].remove_unfinished()
    if "multiprocessing" in sys.modules:
        for child in sys.modules["multiprocessing"].active_children():
            child.terminate()
    with contextlib.suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
