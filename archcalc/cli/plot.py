"""`archcalc plot`: costs per layer as bars, or operations against accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, result_options
from archcalc.cli._options import (
    Overrides,
    counting_options,
    depth_option,
    network_options,
)
from archcalc.cli._streams import write
from archcalc.errors import SpecError
from archcalc.network import Network
from archcalc.words import did_you_mean, quote

if TYPE_CHECKING:
    from archcalc.analysis import Counting


@click.command(cls=Command, example="archcalc plot alexnet vgg16 --metric memory,params,flops -o compare.png")
@click.argument("networks", nargs=-1, metavar="[NETWORK]…")
@network_options
@counting_options
@click.option(
    "--metric",
    default="memory,params,flops",
    metavar="A,B,…",
    help="memory, params, flops, macs. [memory,params,flops]",
)
@depth_option("One bar for what stands deeper than N names.")
@click.option(
    "--against",
    type=click.Choice(["layers", "accuracy"]),
    default="layers",
    help="Bars per layer; or operations against ImageNet accuracy, for every network of which it is known. [layers]",
)
@result_options(*DRAWINGS, default_file="plot.svg")
def command(
    networks: tuple[str, ...],
    overrides: Overrides,
    counting: Counting,
    metric: str,
    depth: int | None,
    against: str,
    format_: str,
    output: str | None,
) -> None:
    """Plot the costs of NETWORKs, layer by layer and side by side, or their operations against their accuracy.

    Needs matplotlib: pip install 'archcalc[plot]'.
    """
    from archcalc.analysis import analyze
    from archcalc.render.plot.bars import METRICS, bars
    from archcalc.render.plot.figure import save

    metrics = tuple(metric.split(","))
    for key in metrics:
        if key not in METRICS:
            raise SpecError(f"unknown metric {quote(key)}{did_you_mean(key, METRICS)}")
    if against == "accuracy":
        figure = _accuracy(networks, overrides)
    elif networks:
        opened = [overrides.open(name) for name in networks]
        figure = bars([analyze(one, counting) for one in opened], metrics, depth)
    else:
        raise click.UsageError("name the networks to plot: archcalc plot alexnet vgg16")
    write(save(figure, format_), output or f"plot.{format_}")


def _accuracy(networks: tuple[str, ...], overrides: Overrides) -> object:
    """The chart of these networks, or of all whose accuracy is known."""
    from archcalc.analysis import analyze
    from archcalc.render.plot.accuracies import accuracies
    from archcalc.render.plot.bubbles import bubble, bubbles

    opened = [overrides.open(name) for name in networks or accuracies()]
    return bubbles([bubble(analyze(one), _family(one)) for one in opened])


def _family(network: Network) -> str:
    """The file that a network is written in."""
    place = network.layers[0].place
    return Path(place.file).stem if place is not None else network.name
