"""Attributes of ONNX nodes that do not fit their inputs. onnx's own inference, in C++, may end the process for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Shape

LARGEST = 2**40
POSITIVE = frozenset(
    [
        "group",
        "blocksize",
        "q_num_heads",
        "kv_num_heads",
        "num_heads",
        "hidden_size",
        "output_height",
        "output_width",
        "num_outputs",
        "size",
        "rotary_embedding_dim",
        "num_groups",
        "block_size",
        "k",
    ]
)
"""Attributes of one number that must be above 0."""
SPATIAL = frozenset(["kernel_shape", "strides", "dilations", "output_padding", "output_shape"])
"""Attributes with a number for each spatial dimension."""
WINDOWS = frozenset(
    [
        "Conv",
        "ConvTranspose",
        "ConvInteger",
        "QLinearConv",
        "DeformConv",
        "MaxPool",
        "AveragePool",
        "LpPool",
        "MaxUnpool",
        "Col2Im",
    ]
)
"""Operations with a window; all but `Col2Im` have one dimension of it for each spatial dimension of the input."""


def fits(node: Any, inputs: Sequence[Any], attributes: Mapping[str, Any], outputs: tuple[int, int]) -> bool:
    """Return True if a node's attributes fit its inputs, as far as they are known.

    Args:
        node: the node.
        inputs: its tensors; None for those that are left out.
        attributes: its attributes by name.
        outputs: the smallest and the largest number of outputs that its operator has.
    """
    if not outputs[0] <= len(node.output) <= outputs[1]:
        return False
    first = inputs[0].sizes if inputs and inputs[0] is not None else None
    lists = {name: value for name, value in attributes.items() if isinstance(value, list)}
    numbers = {name: value for name, value in attributes.items() if isinstance(value, int)}
    if any(name in POSITIVE and value < 1 for name, value in numbers.items()):
        return False
    if any(abs(value) > LARGEST for value in numbers.values()):
        return False
    if numbers.get("num_outputs", len(node.output)) != len(node.output):
        return False
    if "split" in lists and len(lists["split"]) != len(node.output):
        return False
    given = {**lists, **_data(node, inputs)}
    if first is None:
        return not given
    return _axes_fit(node, len(first), numbers, given) and _window_fits(node, first, inputs, lists)


def _data(node: Any, inputs: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the numbers that later inputs give to operations that ask for sizes or axes."""
    places = {
        "Squeeze": {"axes": 1},
        "Unsqueeze": {"axes": 1},
        "Slice": {"starts": 1, "ends": 2, "axes": 3, "steps": 4},
        "Pad": {"pads": 1, "axes": 3},
        "Tile": {"repeats": 1},
        "Split": {"split": 1},
        "CenterCropPad": {"shape": 1},
    }.get(node.op_type, {"axes": 1} if node.op_type.startswith("Reduce") else {})
    found = {}
    for name, at in places.items():
        if at < len(inputs) and inputs[at] is not None and inputs[at].data is not None:
            found[name] = inputs[at].data.ravel().tolist()
    return found


def _axes_fit(node: Any, rank: int, numbers: Mapping[str, int], given: Mapping[str, list[Any]]) -> bool:
    added = len(given.get("axes", ())) if node.op_type == "Unsqueeze" else 0
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
    if node.op_type == "Pad" and len(given.get("pads", ())) not in (0, 2 * count):
        return False
    if node.op_type == "Tile" and len(given.get("repeats", ())) not in (0, rank):
        return False
    if node.op_type == "CenterCropPad" and len(given.get("shape", ())) not in (0, count):
        return False
    if node.op_type == "Split" and "split" in given:
        return len(given["split"]) == len(node.output) and min(given["split"], default=0) >= 0
    if node.op_type == "Slice":
        lengths = {len(given[name]) for name in ("starts", "ends", "axes", "steps") if name in given}
        return len(lengths) <= 1
    return True


def _window_fits(node: Any, first: Shape, inputs: Sequence[Any], lists: Mapping[str, list[Any]]) -> bool:
    if node.op_type not in WINDOWS:
        return True
    rank = len(first) - 2
    if node.op_type == "Col2Im":
        sizes = inputs[1].sizes if len(inputs) > 1 and inputs[1] is not None else None
        rank = sizes[0] if sizes is not None and len(sizes) == 1 else 0
    if rank < 1:
        return False
    at = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "DeformConv": 1, "QLinearConv": 3}.get(node.op_type)
    if at is not None:
        weight = inputs[at].sizes if at < len(inputs) and inputs[at] is not None else None
        if weight is None or len(weight) != rank + 2:
            return False
    for name, values in lists.items():
        lowest = 0 if name in ("output_padding", "output_shape") else 1
        if name in SPATIAL and (len(values) != rank or not all(lowest <= one < LARGEST for one in values)):
            return False
        if name == "pads" and (len(values) != 2 * rank or not all(abs(one) < LARGEST for one in values)):
            return False
    return True
