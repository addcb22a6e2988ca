"""`archcalc plot`: costs per layer as bars, or operations against accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, result_options
from archcalc.cli._options import Overrides, counting_options, depth_option, network_options
from archcalc.network import Network

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
    help="Quantities of the bars; `--metric help` lists them. [memory,params,flops]",
)
@depth_option("Draw one bar for groups deeper than N names.")
@click.option(
    "--against",
    type=click.Choice(["layers", "accuracy"]),
    default="layers",
    help="Bars per layer, or operations against ImageNet accuracy. [layers]",
)
@result_options(*DRAWINGS, default_file="plot.svg")
def command(
    networks: tuple[str, ...],
    overrides: Overrides,
    counting: Counting,
    metric: str,
    depth: int | None,
    against: str,
    output: Output,
) -> None:
    """Plot the costs of NETWORKs, layer by layer and side by side, or their operations against their accuracy.

    Needs matplotlib: pip install 'archcalc[plot]'.
    """
    from archcalc.analysis import analyze
    from archcalc.quantities.table import COSTS, choose
    from archcalc.render.plot.bars import bars
    from archcalc.render.plot.figure import save

    if metric == "help":
        output.show_meanings(COSTS)
        return
    metrics = choose(metric, COSTS)
    if against == "accuracy":
        figure = _accuracy(networks, overrides)
    elif networks:
        opened = [overrides.open(name) for name in networks]
        figure = bars([analyze(network, counting) for network in opened], metrics, depth)
    else:
        raise click.UsageError("no network to plot; write: archcalc plot alexnet vgg16")
    output.write(save(figure, output.format), "plot")


def _accuracy(networks: tuple[str, ...], overrides: Overrides) -> object:
    """Return the chart of these networks, or of all whose accuracy is known."""
    from archcalc.analysis import analyze
    from archcalc.render.plot.accuracies import accuracies
    from archcalc.render.plot.bubbles import bubble, bubbles

    opened = [overrides.open(name) for name in networks or accuracies()]
    return bubbles([bubble(analyze(network), _family(network)) for network in opened])


def _family(network: Network) -> str:
    """Return the name of the file in which a network is written."""
    place = network.layers[0].place
    return Path(place.file).stem if place is not None else network.name
