"""`archcalc formula`: closed forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import format_of, result_options
from archcalc.cli._options import (
    Overrides,
    counting_options,
    network_options,
    quantities_option,
)
from archcalc.cli._streams import write

if TYPE_CHECKING:
    from archcalc.analysis import Counting


@click.command(cls=Command, example="archcalc formula resnet50 --let H=32*h --let width=w --of params,macs")
@click.argument("network")
@click.option("--let", "lets", multiple=True, metavar="NAME=EXPR", help="Leave a parameter or a size (H) open.")
@quantities_option
@network_options
@counting_options
@result_options("text", "latex", "python")
def command(
    network: str,
    lets: tuple[str, ...],
    of: str,
    overrides: Overrides,
    counting: Counting,
    format_: str,
    output: str | None,
) -> None:
    """Write NETWORK's numbers as formulas in what is left open.

    NETWORK is a bundled name, a file, or a piece such as "conv(5, C->C)" or "conv 3x3 C->C, conv 3x3 C->C", whose
    names are open as they stand.
    """
    from archcalc.quantities.table import FORMULAS, meanings
    from archcalc.render.mathematics import render_formulas
    from archcalc.symbolic.formulas import formulas

    if of == "help":
        format_of(output, None, ("text",))
        write(meanings(FORMULAS), output)
        return
    family = overrides.open_family(network, lets)
    found = formulas(family, of.split(","), counting)
    write(render_formulas(found, format_, counting.convention), output)
