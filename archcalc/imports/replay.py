"""Calls of PyTorch run again, where no operator says them: for a module that is built of a traced network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from archcalc.imports.batch import for_batch, has_batch
from archcalc.imports.exporting import FRESH
from archcalc.imports.moving import SAME
from archcalc.imports.nodes import operation_of
from archcalc.ops.calls import Operand, Stored
from archcalc.structs import Struct


class Replay(Struct):
    """The origin of a layer that is run again as PyTorch ran it."""

    nodes: Sequence[fx.Node]
    """The calls in order, none for a stored tensor itself."""
    result: fx.Node
    """The node that gives the output."""
    output: Operand
    inputs: Sequence[tuple[fx.Node, Operand, int]]
    """The nodes that it takes, the tensors that they give as they are traced, and the numbers of these inputs."""
    tensors: Mapping[str, tuple[Stored, fx.Node, Tensor]]
    """Name of each stored tensor in the layer to what it is, its node, and itself."""
    values: Mapping[fx.Node, Any]
    """Numbers that nodes stand for."""
    item: int | None = None
    """Which of several outputs is meant; None if there is one."""
    place: None = None

    def make_module(self) -> nn.Module:
        """Return a module that runs the calls; its tensors have the names in the layer."""
        return Replayed(self)


class Replayed(nn.Module):
    """Calls of PyTorch as they were traced, for any batch."""

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self.replay = replay
        for name, (stored, _, example) in replay.tensors.items():
            copied = example.detach().clone()
            if stored.trained:
                self.register_parameter(name, nn.Parameter(copied))
            else:
                self.register_buffer(name, copied, persistent=stored.in_state)

    def forward(self, *inputs: Tensor) -> Tensor:
        replay, batch = self.replay, inputs[0].shape[0]
        values: dict[fx.Node, Any] = dict(replay.values)
        values.update({node: getattr(self, name) for name, (_, node, _) in replay.tensors.items()})
        for node, operand, number in replay.inputs:
            values[node] = _as_traced(inputs[number], operand, tuple(node.meta["val"].shape))
        for node in replay.nodes:
            if node not in values:
                values[node] = _run(node, values, batch, inputs[0])
        result = values[replay.result]
        result = result if replay.item is None else result[replay.item]
        if not torch.is_grad_enabled():
            result = result.detach()  # FlopCounterMode refuses views of parameters where nothing is differentiated
        result = _per_sample(result, replay.output, batch)
        if _becomes_float(replay.result) and inputs[0].is_floating_point():
            return result.to(inputs[0].dtype)
        return result.float() if _becomes_float(replay.result) else result


def _becomes_float(node: fx.Node) -> bool:
    """Return True if the integers of a call are made floats by all that take them."""
    result = node.meta.get("val")
    if not isinstance(result, Tensor) or result.is_floating_point() or not node.users:
        return False
    casts = [user for user in node.users if operation_of(user) in SAME]
    others = [user for user in node.users if user not in casts and isinstance(user.meta.get("val"), Tensor)]
    types = [user.meta["val"].is_floating_point() for user in casts if isinstance(user.meta.get("val"), Tensor)]
    return bool(types) and not others and all(types)


def _empty(node: fx.Node, batch: int, like: Tensor) -> Tensor:
    """Return a tensor with the sizes of a node's, of which only these are taken."""
    return like.new_empty([for_batch(size, batch) for size in node.meta["val"].shape])


def _run(node: fx.Node, values: Mapping[fx.Node, Any], batch: int, like: Tensor) -> Any:
    """Call what a node calls; sizes that are multiples of the traced batch become those of this one."""

    takes_type_only = operation_of(node) in FRESH | SAME

    def given(argument: Any) -> Any:
        if isinstance(argument, fx.Node):
            return values[argument] if argument in values or not takes_type_only else _empty(argument, batch, like)
        if isinstance(argument, (list, tuple)):
            return [given(item) for item in argument]
        if type(argument) is int:
            return for_batch(argument, batch)
        return like.device if isinstance(argument, torch.device) else argument

    assert callable(node.target)
    result = node.target(*map(given, node.args), **{key: given(value) for key, value in node.kwargs.items()})
    if isinstance(result, Tensor) and result.is_floating_point() and like.is_floating_point():
        return result.to(like.dtype)  # what a call makes anew has the type that was traced
    return result


def _as_traced(tensor: Tensor, operand: Operand, sizes: Sequence[int]) -> Tensor:
    """Return a tensor whose first axis is the batch with the axes that it had when it was traced."""
    batch = tensor.shape[0]
    if not any(map(has_batch, sizes)):
        return tensor[:1].reshape(tuple(sizes))  # the same for every sample
    assert operand.batch is not None
    moved = tensor.movedim(0, operand.batch + operand.inner)
    return moved.reshape([for_batch(size, batch) for size in sizes])


def _per_sample(tensor: Tensor, output: Operand, batch: int) -> Tensor:
    """Return a traced result with the batch as its first axis, and the sizes of one sample behind it."""
    if tensor.numel() and not any(map(has_batch, output.sizes)):  # the same for every sample
        return tensor.reshape((1, *output.shape)).expand(batch, *output.shape)
    if output.batch is None or tensor.numel() != batch * math.prod(output.shape):  # it pairs samples
        return tensor
    sizes = list(tensor.shape)
    rows = sizes[output.batch] // batch
    sizes[output.batch : output.batch + 1] = [rows, batch] if output.inner else [batch, rows]
    return tensor.reshape(sizes).movedim(output.batch + output.inner, 0).reshape(batch, *output.shape)
