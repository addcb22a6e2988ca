"""Python's cyclic garbage collector, held off while many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

VERY_MANY = 100_000
"""Objects whose walk by the collector would be felt. Fewer stay young: among them may be others' garbage."""


@contextmanager
def no_collection() -> Iterator[None]:
    """Make objects without the collector walking over all of them again and again.

    Reading a long spec makes a million objects and no garbage; the collector's passes over them would take longer than
    the work, and make its cost grow faster than the spec. Very many join the old objects at the end, which full
    collections alone walk over: to freeze all objects and release them again costs nothing, and does just that.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # Nobody else may have frozen any, which would be released too.
        if gc.get_count()[0] > VERY_MANY and gc.get_freeze_count() == 0:
            gc.freeze()
            gc.unfreeze()
        gc.enable()
