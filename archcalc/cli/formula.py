"""`archcalc formula`: closed forms."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import CountingOpener, change_options, counting_options, quantities_option


@click.command(
    cls=Command,
    topic="explain",
    short_help="Write totals as formulas of what is left open.",
    example="archcalc formula resnet50 --let H=32*h --let width=w --of params,macs",
)
@click.argument("network")
@click.option("--let", "lets", multiple=True, metavar="NAME=EXPR", help="Leave a parameter, a size or the batch open.")
@quantities_option
@change_options
@counting_options
@document_options("python")
def command(network: str, lets: tuple[str, ...], of: str, opener: CountingOpener, output: Output) -> None:
    """Write the closed forms of NETWORK's numbers in the sizes and parameters that are left open.

    NETWORK is a bundled name, a file, or an inline spec such as "conv(5, C->C)" or "conv 3x3 C->C, conv 3x3 C->C",
    whose names are open.
    """
    from archcalc.render.mathematics import formulas_document, formulas_source
    from archcalc.symbolic.formulas import formulas

    batches = [let.partition("=")[2].strip() for let in lets if _is_batch(let)]
    family = opener.open_family(network, tuple(let for let in lets if not _is_batch(let)))
    found = formulas(family, of.split(","), opener.counting, batches[-1] if batches else "")
    if output.format == "python":
        output.write(formulas_source(found))
    else:
        output.show(formulas_document(found, opener.counting.convention))


def _is_batch(let: str) -> bool:
    """Return True if a `--let` leaves the batch open."""
    return let.partition("=")[0].strip() == "batch" and bool(let.partition("=")[2].strip())
