"""Arguments that several of ONNX's operations have: windows, axes, and numbers of every dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcalc.arithmetic import Shape, ShapeError
from archcalc.ops.calls import Call, Operand


def onnx_window(call: Call, kernel: Sequence[int]) -> dict[str, Any]:
    """Return stride, padding and dilation of a window, each with a value for every spatial dimension.

    The padding has pairs: before and after. Of `SAME_LOWER` the larger part of an odd amount is before.
    """
    rank = len(kernel)
    if len(call.x.sizes) != rank + 2:
        raise ShapeError("the kernel has another number of dimensions than the input")
    stride, dilation = (list(call.get(name) or [1] * rank) for name in ("strides", "dilations"))
    pads = list(call.get("pads") or [0] * 2 * rank)
    if not len(stride) == len(dilation) == rank or len(pads) != 2 * rank:
        raise ShapeError("an attribute of the window has another number of dimensions than the kernel")
    pairs = tuple(zip(pads[:rank], pads[rank:], strict=True))
    mode = call.get("auto_pad", "NOTSET")
    if mode == "VALID":
        pairs = ((0, 0),) * rank
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        pairs = same_pairs(call.x.shape[1:], kernel, stride, dilation, mode == "SAME_LOWER")
    return {"stride": tuple(stride), "padding": pairs, "dilation": tuple(dilation)}


def same_pairs(
    sizes: Shape, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], larger_first: bool
) -> tuple[tuple[int, int], ...]:
    """Return the padding with which a window has ``ceil(size / stride)`` positions."""
    pairs = []
    for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        less = total // 2
        pairs.append((total - less, less) if larger_first else (less, total - less))
    return tuple(pairs)


def even(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return a padding that is the same on both sides. Raises `ShapeError` for another."""
    if any(before != after for before, after in pairs):
        raise ShapeError("the padding is not the same on both sides")
    return tuple(before for before, _ in pairs)


def pooling_window(call: Call) -> dict[str, Any]:
    """Return kernel, stride, padding and `ceil_mode` of a pooling, as the operators take them."""
    kernel = tuple(call.arguments["kernel_shape"])
    window = onnx_window(call, kernel)
    if any(step != 1 for step in window["dilation"]) and call.operation != "MaxPool":
        raise ShapeError("an average over a dilated window")
    found: dict[str, Any] = {"kernel": kernel, "stride": window["stride"]}
    if call.operation == "MaxPool":
        found["dilation"] = window["dilation"]
    pairs, ceil = window["padding"], bool(call.get("ceil_mode", 0))
    if all(before == after for before, after in pairs):
        return {**found, "padding": even(pairs), "ceil_mode": ceil}
    same = same_pairs(call.x.shape[1:], kernel, window["stride"], window["dilation"], False)
    if pairs != same or ceil or call.get("count_include_pad", 0):
        raise ShapeError("the padding is neither the same on both sides nor TensorFlow's")
    return {**found, "padding": "same"}


def only_operands(call: Call, *names: str) -> bool:
    """Return True if the arguments of these names are computed tensors."""
    return all(isinstance(call.arguments.get(name), Operand) for name in names)
