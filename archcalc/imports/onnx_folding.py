"""Arithmetic on sizes inside ONNX models: operations on short constant tensors, computed with NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST = 4096
"""The most elements of a tensor that is computed."""


class TooLong(Exception):
    """A result would have more than `MOST` elements."""


def fold(operation: str, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> list[Any] | None:
    """Return the outputs of an operation on constant arrays; None if it is not computed.

    Args:
        operation: its name.
        inputs: arrays, or None for inputs that are left out.
        attributes: by name.
    """
    import numpy

    rule = RULES.get(operation)
    if rule is None or not inputs:
        return None
    try:
        with numpy.errstate(all="ignore"):
            found = rule(numpy, list(inputs), attributes)
    except (TooLong, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, ZeroDivisionError):
        return None
    found = found if isinstance(found, list) else [found]
    arrays = [numpy.asarray(output) for output in found]
    return arrays if all(array.size <= MOST for array in arrays) else None


def _checked(sizes: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in sizes)
    if math.prod(sizes) > MOST:
        raise TooLong
    return sizes


def _broadcast(np: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    """Return arrays that go with each other. Raises `TooLong` if what they give is."""
    _checked(np.broadcast_shapes(*(array.shape for array in inputs)))
    return inputs


def _of_two(name: str) -> Callable[..., Any]:
    return lambda np, inputs, attributes: getattr(np, name)(*_broadcast(np, inputs))


def _of_one(name: str) -> Callable[..., Any]:
    return lambda np, inputs, attributes: getattr(np, name)(inputs[0])


def _of_many(name: str) -> Callable[..., Any]:
    def rule(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
        found = inputs[0]
        for operand in inputs[1:]:
            found = getattr(np, name)(*_broadcast(np, [found, operand]))
        return found

    return rule


def _div(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """Of whole numbers the quotient toward zero."""
    first, other = _broadcast(np, inputs)
    if first.dtype.kind not in "iu":
        return first / other
    if not other.all():
        raise ZeroDivisionError
    return (np.sign(first) * np.sign(other) * (np.abs(first) // np.abs(other))).astype(first.dtype)


def _mod(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    first, other = _broadcast(np, inputs)
    if not other.all():
        raise ZeroDivisionError
    return np.fmod(first, other) if attributes.get("fmod") else np.mod(first, other)


def _pow(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    first, other = _broadcast(np, inputs)
    return np.power(first.astype(float), other).astype(first.dtype)


def _axes(inputs: list[Any], attributes: Mapping[str, Any]) -> list[int] | None:
    if len(inputs) > 1 and inputs[1] is not None:
        return [int(axis) for axis in inputs[1].ravel()]
    axes = attributes.get("axes")
    return None if axes is None else list(axes)


def _unsqueeze(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    return np.expand_dims(inputs[0], tuple(_axes(inputs, attributes) or ()))


def _squeeze(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    axes = _axes(inputs, attributes)
    return np.squeeze(inputs[0], None if axes is None else tuple(axes))


def _reduce(name: str) -> Callable[..., Any]:
    def rule(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
        axes = _axes(inputs, attributes)
        if not axes and attributes.get("noop_with_empty_axes"):
            return inputs[0]
        keep = bool(attributes.get("keepdims", 1))
        found = getattr(np, name)(inputs[0], axis=tuple(axes) if axes else None, keepdims=keep)
        return found.astype(inputs[0].dtype)

    return rule


def _slice(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    given = [*inputs[1:], *[None] * 4][:4]
    lists: list[Any] = [
        [int(number) for number in array.ravel()] if array is not None else attributes.get(name)
        for array, name in zip(given, ("starts", "ends", "axes", "steps"), strict=True)
    ]
    starts, ends, axes, steps = lists
    axes = axes or list(range(len(starts)))
    parts = [slice(None)] * inputs[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        if step < 0 and end < -(10**9):
            end = None
        parts[axis] = slice(start, end, step)
    return inputs[0][tuple(parts)]


def _reshape(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    sizes = [int(size) for size in inputs[1].ravel()]
    if not attributes.get("allowzero"):
        sizes = [inputs[0].shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return inputs[0].reshape(sizes)


def _expand(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    sizes = _checked(np.broadcast_shapes(inputs[0].shape, _checked(inputs[1].ravel())))
    return np.broadcast_to(inputs[0], sizes)


def _constant_of_shape(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    value = attributes.get("value")
    value = np.zeros(1, np.float32) if value is None else value
    return np.full(_checked(inputs[0].ravel()), value.ravel()[0], value.dtype)


def _range(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    start, end, step = (array.ravel()[0] for array in inputs)
    if not step or not abs((float(end) - float(start)) / float(step)) <= MOST:
        raise TooLong
    return np.arange(start, end, step).astype(inputs[0].dtype)


def _split(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> list[Any]:
    axis = attributes.get("axis", 0)
    sizes = _axes(inputs, {"axes": attributes.get("split")})
    whole = inputs[0].shape[axis]
    if sizes is None:
        count = attributes["outputs"]
        each = -(-whole // count)
        sizes = [min(each, whole - each * index) for index in range(count)]
    return list(np.split(inputs[0], np.cumsum(sizes)[:-1], axis))


def _tile(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    repeats = [int(count) for count in inputs[1].ravel()]
    _checked([size * count for size, count in zip(inputs[0].shape, repeats, strict=True)])
    return np.tile(inputs[0], repeats)


def _gather(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    if inputs[0].size * max(inputs[1].size, 1) > MOST * MOST:
        raise TooLong
    return np.take(inputs[0], inputs[1].astype(np.int64), axis=attributes.get("axis", 0))


def _cast(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    kinds = {1: "f4", 6: "i4", 7: "i8", 9: "?", 10: "f4", 11: "f8", 16: "f4", 2: "u1", 3: "i1", 12: "u4", 13: "u8"}
    return inputs[0].astype(kinds[attributes["to"]])


def _concat(np: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    return np.concatenate(inputs, axis=attributes["axis"])


RULES: dict[str, Callable[..., Any]] = {
    "Add": _of_two("add"),
    "Sub": _of_two("subtract"),
    "Mul": _of_two("multiply"),
    "Div": _div,
    "Mod": _mod,
    "Pow": _pow,
    "Equal": _of_two("equal"),
    "Greater": _of_two("greater"),
    "Less": _of_two("less"),
    "GreaterOrEqual": _of_two("greater_equal"),
    "LessOrEqual": _of_two("less_equal"),
    "And": _of_two("logical_and"),
    "Or": _of_two("logical_or"),
    "Xor": _of_two("logical_xor"),
    "Min": _of_many("minimum"),
    "Max": _of_many("maximum"),
    "Sum": _of_many("add"),
    "Neg": _of_one("negative"),
    "Abs": _of_one("abs"),
    "Floor": _of_one("floor"),
    "Ceil": _of_one("ceil"),
    "Not": _of_one("logical_not"),
    "Sqrt": _of_one("sqrt"),
    "Sign": _of_one("sign"),
    "Round": _of_one("round"),
    "Exp": _of_one("exp"),
    "Log": _of_one("log"),
    "Identity": lambda np, inputs, attributes: inputs[0],
    "ReduceProd": _reduce("prod"),
    "ReduceSum": _reduce("sum"),
    "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"),
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Slice": _slice,
    "Reshape": _reshape,
    "Expand": _expand,
    "Range": _range,
    "Split": _split,
    "Tile": _tile,
    "Gather": _gather,
    "ConstantOfShape": _constant_of_shape,
    "Concat": _concat,
    "Cast": _cast,
    "Transpose": lambda np, inputs, attributes: np.transpose(inputs[0], attributes.get("perm")),
    "Flatten": lambda np, inputs, attributes: inputs[0].reshape(
        math.prod(inputs[0].shape[: attributes.get("axis", 1)]), -1
    ),
    "Where": lambda np, inputs, attributes: np.where(*_broadcast(np, inputs)),
}
