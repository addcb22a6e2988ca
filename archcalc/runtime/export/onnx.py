"""A network as an ONNX model."""

from __future__ import annotations

import torch

from archcalc.analysis import analyze
from archcalc.errors import UserError
from archcalc.imports.quiet import quiet
from archcalc.network import Network
from archcalc.requirements import need
from archcalc.runtime.building import build_module

MAX_BYTES = 2**31
"""Largest protocol buffer."""


def onnx_model(network: Network, batch: int | None = 1) -> bytes:
    """Return a network with random weights as a serialized ONNX model.

    Args:
        network: the network; auxiliary layers are left out.
        batch: samples of each input; None leaves the batch dynamic.

    Raises:
        MissingExtra: if onnx or onnxscript is not installed.
        UserError: if the exporter does not support an operation, or if the file would have 2 GiB or more.
    """
    need("onnx", "onnx")
    need("onnxscript", "onnx")
    bytes_needed = analyze(network).totals.params * 4
    if bytes_needed >= MAX_BYTES:
        raise UserError(
            f"{network.name} has parameters of {bytes_needed:,} bytes, and an ONNX file must be below 2 GiB"
        )
    module = build_module(network).eval()
    samples = 2 if batch is None else batch  # the exporter takes a size of 1 for a constant
    inputs = tuple(
        torch.zeros((samples, *shape), dtype=torch.long) if name in network.indices else torch.zeros(samples, *shape)
        for name, shape in network.inputs.items()
    )
    open_batch = None if batch is not None else tuple({0: torch.export.Dim("batch")} for _ in inputs)
    with quiet():
        try:
            program = torch.onnx.export(
                module,
                inputs,
                dynamo=True,
                verbose=False,
                input_names=list(network.inputs),
                output_names=["output"] if len(network.outputs) == 1 else list(network.outputs),
                dynamic_shapes=open_batch,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error).strip().partition("\n")[0]
            raise UserError(f"{network.name} cannot be exported to ONNX: {reason}") from error
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content
