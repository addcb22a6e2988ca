"""`archcalc formula`: closed forms."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import format_of, result_options
from archcalc.cli._options import (
    counting_options,
    network_options,
    open_family,
    quantities_option,
)
from archcalc.cli._streams import write


@click.command(cls=Command, example="archcalc formula resnet50 --let H=32*h --let width=w --of params,macs")
@click.argument("network")
@click.option("--let", "lets", multiple=True, metavar="NAME=EXPR", help="Leave a parameter or a size (H) open.")
@quantities_option
@network_options
@counting_options
@result_options("text", "latex", "python", what="Format of the formulas")
def command(
    network: str,
    lets: tuple[str, ...],
    of: str,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    batch: int,
    dtype: str,
    convention: str,
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
    family = open_family(network, lets, settings, inputs)
    found = formulas(family, of.split(","), batch=batch, dtype=dtype, convention=convention)
    write(render_formulas(found, format_, convention), output)
