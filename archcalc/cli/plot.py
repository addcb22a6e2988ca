"""`archcalc plot`: costs per layer as bars, or operations against accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, result_options
from archcalc.cli._options import CountingOpener, counting_options, depth_option, network_options
from archcalc.cli._waiting import waiting
from archcalc.errors import UserError
from archcalc.network import Network
from archcalc.words import quote


@click.command(
    cls=Command,
    topic="draw",
    short_help="Plot costs per layer, or cost against accuracy.",
    example="archcalc plot alexnet vgg16 --metric memory,params,flops -o compare.png",
)
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
    type=click.Choice(["layers", "accuracy", "field"]),
    default="layers",
    help="Bars per layer, operations against ImageNet accuracy, or the growth of receptive fields. [layers]",
)
@click.option(
    "--accuracy",
    "given",
    multiple=True,
    metavar="NAME=PERCENT",
    help="Top-1 accuracy of a network, such as mine.yaml=75.1.",
)
@result_options(*DRAWINGS, default_file="plot.svg")
def command(
    networks: tuple[str, ...],
    opener: CountingOpener,
    metric: str,
    depth: int | None,
    against: str,
    given: tuple[str, ...],
    output: Output,
) -> None:
    """Plot the costs of NETWORKs, layer by layer and side by side, or their operations against their accuracy.

    --accuracy adds networks of yours to those whose accuracy is published; it plots against accuracy.

    Needs matplotlib: pip install 'archcalc[plot]'.
    """
    from archcalc.quantities.table import COSTS, choose
    from archcalc.render.plot.bars import bars
    from archcalc.render.plot.figure import save
    from archcalc.render.plot.growth import growth

    metrics = choose(metric, COSTS, "archcalc plot --metric help")
    if against == "accuracy" or given:
        figure = _accuracy(networks, _percents(given), opener)
    elif networks:
        analyses = [opener.analyze(name) for name in networks]
        figure = growth(analyses, depth) if against == "field" else bars(analyses, metrics, depth)
    else:
        raise click.UsageError("no network to plot; write: archcalc plot alexnet vgg16")
    output.write(save(figure, output.format), "plot")


def _percents(given: tuple[str, ...]) -> dict[str, float]:
    """Read `NAME=PERCENT`, a network and a number from 0 to 100."""
    found = {}
    for text in given:
        name, _, percent = text.rpartition("=")
        try:
            found[name] = float(percent)
        except ValueError:
            found[name] = -1.0
        if not name or not 0 <= found[name] <= 100:
            raise UserError(f"--accuracy takes NAME=PERCENT, such as mine.yaml=75.1, got {quote(text)}")
    return found


def _accuracy(networks: tuple[str, ...], percents: Mapping[str, float], opener: CountingOpener) -> object:
    """Return the chart of these networks, or of all whose accuracy is known, and of those that have one here."""
    from archcalc.analysis import analyze
    from archcalc.render.plot.accuracies import accuracies
    from archcalc.render.plot.bubbles import bubble, bubbles

    names = [*(networks or accuracies()), *percents]
    drawn = []
    for name in dict.fromkeys(names):
        with waiting(f"plot {name}"):
            network = opener.open(name)
            drawn.append(bubble(analyze(network), _family(network), percents.get(name)))
    return bubbles(drawn)


def _family(network: Network) -> str:
    """Return the name of the file in which a network is written."""
    place = network.layers[0].place
    return Path(place.file).stem if place is not None else network.name
