"""`archcalc compare`: networks, inline specs or conventions side by side."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import CountingOpener, change_options, counting_options
from archcalc.errors import SpecError


@click.command(
    cls=Command,
    topic="explain",
    short_help="Compare the costs of networks or of conventions.",
    example="archcalc compare alexnet vgg16",
)
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK…")
@click.option("--conventions", is_flag=True, help="Compare the conventions, for one network.")
@click.option("--backward", is_flag=True, help="With --conventions: count a training step.")
@change_options
@counting_options
@document_options()
def command(
    networks: tuple[str, ...],
    conventions: bool,
    backward: bool,
    opener: CountingOpener,
    output: Output,
) -> None:
    """Compare networks: totals, ratios to the first, and the share of each spatial size in the cost.

    Inline specs such as "conv 5x5 C->C" are compared by their formulas. With --conventions, one network is counted by
    every convention; with --backward too, its training step is, by those that count it.
    """
    from archcalc.language.family import is_inline_spec
    from archcalc.quantities.compare import by_convention, compare, steps_by_convention
    from archcalc.render.comparison import comparison_document, conventions_document, formulas_document
    from archcalc.symbolic.formulas import formulas

    if conventions:
        if len(networks) != 1:
            raise SpecError("--conventions takes one network")
        count = steps_by_convention if backward else by_convention
        names, rows = count(opener.open(networks[0]), opener.counting)
        output.show(conventions_document(names, rows, networks[0]))
        return
    if backward:
        raise SpecError("--backward needs --conventions")
    if len(networks) < 2:
        raise SpecError("expected two networks or more, or one with --conventions")
    are_inline = [is_inline_spec(name) for name in networks]
    if all(are_inline):
        quantities = ("params", "macs", "rf")
        found = [formulas(opener.open_family(spec, ()), quantities, opener.counting) for spec in networks]
        output.show(formulas_document(found, opener.counting.convention))
        return
    if any(are_inline):
        raise SpecError("cannot compare an inline spec with a network, because its sizes are open")
    analyses = [opener.analyze(network) for network in networks]
    output.show(comparison_document(compare(analyses), analyses))
