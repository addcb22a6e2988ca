"""Multiply-adds of a call of PyTorch, from the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils.flop_counter import FlopCounterMode

from archcalc.arithmetic import product
from archcalc.imports.batch import BATCH
from archcalc.imports.einsum import einsum_macs
from archcalc.imports.mapping import known
from archcalc.imports.moving import MOVING, SAME
from archcalc.imports.nodes import operation_of


def multiply_adds(node: Any) -> int:
    """Return the multiply-adds of a call for the whole batch; 0 if it multiplies nothing by weights or matrices."""
    name = operation_of(node)
    rule = RULES.get(name)
    if rule is not None:
        return rule(node)
    is_known = name in SAME | MOVING or name in known("aten")
    return 0 if is_known or not _is_composite(node) else _counted(node)


def macs_per_sample(node: fx.Node) -> int:
    """Return the multiply-adds of a call for a batch of one."""
    macs = multiply_adds(node)
    if macs < BATCH:
        return 0
    if macs % BATCH:  # some are done once for the batch
        return macs // BATCH
    while macs and macs % BATCH == 0:
        macs //= BATCH
    return macs


def is_uncounted(node: fx.Node) -> bool:
    """Return True if a call may multiply more than `macs_per_sample` says: nothing here knows its arithmetic."""
    name, macs = operation_of(node), multiply_adds(node)
    if name in RULES:
        return False
    is_own = getattr(node.target, "namespace", "aten") not in ("aten", "prims", "torchvision")
    return (macs > BATCH and macs % BATCH > 0) or (not macs and (is_own or name.startswith(UNCOUNTED)))


def pairs_samples(node: fx.Node) -> bool:
    """Return True if the multiply-adds of a call grow with the square of the batch's size."""
    macs = multiply_adds(node)
    return macs > 0 and macs % BATCH**2 == 0


def _is_composite(node: Any) -> bool:
    """Return True for a call that PyTorch itself makes of other calls."""
    name = getattr(node.target, "name", None)
    return callable(name) and torch._C._dispatch_has_kernel_for_dispatch_key(name(), "CompositeImplicitAutograd")


def _counted(node: Any) -> int:
    """Return what PyTorch's counter counts of a call without numbers; 0 if it cannot be made so."""

    def given(argument: Any) -> Any:
        return argument.meta.get("val") if isinstance(argument, fx.Node) else argument

    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            node.target(*fx.node.map_aggregate(node.args, given), **fx.node.map_aggregate(node.kwargs, given))
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return 0
    return int(counter.get_total_flops()) // 2


def _shapes(node: Any) -> list[tuple[int, ...]]:
    return [
        tuple(argument.meta["val"].shape)
        for argument in node.args
        if hasattr(argument, "meta") and isinstance(argument.meta.get("val"), Tensor)
    ]


def _out(node: Any) -> int:
    return int(product(tuple(node.meta["val"].shape)))


def _product_of_matrices(node: Any) -> int:
    """Of a `matmul`, `mm`, `bmm`, `mv`, `dot`: each element of the output sums over the last axis of the first."""
    return _out(node) * _shapes(node)[0][-1]


def _added(node: Any) -> int:
    """Of an `addmm`, `baddbmm`: the first tensor is added."""
    return _out(node) * _shapes(node)[1][-1]


def _linear(node: Any) -> int:
    return _out(node) * _shapes(node)[0][-1]


def _convolution(node: Any) -> int:
    weight = _shapes(node)[1]
    return _out(node) * int(product(weight[1:]))


def _transposed(node: Any) -> int:
    x, weight = _shapes(node)[:2]
    return int(product(x)) * int(product(weight[1:]))


def _attention(node: Any) -> int:
    query, key, value = _shapes(node)[:3]
    return int(product(query[:-1])) * key[-2] * (query[-1] + value[-1])


def _bilinear(node: Any) -> int:
    first, second = _shapes(node)[:2]
    return _out(node) * first[-1] * second[-1]


def _convolution_in_time(node: Any) -> int:
    """Of a `conv_tbc`: the weight is `[kernel, in, out]`."""
    return _out(node) * int(product(_shapes(node)[1][:2]))


def _einsum(node: Any) -> int:
    equation, tensors = node.args[:2]
    return einsum_macs(equation, [tuple(tensor.meta["val"].shape) for tensor in tensors])


def _recurrent(node: Any) -> int:
    """Every step of every sequence multiplies by all matrices."""
    x, _, tensors = node.args[:3]
    matrices = [tensor.meta["val"].shape for tensor in tensors if len(tensor.meta["val"].shape) == 2]
    return int(product(tuple(x.meta["val"].shape[:-1]))) * sum(int(product(tuple(shape))) for shape in matrices)


RULES: dict[str, Callable[[Any], int]] = {
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), _product_of_matrices),
    # Each row goes to the matrix of one expert. PyTorch's counter counts 0.
    **dict.fromkeys(("grouped_mm", "_grouped_mm", "grouped_mm_fallback"), _product_of_matrices),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm", "addmv"), _added),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "deform_conv2d"), _convolution),
    "conv_tbc": _convolution_in_time,
    "bilinear": _bilinear,
    "cdist": _product_of_matrices,
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _recurrent),
    "linear": _linear,
    "scaled_dot_product_attention": _attention,
    "einsum": _einsum,
}
UNCOUNTED = ("linalg_", "fft_", "_linalg", "_fft", "cholesky", "lu_", "svd", "qr", "inverse", "logdet", "pinverse")
"""Beginnings of the names of operations whose multiply-adds depend on an algorithm."""
