"""An ONNX file to a Network: nodes become calls, and nothing is computed but short tensors of sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.errors import UserError
from archcalc.imports.onnx_inputs import Batch, free_inputs, network_inputs
from archcalc.imports.onnx_model import read_model
from archcalc.imports.onnx_nodes import Reading
from archcalc.network import Network
from archcalc.words import quote

IMAGE_NODES = frozenset(["Conv", "ConvTranspose", "MaxPool", "AveragePool", "BatchNormalization", "GlobalAveragePool"])
"""Operations whose first axis is the batch."""


def read_onnx(path: Path, inputs: Mapping[str, Shape] | None = None) -> Network:
    """Return the network of an ONNX file.

    Args:
        path: the file. Weights may be in other files of its folder; they are not read.
        inputs: sizes of inputs that the file leaves open, per sample, by the inputs' names.

    Raises:
        MissingExtra: if onnx is not installed.
        UserError: if the file is not a valid ONNX model, or leaves sizes of its inputs open; the message says which.
    """
    model = read_model(path)
    best: Reading | None = None
    try:
        for batch in _batches(model, inputs or {}):
            reading = Reading(model, path.parent, path.stem, network_inputs(model.graph, inputs or {}, batch), batch)
            reading.read()
            if best is None or reading.faults < best.faults:
                best = reading
            if not best.faults:
                break
        assert best is not None
        return best.network()
    except UserError as error:
        raise type(error)(f"{quote(path.name)}: {error}") from error
    except RecursionError as error:
        raise UserError(f"{quote(path.name)}: its subgraphs are nested too deeply") from error


def _batches(model: Any, inputs: Mapping[str, Shape]) -> list[Batch]:
    """Return the ways to find the batch's axis that may be right, the likeliest first."""
    free = free_inputs(model.graph)
    if not free:
        raise UserError("the network has no inputs")
    dims = free[0].type.tensor_type.shape.dim
    if not dims or dims[0].WhichOneof("value") != "dim_value" or dims[0].dim_value < 0:
        return [Batch(symbol=dims[0].dim_param if dims else "")]
    size = dims[0].dim_value
    if size == 1 and len(dims) > 1:
        return [Batch(fixed=1), Batch(fixed=1, is_axis_0=True)]
    kinds = Counter(node.op_type for node in model.graph.node)
    return [Batch(fixed=size), Batch()] if IMAGE_NODES & kinds.keys() and size > 0 else [Batch()]
