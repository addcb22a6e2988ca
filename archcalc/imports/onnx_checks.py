"""Attributes of ONNX nodes that do not fit their inputs. onnx's own inference, in C++, may end the process for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.imports.onnx_scope import OnnxNode

LARGEST = 2**40
POSITIVE = frozenset(
    [
        *("group", "num_groups", "num_heads", "q_num_heads", "kv_num_heads", "hidden_size", "rotary_embedding_dim"),
        *("blocksize", "block_size", "output_height", "output_width", "num_outputs", "size", "k"),
    ]
)
"""Attributes of one number that must be above 0."""
SPATIAL = frozenset(["kernel_shape", "strides", "dilations", "output_padding", "output_shape"])
"""Attributes with a number for each spatial dimension."""
WINDOWS = frozenset(
    [
        *("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv"),
        *("MaxPool", "AveragePool", "LpPool", "MaxUnpool", "Col2Im"),
    ]
)
"""Operations with a window; all but `Col2Im` have one dimension of it for each spatial dimension of the input."""


def fits(node: OnnxNode, outputs: tuple[int, int]) -> bool:
    """Return True if a node's attributes fit its inputs, as far as they are known.

    Args:
        node: the node.
        outputs: the smallest and the largest number of outputs that its operator has.
    """
    count, first = len(node.proto.output), node.first.sizes if node.first is not None else None
    lists = {name: value for name, value in node.attributes.items() if isinstance(value, list)}
    numbers = {name: value for name, value in node.attributes.items() if isinstance(value, int)}
    if not outputs[0] <= count <= outputs[1]:
        return False
    if any(name in POSITIVE and value < 1 for name, value in numbers.items()):
        return False
    if any(abs(value) > LARGEST for value in numbers.values()):
        return False
    if numbers.get("num_outputs", count) != count:
        return False
    if "split" in lists and len(lists["split"]) != count:
        return False
    given = {**lists, **_data(node)}
    if first is None:
        return not given
    return _axes_fit(node, len(first), numbers, given) and _window_fits(node, first, lists)


def _data(node: OnnxNode) -> dict[str, list[Any]]:
    """Return the numbers that later inputs give to operations that ask for sizes or axes."""
    places = {
        "Squeeze": {"axes": 1},
        "Unsqueeze": {"axes": 1},
        "Slice": {"starts": 1, "ends": 2, "axes": 3, "steps": 4},
        "Pad": {"pads": 1, "axes": 3},
        "Tile": {"repeats": 1},
        "Split": {"split": 1},
        "CenterCropPad": {"shape": 1},
    }.get(node.operation, {"axes": 1} if node.operation.startswith("Reduce") else {})
    given = {name: node.input(index) for name, index in places.items()}
    return {
        name: tensor.data.ravel().tolist()
        for name, tensor in given.items()
        if tensor is not None and tensor.data is not None
    }


def _axes_fit(node: OnnxNode, rank: int, numbers: Mapping[str, int], given: Mapping[str, list[Any]]) -> bool:
    added = len(given.get("axes", ())) if node.operation == "Unsqueeze" else 0
    axes = given.get("axes")
    if "axis" in numbers and not -rank - 1 <= numbers["axis"] <= rank:
        return False
    if not 0 <= numbers.get("batch_dims", 0) <= rank:
        return False
    if axes is not None:
        whole = rank + added
        if any(not isinstance(axis, int) or not -whole <= axis < whole for axis in axes):
            return False
        if len({axis % whole for axis in axes}) != len(axes):
            return False
    if "perm" in given and sorted(given["perm"]) != list(range(rank)):
        return False
    count = rank if axes is None else len(axes)
    if node.operation == "Pad" and len(given.get("pads", ())) not in (0, 2 * count):
        return False
    if node.operation == "Tile" and len(given.get("repeats", ())) not in (0, rank):
        return False
    if node.operation == "CenterCropPad" and len(given.get("shape", ())) not in (0, count):
        return False
    if node.operation == "Split" and "split" in given:
        return len(given["split"]) == len(node.proto.output) and min(given["split"], default=0) >= 0
    if node.operation == "Slice":
        lengths = {len(given[name]) for name in ("starts", "ends", "axes", "steps") if name in given}
        return len(lengths) <= 1
    return True


def _window_fits(node: OnnxNode, first: Shape, lists: Mapping[str, list[Any]]) -> bool:
    if node.operation not in WINDOWS:
        return True
    rank = len(first) - 2
    if node.operation == "Col2Im":
        image = node.input(1)
        rank = image.sizes[0] if image is not None and image.sizes is not None and len(image.sizes) == 1 else 0
    if rank < 1:
        return False
    index = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "DeformConv": 1, "QLinearConv": 3}.get(node.operation)
    if index is not None:
        weight = node.input(index)
        if weight is None or weight.sizes is None or len(weight.sizes) != rank + 2:
            return False
    for name, values in lists.items():
        lowest = 0 if name in ("output_padding", "output_shape") else 1
        if name in SPATIAL and (len(values) != rank or not all(lowest <= value < LARGEST for value in values)):
            return False
        if name == "pads" and (len(values) != 2 * rank or not all(abs(value) < LARGEST for value in values)):
            return False
    return True
