"""Sorting more points than memory holds: sorted runs on disk, merged as they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy

from archcalc.errors import UserError
from archcalc.sweep.selection import ColumnArrays, cost_of, in_order, joined, taken

POINTS_AT_ONCE = 1 << 20


def sorted_parts(parts: Iterable[ColumnArrays], measure: str, at_once: int = POINTS_AT_ONCE) -> Iterator[ColumnArrays]:
    """Yield all points sorted (with `-`: the largest first), equal ones in their order, about ``at_once`` at a time.

    Memory grows neither with the number of points nor with that of equal ones; the others are in a temporary folder.
    Raises `UserError` if a number does not fit 64 bits.
    """
    with tempfile.TemporaryDirectory(prefix="archcalc-") as folder:
        runs = [SortedRun(part, measure, Path(folder) / f"{index}.npy") for index, part in enumerate(parts)]
        window = max(at_once // max(len(runs), 1), 1)
        while waiting := [run for run in runs if run.left]:
            heads = [run.head(window) for run in waiting]
            bounds = [
                cost_of(head, measure)[-1]
                for run, head in zip(waiting, heads, strict=True)
                if run.left > len(head[run.names[0]])
            ]
            if not bounds:
                yield in_order(joined(heads), measure)
                return
            bound = min(bounds)
            below = [taken(head, slice(numpy.searchsorted(cost_of(head, measure), bound))) for head in heads]
            for run, head in zip(waiting, below, strict=True):
                run.position += len(head[run.names[0]])
            if any(len(head[waiting[0].names[0]]) for head in below):
                yield in_order(joined(below), measure)
            for run in waiting:
                yield from run.equal(bound, window)


class SortedRun:
    """Some points in order, on disk."""

    def __init__(self, part: ColumnArrays, measure: str, path: Path) -> None:
        if any(values.dtype == object for values in part.values()):
            raise UserError("a number does not fit 64 bits; sort with --limit")
        self.names = list(part)
        self.measure = measure
        self.path = path
        self.position = 0
        values = list(in_order(part, measure).values())
        self.length = len(values[0])
        rows = numpy.empty(self.length, [(f"{index}", column.dtype) for index, column in enumerate(values)])
        for index, column in enumerate(values):
            rows[f"{index}"] = column
        numpy.save(path, rows)

    @property
    def left(self) -> int:
        """The number of points still to be read."""
        return self.length - self.position

    def head(self, count: int) -> ColumnArrays:
        """Return the next points."""
        rows = numpy.load(self.path, mmap_mode="r")[self.position : self.position + count]
        return {name: numpy.array(rows[f"{index}"]) for index, name in enumerate(self.names)}

    def equal(self, bound: Any, window: int) -> Iterator[ColumnArrays]:
        """Take the next points as long as they measure ``bound``."""
        while self.left:
            head = self.head(window)
            count = int(numpy.searchsorted(cost_of(head, self.measure), bound, side="right"))
            self.position += count
            if count:
                yield taken(head, slice(count))
            if count < window:
                return
