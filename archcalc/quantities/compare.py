"""Comparison of networks: totals, ratios, cost per spatial size; and of conventions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.costs import Analysis, LayerCosts, analyze
from archcalc.analysis.counting import Counting
from archcalc.errors import UserError
from archcalc.network import Network
from archcalc.ops.naming import POSITIONS, places
from archcalc.quantities.quantity import Cost, Quantity
from archcalc.quantities.table import COMPARED, COSTS, PLACED, QUANTITIES
from archcalc.structs import Struct, replace


class ComparisonRow(Struct):
    """The values of a quantity, one per network."""

    quantity: Quantity
    values: tuple[int, ...]

    @property
    def ratios(self) -> tuple[Fraction | None, ...]:
        """Each value divided by the first; None if that is 0."""
        first = self.values[0]
        return tuple(Fraction(value, first) if first else None for value in self.values)


class Comparison(Struct):
    """Several networks."""

    names: tuple[str, ...]
    totals: tuple[ComparisonRow, ...]
    places: tuple[tuple[str, tuple[ComparisonRow, ...]], ...]
    """A spatial size, with the parameters, MACs and memory of the layers that have it."""

    def shares(self, row: ComparisonRow) -> tuple[Fraction, ...]:
        """Return the share of each value in its network's total of that quantity; 0 if the total is 0."""
        whole = next(total for total in self.totals if total.quantity is row.quantity)
        return tuple(
            Fraction(part, of) if of else Fraction(0) for part, of in zip(row.values, whole.values, strict=True)
        )


def compare(analyses: Sequence[Analysis]) -> Comparison:
    """Compare the totals of networks, and their costs at each spatial size of the feature maps.

    Raises `UserError` for fewer than two networks.
    """
    if len(analyses) < 2:
        raise UserError("a comparison needs at least two networks")
    compared = [QUANTITIES[key] for key in COMPARED]
    totals = tuple(ComparisonRow(quantity, tuple(map(quantity.of_network, analyses))) for quantity in compared)
    found: dict[Place, None] = {}
    for analysis in analyses:
        found.update(dict.fromkeys(_place(row) for row in analysis.rows))
    ordered = sorted(found, key=lambda place: (not place[0], place[1], [-size for size in place[0]]))
    return Comparison(
        names=tuple(analysis.network.name for analysis in analyses),
        totals=totals,
        places=tuple((_place_text(place), _rows_at(analyses, place)) for place in ordered),
    )


Place = tuple[tuple[int, ...], str]
"""The sizes of positions, and what these are if they are not those of a map."""


def _place(row: LayerCosts) -> Place:
    """Return the positions of a layer's output; no sizes for a vector, or where there is one position."""
    axes = places(row.output_axes, POSITIONS)
    sizes = tuple(row.output_shape[axis] for axis in axes)
    if all(size == 1 for size in sizes):
        return (), ""
    return sizes, "tokens" if row.output_axes[axes[-1]] == "tokens" else ""


def _place_text(place: Place) -> str:
    sizes, what = place
    return f"{'×'.join(map(str, sizes))} {what}".rstrip() if sizes else "head"


def _rows_at(analyses: Sequence[Analysis], place: Place) -> tuple[ComparisonRow, ...]:
    def sums(cost: Cost) -> tuple[int, ...]:
        return tuple(sum(cost.of_costs(row) for row in analysis.rows if _place(row) == place) for analysis in analyses)

    return tuple(ComparisonRow(COSTS[key], sums(COSTS[key])) for key in PLACED)


CountsByOperator = tuple[tuple[str, ...], list[tuple[str, tuple[int, ...]]]]
"""Names of the columns, and a row of counts for each kind of operator; the last row is the total."""


def by_convention(network: Network, counting: Counting) -> CountsByOperator:
    """Return the FLOPs of every kind of operator under every convention; that of ``counting`` is ignored."""
    analyses = [analyze(network, replace(counting, convention=name)) for name in CONVENTIONS]
    return tuple(CONVENTIONS), _by_operator([(analysis, "flops") for analysis in analyses])


def steps_by_convention(network: Network, counting: Counting) -> CountsByOperator:
    """Return the same for the forward pass, backward pass and both, under the conventions that count them."""
    conventions = [name for name, convention in CONVENTIONS.items() if convention.backward is not None]
    analyses = [analyze(network, replace(counting, convention=name)) for name in conventions]
    columns = [(analysis, quantity) for analysis in analyses for quantity in ("flops", "backward_flops", "step_flops")]
    names = tuple(f"{name} {part}" for name in conventions for part in ("forward", "backward", "step"))
    return names, _by_operator(columns)


def _by_operator(columns: Sequence[tuple[Analysis, str]]) -> list[tuple[str, tuple[int, ...]]]:
    """Return a quantity of each analysis, summed by kind of operator, largest first; then the totals."""
    sums = []
    for analysis, quantity in columns:
        counts: Counter[str] = Counter()
        for row in analysis.rows:
            counts[row.layer.op.kind] += getattr(row, quantity)
        sums.append(counts)
    rows = [(kind, tuple(counts[kind] for counts in sums)) for kind in sums[0]]
    rows.sort(key=lambda row: -max(row[1]))
    return [*rows, ("total", tuple(getattr(analysis.totals, quantity) for analysis, quantity in columns))]
