"""`archcalc import`: a network from elsewhere as a spec."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, result_options
from archcalc.cli._options import Opener, network_options


@click.command(
    cls=Command,
    topic="design",
    short_help="Write a PyTorch or ONNX model as a spec.",
    example="archcalc import train.py:Net --input 3,32,32 -o net.yaml",
)
@click.argument("network")
@network_options
@result_options("spec")
def command(network: str, opener: Opener, output: Output) -> None:
    """Write NETWORK as a spec, to read and to change: a PyTorch module, an ONNX file, or any other network.

    NETWORK is timm:NAME, torchvision:NAME, transformers:CLASS or the name of a well-known checkpoint, FILE.onnx, or
    FILE.py:CLASS, each with "(KEYWORD=VALUE, …)" if needed. A Python file is run. Weights are not read.
    """
    from archcalc.render.folding import folded_spec

    output.write(folded_spec(opener.open(network)))
