"""`archcalc explain`: a number derived step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import Overrides, counting_options, network_options
from archcalc.cli._streams import remark
from archcalc.errors import SpecError

if TYPE_CHECKING:
    from archcalc.analysis import Counting


@click.command(cls=Command, example="archcalc explain alexnet conv1 --quantity output")
@click.argument("network")
@click.argument("layer", required=False)
@click.option("--quantity", metavar="A,B,…", help="Quantities: output, memory, params, macs, flops, rf. [all]")
@network_options
@counting_options
@document_options()
@click.pass_context
def command(
    context: click.Context,
    network: str,
    layer: str | None,
    quantity: str | None,
    overrides: Overrides,
    counting: Counting,
    output: Output,
) -> None:
    """Derive the numbers of LAYER in NETWORK step by step; without LAYER, those of every layer.

    If the spec fails because a size does not fit, explain why and exit 2, as every command does.
    """
    from archcalc.receptive.fields import FieldPropagation
    from archcalc.render.mathematics import explanations_document
    from archcalc.symbolic.derivations import DERIVED, explain, explain_failure

    try:
        opened = overrides.open(network)
    except SpecError as error:
        calls = [mistake.call for mistake in error.diagnostics if mistake.call is not None]
        if not calls:
            raise
        remark(str(error))
        failed = [explanation for call in calls for explanation in explain_failure(call)]
        output.show(explanations_document(failed))
        context.exit(2)
    chosen = tuple(quantity.split(",")) if quantity else DERIVED
    names = [layer] if layer else [each.name for each in opened.layers]
    propagation = FieldPropagation(opened)
    found = [
        explanation
        for name in names
        for explanation in explain(opened, name, chosen, counting, propagation=propagation)
    ]
    output.show(explanations_document(found))
