"""`archcalc formula`: closed forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import Overrides, counting_options, network_options, quantities_option

if TYPE_CHECKING:
    from archcalc.analysis import Counting


@click.command(cls=Command, example="archcalc formula resnet50 --let H=32*h --let width=w --of params,macs")
@click.argument("network")
@click.option("--let", "lets", multiple=True, metavar="NAME=EXPR", help="Leave a parameter or a size (H) open.")
@quantities_option
@network_options
@counting_options
@document_options("python")
def command(
    network: str, lets: tuple[str, ...], of: str, overrides: Overrides, counting: Counting, output: Output
) -> None:
    """Write the closed forms of NETWORK's numbers in the sizes and parameters that are left open.

    NETWORK is a bundled name, a file, or an inline spec such as "conv(5, C->C)" or "conv 3x3 C->C, conv 3x3 C->C",
    whose names are open.
    """
    from archcalc.quantities.table import FORMULAS
    from archcalc.render.mathematics import formulas_document, formulas_source
    from archcalc.symbolic.formulas import formulas

    if of == "help":
        output.show_meanings(FORMULAS)
        return
    family = overrides.open_family(network, lets)
    found = formulas(family, of.split(","), counting)
    if output.format == "python":
        output.write(formulas_source(found))
    else:
        output.show(formulas_document(found, counting.convention))
