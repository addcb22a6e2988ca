"""`archcalc time`: the hours of a training run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import Opener, change_options
from archcalc.errors import UserError
from archcalc.words import quote

if TYPE_CHECKING:
    from archcalc.network import Network


@click.command(
    cls=Command,
    topic="check",
    short_help="Estimate the time of a training run.",
    example="archcalc time resnet50 --images 1.28e6 --epochs 90 --device h100 --utilization 0.3-0.5",
)
@click.argument("network")
@change_options
@click.option("--images", "--samples", "samples", metavar="N", help="Samples of an epoch: 1.28e6.")
@click.option("--tokens", metavar="N", help="Tokens of an epoch, for a network whose input is tokens: 15e12.")
@click.option("--epochs", default="1", metavar="N", help="Times that every sample is taken. [1]")
@click.option("--device", "reference", required=True, metavar="NAME|FILE|RATE", help="Such as h100, or 12TFLOP/s.")
@click.option("--devices", type=click.IntRange(min=1), default=1, metavar="N", help="Devices that work together. [1]")
@click.option("--dtype", default="bfloat16", metavar="TYPE", help="Type of the products, for the peak. [bfloat16]")
@click.option(
    "--utilization", default="1", metavar="SHARE", help="Share of the peak that is reached: 0.4, or 0.3-0.5. [1]"
)
@click.option("--forward", is_flag=True, help="Inference only.")
@click.option("--per-mac", type=click.IntRange(1, 2), default=2, metavar="1|2", help="FLOPs of a multiply-add. [2]")
@document_options()
def command(
    network: str,
    opener: Opener,
    samples: str | None,
    tokens: str | None,
    epochs: str,
    reference: str,
    devices: int,
    dtype: str,
    utilization: str,
    forward: bool,
    per_mac: int,
    output: Output,
) -> None:
    """Compute the time of a training run of NETWORK, from its work, a device's peak and a stated utilization.

    The work is that of the forward and the backward pass, with what is frozen left out. Utilization is an assumption:
    without it, the time is the least that is possible.
    """
    from archcalc.analysis import analyze
    from archcalc.dtypes import check_dtype
    from archcalc.render.training_time import training_time_document
    from archcalc.runtime.training_time import find_rate, parse_utilization, training_time

    check_dtype(dtype)
    if (samples is None) == (tokens is None):
        raise click.UsageError("say how much there is to learn: --images N, or --tokens N")
    name, rate = find_rate(reference, dtype)
    opened = opener.open(network)
    count = _number("--images", samples) if samples is not None else _number("--tokens", tokens) / _length(opened)
    total = count * _number("--epochs", epochs)
    shares = parse_utilization(utilization)
    found = training_time(analyze(opened), total, rate * devices, shares, forward, per_mac)
    output.show(training_time_document(opened, found, name, devices))


def _number(option: str, text: str | None) -> float:
    """Read a number above 0, such as 1.28e6."""
    try:
        number = float(text or "") if len(text or "") < 40 else math.nan
    except ValueError:
        number = math.nan
    if not 0 < number < 1e30:
        raise UserError(f"{option} takes a number above 0, such as 1.28e6, got {quote(text or '')}")
    return number


def _length(network: Network) -> int:
    """Return the tokens of a sample; raise for another input."""
    shape = next(iter(network.inputs.values()))
    if len(network.inputs) != 1 or not network.indices:
        raise UserError(
            f"--tokens needs a network whose only input is tokens, and {network.name} has another; use --images"
        )
    return shape[0]
