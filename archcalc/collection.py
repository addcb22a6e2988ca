"""A pause of Python's cyclic garbage collector, while many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY_OBJECTS = 100_000
"""From this number on, objects are moved to the oldest generation; among fewer, there may be garbage of others."""


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the collector while the block runs.

    A long spec makes a million objects and no garbage. The collector's passes over them would take longer than the
    work, and their cost would grow faster than the spec. At the end, many objects move to the oldest generation, which
    only full collections visit: `gc.freeze` and `gc.unfreeze` do that at no cost.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # Objects that someone else has frozen would be unfrozen too.
        if gc.get_count()[0] > MANY_OBJECTS and gc.get_freeze_count() == 0:
            gc.freeze()
            gc.unfreeze()
        gc.enable()
