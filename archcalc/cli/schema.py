"""`archcalc schema`: the JSON Schema of specs, for editors."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import file_option
from archcalc.cli._options import Opener, import_options
from archcalc.cli._streams import write


@click.command(
    cls=Command,
    topic="design",
    short_help="Print a JSON Schema of specs, for editors.",
    example="archcalc schema -o archcalc.schema.json",
)
@click.argument("network", required=False)
@import_options
@file_option("-o", "--output", formats=["json"], help="Write to FILE, or - for the terminal. [-]")
def command(network: str | None, opener: Opener, output: str | None) -> None:
    """Print a JSON Schema of specs (draft 2020-12), by which an editor completes, explains and checks them.

    With NETWORK, a file or a bundled name, the schema of that spec: it knows its blocks, parameters and variants. For
    a network from elsewhere it is that of the spec that `archcalc import` writes.
    """
    import json

    from archcalc.language.library import find, open_document
    from archcalc.language.schema import spec_schema

    spec = None
    if network is not None:
        written = opener.written(network)
        spec = find(network)[0] if written is None else open_document(written)
    write(json.dumps(spec_schema(spec), indent=1, ensure_ascii=False) + "\n", output)
