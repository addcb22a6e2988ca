"""Choosing points of a sweep while they stream by: the Pareto front, the best of each group, the first by an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

ColumnArrays = dict[str, Any]


def joined(parts: Sequence[ColumnArrays]) -> ColumnArrays:
    """Return the rows of several tables."""
    return {name: numpy.concatenate([part[name] for part in parts]) for name in parts[0]}


def taken(columns: ColumnArrays, where: Any) -> ColumnArrays:
    """Return some of the rows."""
    return {name: values[where] for name, values in columns.items()}


def front(columns: ColumnArrays, measures: Sequence[str]) -> ColumnArrays:
    """Return the Pareto front, with all equal points: those that no other point dominates.

    A point dominates another if it is not worse in every quantity, and better in one. Small is better; with `-` before
    a name, large is.
    """
    costs = numpy.stack([cost_of(columns, measure) for measure in measures], axis=1)
    order = numpy.lexsort(costs.T[::-1])
    costs = costs[order]
    if costs.shape[1] == 2:
        return taken(columns, numpy.sort(order[_front_of_two(costs)]))
    front: list[int] = []
    for index, cost in enumerate(costs):
        others = costs[front]
        worse = (others <= cost).all(axis=1) & (others < cost).any(axis=1)
        if not worse.any():
            front.append(index)
    return taken(columns, numpy.sort(order[front]))


def _front_of_two(costs: Any) -> Any:
    """Return the front of points sorted by the first quantity, then by the second."""
    first, second = costs[:, 0], costs[:, 1]
    best = numpy.minimum.accumulate(second)
    start = numpy.searchsorted(first, first, side="left")  # the first point that is as good in the first measure
    before = numpy.where(start > 0, best[numpy.maximum(start - 1, 0)], second + 1)
    return numpy.flatnonzero((second < before) & (second == second[start]))


def best(columns: ColumnArrays, measure: str, per: Sequence[str]) -> ColumnArrays:
    """Return the row with the largest measure (with `-`: the smallest) for each combination of some columns."""
    opposite = measure[1:] if measure.startswith("-") else f"-{measure}"
    order = numpy.lexsort([cost_of(columns, opposite), *(columns[name] for name in reversed(per))])
    groups = [columns[name][order] for name in per]
    first = numpy.zeros(len(order), bool)
    first[:1] = True
    if groups:
        first[1:] = numpy.any([group[1:] != group[:-1] for group in groups], axis=0)
    return taken(columns, order[first])


def in_order(columns: ColumnArrays, measure: str, most: int | None = None) -> ColumnArrays:
    """Return the rows by a measure (with `-`: the largest first), equal ones in their order; no more than ``most``."""
    return taken(columns, numpy.argsort(cost_of(columns, measure), kind="stable")[:most])


def cost_of(columns: ColumnArrays, measure: str) -> Any:
    """Return a quantity as a number that is better the smaller it is."""
    return -columns[measure[1:]] if measure.startswith("-") else columns[measure]
