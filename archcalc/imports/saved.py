"""An imported network as JSON, and back. What is read is checked by the operators, as a spec is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from archcalc.arithmetic import Shape, ShapeError
from archcalc.collection import no_collection
from archcalc.dtypes import BITS
from archcalc.errors import UserError
from archcalc.network import About, Layer, Network, WeightRef
from archcalc.ops import registry
from archcalc.ops.operator import Operator

FORMAT = 1
"""Goes up when networks that were saved before can no longer be read."""


class NotSaved(UserError):
    """A text is not a network that was saved."""


def network_data(network: Network) -> dict[str, Any]:
    """Return a network as plain data. Operators that are used alike are written once."""
    operators: dict[str, int] = {}
    layers = []
    for layer in network.layers:
        op = json.dumps([layer.op.kind, layer.op.inputs, layer.op.given, layer.op.called], default=_plain)
        data: dict[str, Any] = {
            "name": layer.name,
            "op": operators.setdefault(op, len(operators)),
            "inputs": layer.inputs,
        }
        if layer.shares is not None:
            data["shares"] = layer.shares
        if layer.ties:
            data["ties"] = {name: list(ref) for name, ref in layer.ties.items()}
        for mark in ("side", "train"):
            if getattr(layer, mark):
                data[mark] = True
        if layer.dtype:
            data["dtype"] = layer.dtype
        if layer.is_frozen:
            data["trainable"] = False
        layers.append(data)
    return {
        "format": FORMAT,
        "name": network.name,
        "inputs": dict(network.inputs),
        "outputs": list(network.outputs),
        "operators": [json.loads(op) for op in operators],
        "layers": layers,
        "sides": dict(network.sides),
        "groups": dict(network.groups),
        "renames": dict(network.renames),
        "input_axes": dict(network.input_axes),
        "uncalled": dict(network.uncalled),
        "about": asdict(network.about),
    }


def _plain(value: Any) -> Any:
    """Return a mapping or a number of another class as JSON has it."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Fraction):
        return float(value)
    raise TypeError(f"an argument of an operator is a {type(value).__name__}")


@no_collection()
def network_of(data: Any) -> Network:
    """Return the network that was saved.

    Raises:
        NotSaved: if the data is not that of a network, or an operator refuses its arguments or inputs.
    """
    try:
        return _network(data)
    except (ShapeError, LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise NotSaved(f"this is not a saved network: {error}") from error


def _network(data: Mapping[str, Any]) -> Network:
    if data["format"] != FORMAT:
        raise NotSaved("it has another format")
    inputs = {_text(name): _sizes(shape) for name, shape in data["inputs"].items()}
    shapes: dict[str, Shape] = dict(inputs)
    operators = [_operator(*entry) for entry in data["operators"]]
    layers: list[Layer] = []
    for entry in data["layers"]:
        op, name = operators[_index(entry["op"])], _text(entry["name"])
        sources = tuple(map(_text, entry["inputs"]))
        if tuple(shapes[source] for source in sources) != op.inputs or name in shapes:
            raise NotSaved(f"layer {name} does not fit")
        layer = Layer(name, op, sources, side=entry.get("side") is True, train=entry.get("train") is True)
        layer.trainable, layer.dtype = entry.get("trainable") is not False, _dtype(entry.get("dtype", ""))
        if "shares" in entry:
            layer.shares = _text(entry["shares"])
        if "ties" in entry:
            layer.ties = {_text(key): WeightRef(*map(_text, ref)) for key, ref in entry["ties"].items()}
        if not layer.owners <= shapes.keys():
            raise NotSaved(f"layer {name} has the weights of no earlier layer")
        shapes[name] = op.output
        layers.append(layer)
    outputs = tuple(map(_text, data["outputs"]))
    sides = _texts(data["sides"])
    if not {*outputs, *sides.values()} <= shapes.keys():
        raise NotSaved("an output is no layer")
    about = data["about"]
    year = about["year"]
    return Network(
        _text(data["name"]),
        inputs,
        tuple(layers),
        outputs,
        sides=sides,
        groups=_texts(data["groups"]),
        renames=_texts(data["renames"]),
        input_axes={_text(name): tuple(map(_text, axes)) for name, axes in data["input_axes"].items()},
        uncalled={_text(path): _index(count) for path, count in data["uncalled"].items()},
        about=About(**{**_texts({**about, "year": ""}), "year": None if year is None else _index(year)}),  # type: ignore[arg-type]
    )


def _operator(kind: Any, inputs: Any, given: Any, called: Any) -> Operator:
    op = registry()[kind]([_sizes(shape) for shape in inputs], **given)
    return op if called is None else op.called_as(_text(called))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NotSaved("a name is not a text")
    return value


def _dtype(value: Any) -> str:
    if value and value not in BITS:
        raise NotSaved("a layer has an unknown type")
    return str(value)


def _texts(value: Mapping[Any, Any]) -> dict[str, str]:
    return {_text(key): _text(text) for key, text in value.items()}


def _index(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NotSaved("a number is not one that counts")
    return value


def _sizes(value: Any) -> Shape:
    return tuple(map(_index, value))
