"""`archcalc schema`: the JSON Schema of specs, for editors."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import file_option
from archcalc.cli._streams import write


@click.command(cls=Command, example="archcalc schema -o archcalc.schema.json")
@click.argument("network", required=False)
@file_option("-o", "--output", formats=["json"], help="Write to FILE, or - for the terminal. [-]")
def command(network: str | None, output: str | None) -> None:
    """Print a JSON Schema of specs (draft 2020-12), by which an editor completes, explains and checks them.

    With NETWORK, a file or a bundled name, the schema of that spec: it knows its blocks, parameters and variants.
    """
    import json

    from archcalc.imports.opening import need_spec
    from archcalc.language.library import find
    from archcalc.language.schema import spec_schema

    if network is not None:
        need_spec(network, "a schema")
    schema = spec_schema(None if network is None else find(network)[0])
    write(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", output)
