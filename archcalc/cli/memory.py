"""`archcalc memory`: the memory of a network at inference and in training."""

from __future__ import annotations

import re
from fractions import Fraction

import click

from archcalc.analysis import Analysis
from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, document_options, file_option, format_of
from archcalc.cli._options import Overrides, batch_option, network_options
from archcalc.cli._streams import write
from archcalc.errors import UserError
from archcalc.words import did_you_mean, quote

UNITS = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}


@click.command(cls=Command, example="archcalc memory resnet50 --batch 32 --dtype float16 --mode training")
@click.argument("network")
@network_options
@batch_option
@click.option("--dtype", default="float32", metavar="TYPE", help="Type of every number. [float32]")
@click.option("--mode", metavar="MODE", help="inference or training. [inference; with --fit, both]")
@click.option("--optimizer", default="sgd", metavar="NAME", help="none, sgd, momentum or adam. [sgd]")
@click.option("--in-place", is_flag=True, help="At inference, let activations overwrite their input where they can.")
@click.option("--fit", "budget", metavar="SIZE", help="Find the largest batch that fits into it: 24GB, 16GiB.")
@click.option(
    "--checkpoint", "room", metavar="SIZE", help="Choose the blocks to recompute so that a training step fits into it."
)
@file_option("--chart", formats=DRAWINGS, help="Draw the timeline: a file .svg, .png or .pdf.")
@document_options()
@click.pass_context
def command(
    context: click.Context,
    network: str,
    overrides: Overrides,
    batch: int,
    dtype: str,
    mode: str | None,
    optimizer: str,
    in_place: bool,
    budget: str | None,
    room: str | None,
    chart: str | None,
    output: Output,
) -> None:
    """Show the memory of NETWORK: weights, gradients, optimizer's state, activations, and the peak.

    Nothing is run: the order of execution, views and saved tensors are known, to the byte. Exits 1 if one sample does
    not fit (--fit), or no choice of blocks does (--checkpoint).
    """
    from archcalc.analysis import Counting, analyze
    from archcalc.memory.summary import memory
    from archcalc.render.memory import memory_document

    if in_place and (budget is not None or room is not None):
        raise click.UsageError("--in-place is for one batch; leave out --fit and --checkpoint")
    if budget is not None:
        if chart is not None:
            raise click.UsageError("--chart shows one batch; leave out --fit")
        if room is not None:
            raise click.UsageError("--fit finds a batch and --checkpoint needs one; use one of them")
        analysis = analyze(overrides.open(network), Counting(dtype=dtype))
        context.exit(_fit(analysis, parse_bytes(budget), mode, optimizer, output))
    analysis = analyze(overrides.open(network), Counting(batch, dtype))
    if room is not None:
        if chart is not None or mode == "inference":
            raise click.UsageError("--checkpoint is for training; leave out --chart and --mode inference")
        context.exit(_recompute(analysis, parse_bytes(room), optimizer, output))
    result = memory(analysis, mode or "inference", optimizer, in_place)
    if chart is not None:
        from archcalc.render.plot.figure import save
        from archcalc.render.plot.memory import memory_chart

        write(save(memory_chart(result), format_of(chart, None, DRAWINGS) or "svg"), chart)
    output.show(memory_document(result))


def _fit(analysis: Analysis, budget: int, mode: str | None, optimizer: str, output: Output) -> int:
    """Write the largest batches; the exit code says whether there are any."""
    from archcalc.memory.summary import MODES, fit
    from archcalc.render.memory import fits_document

    fits = [fit(analysis, budget, each, optimizer) for each in ([mode] if mode else MODES)]
    output.show(fits_document(analysis, budget, fits))
    return 0 if all(found.batch for found in fits) else 1


def _recompute(analysis: Analysis, room: int, optimizer: str, output: Output) -> int:
    """Write which blocks to recompute; the exit code says whether that fits."""
    from archcalc.memory.checkpointing import choose
    from archcalc.render.memory import plan_document

    plan = choose(analysis, room, optimizer)
    output.show(plan_document(plan))
    return 0 if plan.fits else 1


def parse_bytes(text: str) -> int:
    """Read a number of bytes, rounded down; raises `UserError` for anything else.

    size = NUMBER [" "] ("B" | "kB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB")
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?([A-Za-z]{1,3})", text.strip())
    if match is None:
        raise UserError(f"expected a size such as 24GB or 512MiB, got {quote(text)}")
    number, unit = match.groups()
    if unit not in UNITS:
        raise UserError(f"unknown unit {quote(unit)} (kB is 1000 B, KiB is 1024 B){did_you_mean(unit, UNITS)}")
    size = int(Fraction(number) * UNITS[unit])
    if not size:
        raise UserError(f"expected a size above 0, got {quote(text)}")
    return size
