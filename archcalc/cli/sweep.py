"""`archcalc sweep`: a design space."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, document_options
from archcalc.cli._options import CountingOpener, change_options, counting_options, quantities_option, refuse_alone
from archcalc.cli._streams import progress, remark, write
from archcalc.errors import SpecError
from archcalc.words import counted, did_you_mean, quote

if TYPE_CHECKING:
    from archcalc.sweep.space import SweepPlan

TEXT_ROWS = 100


@click.command(
    cls=Command,
    topic="design",
    short_help="Compute a network at every point of a grid.",
    example='archcalc sweep resnet --over groups=1,2,4,8,32 --keep "macs <= 4.2e9" --sort params',
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
@change_options
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
    opener: CountingOpener,
    output: Output,
) -> int:
    """Compute NETWORK at every point of a grid: its parameters and input sizes (C, H, W) as --over says.

    H alone keeps a square image square. Points at which the network cannot be built are left out. Ctrl-C ends the
    sweep; the points so far are kept.
    """
    from archcalc.requirements import need

    need("numpy", "sweep")
    from archcalc.imports.references import parse_source
    from archcalc.sweep.sorting import sorted_parts
    from archcalc.sweep.space import SweepPlan, parse_axis
    from archcalc.sweep.workers import results

    if sample is None:
        refuse_alone("--sample", "seed")
    axes = tuple(map(parse_axis, over))
    if parse_source(network) is not None:
        opener.open(network)  # says what is run, and is then in the cache
    plan = SweepPlan(
        network,
        axes,
        tuple(of.split(",")),
        keep,
        opener.settings,
        opener.input_shapes(),
        opener.counting,
        sample,
        seed,
        changes=opener.parsed_changes(),
        no_cache=opener.no_cache,
    )
    known = [*(axis.name for axis in axes), *plan.quantities]
    for name in (*_names(pareto), *_names(best), *_names(per), *_names(sort)):
        if name.removeprefix("-") not in known:
            raise SpecError(f"unknown column {quote(name)}{did_you_mean(name, known)}")
    most = limit or (TEXT_ROWS if output.format == "text" else None)
    selections = _selections(pareto, best, per, sort, most)
    counts = _Counts()
    hidden = output.format == "csv" and output.file in (None, "-")
    with progress(plan.points, "computing", hidden=hidden) as bar, _at_an_end(counts):
        parts = _selected(_columns(results(plan, jobs, dask), counts, bar), selections)
        if sort and not most:
            parts = sorted_parts(parts, sort)
        elif most:
            parts = iter([_first(parts, most)])
        show = _computed(parts, plan, output)
    show()
    if counts.interrupted:
        remark(f"interrupted after {_summary(counts)}, of {plan.points:,}")
        return 130
    remark(_summary(counts))
    return 0


@dataclass
class _Counts:
    """The points of a sweep so far."""

    points: int = 0
    kept: int = 0
    refused: int = 0
    refusal: str = ""
    """Why the first of them is refused."""
    interrupted: int = 0


def _selections(
    pareto: str | None, best: str | None, per: str | None, sort: str | None, most: int | None
) -> list[Callable[[Any], Any]]:
    """Return the functions that choose points, in the order in which they are applied."""
    from archcalc.sweep import selection

    if per and not best:
        raise SpecError("--per needs --best")
    return [
        *([partial(selection.front, measures=_names(pareto))] if pareto else []),
        *([partial(selection.best, measure=best, per=_names(per))] if best else []),
        *([partial(selection.in_order, measure=sort, most=most)] if sort and most else []),
    ]


def _computed(parts: Iterator[Any], plan: SweepPlan, output: Output) -> Callable[[], None]:
    """Compute all points; return what shows them once the progress bar is gone."""
    from archcalc.render.points import csv_lines, points_document, write_csv, write_parquet

    if output.format in DRAWINGS:
        from archcalc.render.plot.points import plot_points

        return partial(output.write, plot_points(parts, plan.axes, plan.quantities, output.format))
    if output.format not in ("csv", "parquet"):
        return partial(output.show, points_document(plan.network, parts, plan.axes))
    if output.file is not None and output.file != "-":
        (write_parquet if output.format == "parquet" else write_csv)(Path(output.file), parts, plan.axes)
        return partial(remark, f"wrote {output.file}")
    for lines in csv_lines(parts, plan.axes):
        write(lines, None)
    return lambda: None


def _names(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _columns(found: Iterator[Any], counts: _Counts, bar: Any) -> Iterator[Any]:
    """Yield the columns of each result, and count points; after an interrupt, no more are computed."""
    for result in found:
        counts.points += result.points
        counts.refused += result.refused
        counts.refusal = counts.refusal or result.message
        counts.kept += result.kept
        bar.update(result.points)
        yield result.columns
        if counts.interrupted:
            return


@contextmanager
def _at_an_end(counts: _Counts) -> Iterator[None]:
    """Let the first interrupt end the sweep where results are whole; one before any result, or a second, ends at once.

    Workers are deaf to a terminal's interrupt, so with them it is the same.
    """
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: FrameType | None) -> None:
        if counts.points and not counts.interrupted:
            counts.interrupted = 1
        elif callable(before):
            before(number, frame)

    if not callable(before) or current_thread() is not main_thread():
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _selected(parts: Iterator[Any], selections: Sequence[Callable[[Any], Any]]) -> Iterator[Any]:
    """Return the parts, or the selected points as one part; at most one part is in memory."""
    from archcalc.sweep.selection import joined

    if not selections:
        yield from parts
        return
    left: Any = None
    for part in parts:
        left = part if left is None else joined([left, part])
        left = selections[0](left)
    for select in selections[1:]:
        left = select(left)
    yield left


def _first(parts: Iterator[Any], count: int) -> Any:
    """Return the first rows of all parts."""
    from archcalc.sweep.selection import joined, taken

    rows: Any = None
    for part in parts:
        if rows is None or len(next(iter(rows.values()))) < count:
            rows = taken(part if rows is None else joined([rows, part]), slice(count))
    return rows


def _summary(counts: _Counts) -> str:
    text = f"{counted(counts.points, 'point')}, {counts.kept:,} kept"
    if counts.refused:
        text += f", {counts.refused:,} where the network cannot be built; at the first, {counts.refusal}"
    return text
