"""`archcalc sweep`: a design space."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, document_options
from archcalc.cli._options import Overrides, counting_options, network_options, quantities_option
from archcalc.cli._streams import remark, write
from archcalc.errors import SpecError
from archcalc.words import did_you_mean, quote

if TYPE_CHECKING:
    from archcalc.analysis import Counting

TEXT_ROWS = 100


@click.command(
    cls=Command, example='archcalc sweep resnet --over groups=1,2,4,8,32 --keep "macs <= 4.2e9" --sort params'
)
@click.argument("network")
@click.option("--over", multiple=True, metavar="NAME=VALUES", help="Vary a parameter or size: 1,2,4 or 96:320:32.")
@click.option("--keep", multiple=True, metavar="CONDITION", help='Keep points such as "macs <= 4.2e9".')
@quantities_option
@click.option("--pareto", metavar="A,B,…", help="Keep the Pareto front; -NAME: large is better.")
@click.option("--best", metavar="NAME", help="Keep the point with the largest NAME (-NAME: smallest).")
@click.option("--per", metavar="A,B,…", help="With --best: for each value of these.")
@click.option("--sort", metavar="NAME", help="Order the points; -NAME: the largest first.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Number of points at most. [100 in text]")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Compute N random points instead of all.")
@click.option("--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Seed of the random points. [0]")
@click.option("--jobs", type=click.IntRange(1, 1024), default=1, metavar="N", help="Number of processes. [1]")
@click.option("--dask", metavar="ADDRESS", help="Compute on the Dask cluster with this scheduler.")
@network_options
@counting_options
@document_options("parquet", *DRAWINGS)
def command(
    network: str,
    over: tuple[str, ...],
    keep: tuple[str, ...],
    of: str,
    pareto: str | None,
    best: str | None,
    per: str | None,
    sort: str | None,
    limit: int | None,
    sample: int | None,
    seed: int,
    jobs: int,
    dask: str | None,
    overrides: Overrides,
    counting: Counting,
    output: Output,
) -> None:
    """Compute NETWORK at every point of a grid: its parameters and input sizes (C, H, W) as --over says.

    H alone keeps a square image square. Points at which the network cannot be built are left out.
    """
    from archcalc.requirements import need

    need("numpy", "sweep")
    from archcalc.imports.opening import need_spec
    from archcalc.quantities.table import FORMULAS
    from archcalc.render.points import csv_lines, points_document, write_csv, write_parquet
    from archcalc.sweep.selection import Best, First, Front
    from archcalc.sweep.sorting import sorted_parts
    from archcalc.sweep.space import SweepPlan, parse_axis
    from archcalc.sweep.workers import results

    if of == "help":
        output.show_meanings(FORMULAS)
        return
    need_spec(network, "a sweep")
    axes = tuple(map(parse_axis, over))
    plan = SweepPlan(
        network, axes, tuple(of.split(",")), keep, overrides.settings, overrides.input_shapes(), counting, sample, seed
    )
    known = [*(axis.name for axis in axes), *plan.quantities]
    for name in (*_names(pareto), *_names(best), *_names(per), *_names(sort)):
        if name.removeprefix("-") not in known:
            raise SpecError(f"unknown column {quote(name)}{did_you_mean(name, known)}")
    if per and not best:
        raise SpecError("--per needs --best")
    selections: list[Any] = []
    if pareto:
        selections.append(Front(_names(pareto)))
    if best:
        selections.append(Best(best, _names(per)))
    most = limit or (TEXT_ROWS if output.format == "text" else None)
    if sort and most:
        selections.append(First(sort, most))
    counts = {"points": 0, "refused": 0, "kept": 0}
    parts = _selected(_columns(results(plan, jobs, dask), counts), selections)
    if sort and not most:
        parts = sorted_parts(parts, sort)
    elif most:
        parts = iter([_first(parts, most)])
    if output.format in DRAWINGS:
        from archcalc.render.plot.points import plot_points

        output.write(plot_points(parts, axes, plan.quantities, output.format))
    elif output.format not in ("csv", "parquet"):
        output.show(points_document(network, parts, axes))
    elif output.file not in (None, "-"):
        (write_parquet if output.format == "parquet" else write_csv)(Path(output.file), parts, axes)
        remark(f"wrote {output.file}")
    else:
        for lines in csv_lines(parts, axes):
            write(lines, None)
    remark(_said(counts))


def _names(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _columns(found: Iterator[Any], counts: dict[str, int]) -> Iterator[Any]:
    """Yield the columns of each result, and count points."""
    for result in found:
        counts["points"] += result.points
        counts["refused"] += result.refused
        counts["kept"] += result.kept
        yield result.columns


def _selected(parts: Iterator[Any], selections: list[Any]) -> Iterator[Any]:
    """Return the parts, or the selected points as one part; at most one part is in memory."""
    from archcalc.sweep.selection import joined

    if not selections:
        yield from parts
        return
    left: Any = None
    for part in parts:
        left = part if left is None else joined([left, part])
        left = selections[0].reduce(left)
    for selection in selections[1:]:
        left = selection.reduce(left)
    yield left


def _first(parts: Iterator[Any], count: int) -> Any:
    """Return the first rows of all parts."""
    from archcalc.sweep.selection import joined, taken

    rows: Any = None
    for part in parts:
        if rows is None or len(next(iter(rows.values()))) < count:
            rows = taken(part if rows is None else joined([rows, part]), slice(count))
    return rows


def _said(counts: dict[str, int]) -> str:
    text = f"{counts['points']:,} points, {counts['kept']:,} kept"
    return text + (f", {counts['refused']:,} where the network cannot be built" if counts["refused"] else "")
