"""What the nodes of an exported program say: their operations, arguments, results and modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from archcalc.imports.batch import BATCH, batch_axes, batch_axis, has_batch
from archcalc.ops.calls import Operand

COUNTED = frozenset(["add", "div", "floor_divide", "mul", "pow", "remainder", "rsub", "sub"])
"""Operations whose integers are numbers to compute with, not sizes."""


def stored_names(module: nn.Module) -> dict[str, list[str]]:
    """Return the names of each stored tensor; PyTorch uses one of them for all uses of a tied weight."""
    names: dict[int, list[str]] = {}
    for name, tensor in (
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ):
        names.setdefault(id(tensor), []).append(name)
    return {name: group for group in names.values() for name in group}


def is_empty(value: Any) -> bool:
    """Return True for a node that gives a tensor without elements."""
    result = value.meta.get("val") if isinstance(value, fx.Node) else None
    return isinstance(result, Tensor) and result.numel() == 0


def operand_of(result: Tensor) -> Operand:
    """Return the result of a call, of no layer yet.

    If it pairs the samples of the batch, its shape is that for a batch of one.
    """
    sizes, axes = tuple(result.shape), batch_axes(result.shape)
    for axis in axes[1:]:
        sizes = (*sizes[:axis], sizes[axis] // BATCH, *sizes[axis + 1 :])
    return Operand("", sizes, *batch_axis(sizes))


def computes_otherwise(node: fx.Node) -> bool:
    """Return True for arithmetic that no operator says: with the size of the batch, of integers, or rounded."""
    return _has_batch(node) or _is_of_indices(node) or node.kwargs.get("rounding_mode") is not None


def _has_batch(node: fx.Node) -> bool:
    """Return True if a call computes with the size of the batch, which is no number of the network."""
    return operation_of(node) in COUNTED and any(
        type(argument) is int and has_batch(argument) for argument in node.args
    )


def _is_of_indices(node: fx.Node) -> bool:
    """Return True if a call computes integers, which no operator of numbers does."""
    result = node.meta.get("val")
    if not isinstance(result, Tensor) or result.is_floating_point() or result.is_complex():
        return False
    return result.dtype is not torch.bool and operation_of(node) in COUNTED


def becomes_mask(node: fx.Node) -> bool:
    """Return True if a call gives a mask of numbers, such as 1 and 0 for tokens that are there and that are not."""
    given, found = (tensor.meta.get("val") for tensor in (node.all_input_nodes[0], node))
    if not isinstance(given, Tensor) or not isinstance(found, Tensor):
        return False
    return found.dtype is torch.bool and given.dtype is not torch.bool


def every_call(graph_module: fx.GraphModule) -> Iterator[fx.Node]:
    """Yield the calls of a graph and of the graphs in it."""
    for part in graph_module.modules():
        if isinstance(part, fx.GraphModule):
            yield from (node for node in part.graph.nodes if node.op == "call_function")


def call_name(node: fx.Node) -> str:
    """Return the name of what a call calls, without overload; with an underscore at its end if it writes in place."""
    return getattr(node.target, "__name__", str(node.target)).partition(".")[0]


def operation_of(node: fx.Node) -> str:
    """Return the name of a call's operation, without overload and trailing underscore."""
    return call_name(node).rstrip("_")


def bound_arguments(node: fx.Node) -> dict[str, Any]:
    """Return the arguments of a call by the names of its schema, with its defaults."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {str(index): value for index, value in enumerate(node.args)} | dict(node.kwargs)
    given = dict(zip((argument.name for argument in schema.arguments), node.args, strict=False)) | dict(node.kwargs)
    return {
        argument.name: given.get(argument.name, argument.default_value if argument.has_default_value() else None)
        for argument in schema.arguments
    }


def module_keys(node: fx.Node) -> list[str]:
    """Return the keys of the modules that a call is in, from the outside."""
    return list(node.meta.get("nn_module_stack") or ())


def module_path(node: fx.Node) -> str:
    """Return the path of the innermost module that a call is in."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(next(reversed(stack.values()))[0]) if stack else ""


def module_class(node: fx.Node) -> str:
    """Return the class of the innermost module that a call is in, if it is PyTorch's own; else an empty text."""
    stack = node.meta.get("nn_module_stack") or {}
    package, _, name = str(next(reversed(stack.values()))[1] if stack else "").rpartition(".")
    return f"nn.{name}" if package.startswith("torch.nn.modules.") else ""
