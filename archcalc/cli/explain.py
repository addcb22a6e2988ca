"""`archcalc explain`: a number derived step by step."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import CountingOpener, change_options, counting_options
from archcalc.cli._streams import remark
from archcalc.errors import SpecError


@click.command(
    cls=Command,
    topic="explain",
    short_help="Derive the numbers of a layer, step by step.",
    example="archcalc explain alexnet conv1 --quantity output",
)
@click.argument("network")
@click.argument("layer", required=False)
@click.option(
    "--quantity",
    metavar="A,B,…",
    help="Quantities, such as params,rf; `--quantity help` lists them. [all of a layer]",
)
@change_options
@counting_options
@document_options()
def command(
    network: str,
    layer: str | None,
    quantity: str | None,
    opener: CountingOpener,
    output: Output,
) -> int:
    """Derive the numbers of LAYER in NETWORK step by step; without LAYER, those of every layer.

    First comes what the layer is, and what each letter means. LAYER may be a group, or `total`: then the largest parts
    of each sum are listed.

    Of a whole network, weight_memory, saved_memory, training_memory and cache_memory are derived.

    If the spec fails because a size does not fit, explain why and exit 2, as every command does.
    """
    from archcalc.analysis import analyze
    from archcalc.quantities.table import choose
    from archcalc.receptive.fields import FieldPropagation
    from archcalc.render.legend import with_legend
    from archcalc.render.mathematics import explanations_document
    from archcalc.symbolic.derivations import DERIVED, explain, explain_failure
    from archcalc.symbolic.network_derivations import OF_NETWORK, SUMMED, TOTAL, explain_network, explain_sum

    try:
        opened = opener.open(network)
    except SpecError as error:
        calls = [mistake.call for mistake in error.diagnostics if mistake.call is not None]
        if not calls:
            raise
        remark(error.report())
        failed = [explanation for call in calls for explanation in explain_failure(call)]
        output.show(explanations_document(failed))
        return 2
    chosen = choose(quantity, (*DERIVED, *OF_NETWORK), "archcalc explain --quantity help") if quantity else DERIVED
    of_network = [name for name in chosen if name in OF_NETWORK]
    if of_network and layer is not None:
        raise click.UsageError(f"{of_network[0]} is of the whole network; leave out {layer}")
    chosen = tuple(name for name in chosen if name not in OF_NETWORK)
    if layer is not None and (layer == TOTAL or layer in opened.groups):
        summed = tuple(name for name in chosen if quantity or name in SUMMED)
        output.show(explanations_document(explain_sum(analyze(opened, opener.counting), layer, summed)))
        return 0
    names = [] if not chosen else [layer] if layer else [each.name for each in opened.layers]
    propagation = FieldPropagation(opened)
    found = explain_network(analyze(opened, opener.counting), of_network) if of_network else []
    for name in names:
        found += with_legend(opened, name, explain(opened, name, chosen, opener.counting, propagation=propagation))
    output.show(explanations_document(found))
    return 0
