"""`archcalc export`: the network as a PyTorch or an ONNX file, or as a spec without blocks and loops."""

from __future__ import annotations

from typing import Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import FORMATS, result_options
from archcalc.cli._options import Overrides, file_name, network_options
from archcalc.cli._streams import write


class Batch(click.IntRange):
    """A number of samples, or `any`."""

    name = "batch"

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "any" else super().convert(value, param, ctx)


@click.command(cls=Command, example="archcalc export resnet18 --to torch -o resnet18.py")
@click.argument("network")
@network_options
@click.option(
    "--batch", type=Batch(), default=1, metavar="N|any", help="Samples that the ONNX model takes at once. [1]"
)
@result_options(
    "torch",
    "onnx",
    "spec",
    default_file="NETWORK.py, .onnx or .yaml",
    option="--to",
    unsaid="no format to write; use --to torch, --to onnx or --to spec",
)
def command(network: str, overrides: Overrides, batch: int | str, format_: str, output: str | None) -> None:
    """Write NETWORK as readable source of a torch.nn.Module that needs nothing but torch, as an ONNX model, or as a
    spec that says it layer by layer.

    The names of weights are the spec's own: a state_dict of `archcalc.build` or of the implementation that the spec
    names loads into the module. The weights of an ONNX model are random. The spec has no parameters, loops and
    blocks: they are written out.
    """
    from archcalc.requirements import need_torch

    if format_ != "spec":
        need_torch()
    opened = overrides.open(network)
    if format_ == "spec":
        from archcalc.render.spec import network_spec

        content: str | bytes = network_spec(opened)
    elif format_ == "torch":
        from archcalc.runtime.export.source import torch_source

        content = torch_source(opened)
    else:
        from archcalc.runtime.export.onnx import onnx_model

        content = onnx_model(opened, None if isinstance(batch, str) else batch)
    write(content, output or f"{file_name(opened.name)}{FORMATS[format_].suffixes[0]}")
