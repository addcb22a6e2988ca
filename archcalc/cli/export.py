"""`archcalc export`: the network as a PyTorch or an ONNX file, or as a spec with the blocks and loops found in it."""

from __future__ import annotations

from typing import Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, result_options
from archcalc.cli._options import Opener, change_options, file_name, refuse_alone


class BatchSize(click.IntRange):
    """A number of samples, or `any`."""

    name = "batch"

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "any" else super().convert(value, param, ctx)


@click.command(
    cls=Command,
    topic="design",
    short_help="Write a network as PyTorch, ONNX or a plain spec.",
    example="archcalc export resnet18 --to torch -o resnet18.py",
)
@click.argument("network")
@change_options
@click.option(
    "--batch", type=BatchSize(), default=1, metavar="N|any", help="Samples that the ONNX model takes at once. [1]"
)
@result_options(
    "torch",
    "onnx",
    "spec",
    default_file="NETWORK.py, .onnx or .yaml",
    option="--to",
    unsaid="no format to write; use --to torch, --to onnx or --to spec",
)
def command(network: str, opener: Opener, batch: int | str, output: Output) -> None:
    """Write NETWORK as readable source of a torch.nn.Module that needs nothing but torch, as an ONNX model, or as a
    spec with blocks and loops for what repeats.

    The names of weights are the spec's own: a state_dict of `archcalc.build` or of the implementation that the spec
    names loads into the module. The weights of an ONNX model are random. The blocks, loops
    and branches of the spec are found in the layers, so they can differ from those that NETWORK was written with.
    """
    from archcalc.requirements import need_torch

    if output.format != "onnx":
        refuse_alone("--to onnx", "batch")
    if output.format != "spec":
        need_torch()
    opened = opener.open(network)
    if output.format == "spec":
        from archcalc.render.folding import folded_spec

        content: str | bytes = folded_spec(opened)
    elif output.format == "torch":
        from archcalc.runtime.export.source import torch_source

        content = torch_source(opened)
    else:
        from archcalc.runtime.export.onnx import onnx_model

        content = onnx_model(opened, None if isinstance(batch, str) else batch)
    output.write(content, file_name(opened.name))
