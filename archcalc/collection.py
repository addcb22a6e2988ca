"""Python's cyclic garbage collector, held off while many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Make objects without the collector walking over all of them again and again.

    Reading a long spec makes a million objects and no garbage; the collector's passes over them would take longer than
    the work, and make its cost grow faster than the spec.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
