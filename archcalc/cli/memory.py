"""`archcalc memory`: the memory of a network at inference and in training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from archcalc.analysis import Analysis
from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, Run, document_options, file_option, write_drawing
from archcalc.cli._options import CountingOpener, change_options, option_words, size_options, with_options
from archcalc.errors import UserError
from archcalc.structs import replace
from archcalc.words import did_you_mean, help_line, quote

if TYPE_CHECKING:
    from archcalc.memory.optimizers import TrainingStep
    from archcalc.render.document import Document

STEP = ("optimizer", "accumulate", "clip", "devices", "zero")
"""The options that are fields of `archcalc.memory.optimizers.TrainingStep`."""
UNITS = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}


def step_options(function: Run) -> Run:
    """Add the options of a training step; the command receives `step`, the fields of `TrainingStep` that are set."""

    @wraps(function)
    def given(*args: Any, **values: Any) -> int | None:
        step = {name: value for name in STEP if (value := values.pop(name))}
        return function(*args, step=step, **values)

    return with_options(
        given,
        click.option(
            "--zero", type=click.IntRange(0, 3), metavar="STAGE", help="What they divide: ZeRO stage 1, 2 or 3."
        ),
        click.option(
            "--devices", type=click.IntRange(min=1), metavar="N", help="Devices, each with a batch of its own. [1]"
        ),
        click.option("--clip", is_flag=True, help="Scale the gradients to a norm before the update."),
        click.option("--accumulate", type=click.IntRange(min=1), metavar="N", help="Passes before an update. [1]"),
        click.option(
            "--optimizer", metavar="NAME", help="sgd, momentum, adam, adamw, adam8bit, adafactor, lion, …. [sgd]"
        ),
    )


@click.command(
    cls=Command,
    topic="explain",
    short_help="Find the peak memory and the largest batch.",
    example="archcalc memory resnet50 --batch 32 --dtype float16 --mode training",
)
@click.argument("network")
@change_options
@size_options
@click.option("--mode", metavar="MODE", help="inference or training. [inference; with --fit, both]")
@step_options
@click.option("--decode", is_flag=True, help="Generate tokens: the cache of keys and values, and each token's cost.")
@click.option("--context", "tokens", type=click.IntRange(1, 10**9), metavar="N", help="With --decode: tokens before.")
@click.option("--device", "reference", metavar="NAME|FILE", help="With --decode: tokens per second at most.")
@click.option("--in-place", is_flag=True, help="At inference, let activations overwrite their input where they can.")
@click.option(
    "--fused",
    default="",
    metavar="NAME",
    help="At inference, fuse operators as the defaults of inductor or onnxruntime do: an assumption.",
)
@click.option("--fit", "budget", metavar="SIZE", help="Find the largest batch that fits into it: 24GB, 16GiB.")
@click.option(
    "--checkpoint", "room", metavar="SIZE", help="Choose the blocks to recompute so that a training step fits into it."
)
@file_option("--chart", formats=DRAWINGS, help="Draw the timeline: a file .svg, .png or .pdf.")
@document_options()
def command(
    network: str,
    opener: CountingOpener,
    mode: str | None,
    step: Mapping[str, Any],
    decode: bool,
    tokens: int | None,
    reference: str | None,
    in_place: bool,
    fused: str,
    budget: str | None,
    room: str | None,
    chart: str | None,
    output: Output,
) -> int:
    """Show the memory of NETWORK: weights, gradients, optimizer's state, activations, and the peak.

    Nothing is run: the order of execution, views and saved tensors are known, to the byte. Exits 1 if one sample does
    not fit (--fit), or no choice of blocks does (--checkpoint).
    """
    from archcalc.memory.optimizers import TrainingStep
    from archcalc.memory.summary import memory
    from archcalc.render.memory import memory_document

    training = TrainingStep(**step)
    counting, fits, recomputes, draws = opener.counting, budget is not None, room is not None, chart is not None
    has_batch = fits and counting.batch > 1 and mode != "inference"
    infers = mode == "inference" or (mode is None and not fits and not recomputes)
    refused = (
        (
            infers and step,
            f"--{' and --'.join(step)} {'is' if len(step) == 1 else 'are'} for training; write --mode training",
        ),
        (mode == "training" and (in_place or fused), "--in-place and --fused are for inference"),
        (not decode and (tokens or reference), "--context and --device are for --decode"),
        (counting.roles.sparsity and mode == "training", "--sparsity is for inference; leave out --mode training"),
        (
            decode and (mode == "training" or fits or recomputes or draws or in_place or fused),
            "--decode generates; leave out --mode, --fit, --checkpoint, --chart and --in-place",
        ),
        (
            (in_place or fused) and (fits or recomputes),
            "--in-place and --fused are for one batch; leave out --fit and --checkpoint",
        ),
        (
            has_batch and (mode is None or recomputes or draws),
            "--fit with --batch is for training; write --mode training, without --checkpoint",
        ),
        (fits and draws, "--chart shows one batch; leave out --fit"),
        (fits and recomputes, "--fit finds a batch and --checkpoint needs one; use one of them"),
        (
            recomputes and (draws or mode == "inference"),
            "--checkpoint is for training; leave out --chart and --mode inference",
        ),
    )
    for goes_wrong, message in refused:
        if goes_wrong:
            raise click.UsageError(message)
    if decode:
        output.show(_generation(opener, network, tokens, reference))
        return 0
    if fits and not has_batch:
        opener = replace(opener, counting=replace(counting, batch=1))
    analysis = opener.analyze(network)
    if budget is not None and has_batch:
        own = option_words({**step, "accumulate": None})
        own = ["memory", network, *opener.words(), "--mode", "training", *own]
        return _ways(analysis, parse_bytes(budget), training, own, output)
    if budget is not None:
        return _fit(analysis, parse_bytes(budget), mode, training, output)
    if room is not None:
        return _recompute(analysis, parse_bytes(room), training, output)
    result = memory(analysis, mode or "inference", training, in_place, fused)
    if chart is not None:
        from archcalc.render.plot.memory import memory_chart

        write_drawing(memory_chart(result), chart)
    output.show(memory_document(result))
    return 0


def _generation(opener: CountingOpener, network: str, tokens: int | None, device: str | None) -> Document:
    """Return the document of generation after a context."""
    from archcalc.memory.generation import generation
    from archcalc.render.generation import generation_document
    from archcalc.runtime.device_profile import find_profile

    at_length = opener.at_tokens(network)
    if tokens is None:
        raise click.UsageError("--decode needs the tokens before; write: --context 8192")
    found = generation(at_length, tokens, opener.counting)
    return generation_document(found, find_profile(device) if device is not None else None)


def _fit(analysis: Analysis, budget: int, mode: str | None, step: TrainingStep, output: Output) -> int:
    """Write the largest batches; the exit code says whether there are any."""
    from archcalc.memory.summary import MODES, fit
    from archcalc.render.memory import fits_document

    fits = [fit(analysis, budget, each, step) for each in ([mode] if mode else MODES)]
    output.show(fits_document(analysis, budget, fits))
    return 0 if all(found.batch for found in fits) else 1


TRIED = ("float32", "autocast-bfloat16", "mixed-bfloat16", "bfloat16")
"""The precisions that `--fit` tries if none is said."""


def _ways(analysis: Analysis, budget: int, step: TrainingStep, own: list[str], output: Output) -> int:
    """Write the ways to train a batch; the exit code says whether there are any."""
    from archcalc.analysis.precision import RECIPES
    from archcalc.memory.ways import ways
    from archcalc.render.ways import ways_document

    counting = analysis.counting
    is_said = counting.precision is not None or counting.dtype != "float32"
    named = {name: RECIPES[name].precision if name in RECIPES else None for name in TRIED}
    tried = {counting.types: None} if is_said else named
    found = ways(analysis, budget, step, tried)
    output.show(ways_document(analysis, budget, step, found, own))
    return 0 if found else 1


def _recompute(analysis: Analysis, room: int, step: TrainingStep, output: Output) -> int:
    """Write which blocks to recompute; the exit code says whether that fits."""
    from archcalc.memory.checkpointing import choose
    from archcalc.render.memory import plan_document

    plan = choose(analysis, room, step)
    output.show(plan_document(plan))
    return 0 if plan.fits else 1


def parse_bytes(text: str) -> int:
    """Read a number of bytes, rounded down; raises `UserError` for anything else.

    size = NUMBER [" "] ("B" | "kB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB")
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?([A-Za-z]{1,3})", text.strip())
    if match is None:
        raise UserError(f"expected a size with its unit, got {quote(text)}{help_line('write 24GB or 512MiB')}")
    number, unit = match.groups()
    if unit not in UNITS:
        raise UserError(f"unknown unit {quote(unit)} (kB is 1000 B, KiB is 1024 B){did_you_mean(unit, UNITS)}")
    size = int(Fraction(number) * UNITS[unit])
    if not size:
        raise UserError(f"expected a size above 0, got {quote(text)}")
    return size
