"""Attention that an ONNX file spells out: one layer for the products, the scale, the mask and the softmax.

PyTorch's exporters write `scaled_dot_product_attention` as seven to twelve nodes (opset below 23).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from archcalc.arithmetic import ShapeError
from archcalc.imports.layer_names import TakenNames
from archcalc.network import Layer
from archcalc.ops.activation import Scale
from archcalc.ops.attention import ScaledDotProductAttention
from archcalc.ops.matmul import Matmul
from archcalc.ops.shaping import Permute
from archcalc.ops.softmax import Softmax

SAME_SCALE = 1e-6
"""Relative difference of scales that are the same: files have them in float32."""


class Scores(NamedTuple):
    """What a softmax takes: queries by keys, scaled, with a mask."""

    queries: str
    keys: str
    """Transposed: `[…, d, S]`."""
    scale: float
    mask: str | None
    inner: frozenset[str]
    """The layers that make them."""


def with_attention(layers: Sequence[Layer], kept: Collection[str]) -> tuple[list[Layer], dict[str, str]]:
    """Return layers in which attention that is spelled out is one layer, and new names of what gave its output.

    Args:
        layers: in order; those that stay are given their new inputs.
        kept: outputs of the network.
    """
    found, names = _Finder(layers, kept).found()
    for layer in found:
        layer.inputs = tuple(names.get(source, source) for source in layer.inputs)
    return found, names


class _Finder:
    def __init__(self, layers: Sequence[Layer], kept: Collection[str]) -> None:
        self.layers = layers
        self.by_name: Mapping[str, Layer] = {layer.name: layer for layer in layers}
        self.users: dict[str, list[Layer]] = defaultdict(list)
        self.kept = kept
        self.taken = TakenNames(self.by_name)
        for layer in layers:
            for source in layer.inputs:
                self.users[source].append(layer)

    def found(self) -> tuple[list[Layer], dict[str, str]]:
        made: dict[str, Layer] = {}
        gone: set[str] = set()
        names: dict[str, str] = {}
        for layer in self.layers:
            op = layer.op
            if isinstance(op, Softmax) and op.axis_index(op.axis) == len(op.output) - 1:
                attention = self._attention(layer)
                if attention is not None:
                    made.update(attention[0])
                    gone |= attention[1]
                    names.update(
                        (name, replacement.name)
                        for name, replacement in attention[0].items()
                        if name != replacement.name
                    )
        return [made.get(layer.name, layer) for layer in self.layers if layer.name not in gone], names

    def _attention(self, softmax: Layer) -> tuple[dict[str, Layer], set[str]] | None:
        """Return the layers that others become, by these others' names, and the names of those that go."""
        after, inner = self._without_nan(softmax)
        product = self._only_user(after)
        scores = self._scores(softmax.inputs[0])
        if product is None or scores is None or not _is_product(product) or product.inputs[0] != after:
            return None
        by_keys = self._before_transposing(scores.keys)
        if by_keys is None:
            return None
        keys, changed, removed = by_keys
        sources = [scores.queries, keys.name, product.inputs[1], *([scores.mask] if scores.mask else [])]
        outputs = [self._shape(source) for source in sources]
        outputs[1] = keys.op.output
        is_usual = math.isclose(scores.scale, outputs[0][-1] ** -0.5, rel_tol=SAME_SCALE)
        try:
            op = ScaledDotProductAttention(outputs, **({} if is_usual else {"scale": scores.scale}))
        except ShapeError:
            return None
        if op.output != product.op.output:
            return None
        layer = Layer(self._name(product.name), op, tuple(sources))
        gone = {*inner, softmax.name, *scores.inner, *removed}
        return {product.name: layer, **{permuted.name: permuted for permuted in changed}}, gone

    def _name(self, product: str) -> str:
        """Return a name for the attention whose last product has this name."""
        name = self.taken.numbered(f"{product.rpartition('.')[0]}.{ScaledDotProductAttention.kind}".lstrip("."))
        self.taken.add(name)
        return name

    def _scores(self, name: str) -> Scores | None:
        """Follow what a softmax takes to the product of queries and keys."""
        scale, mask, inner = 1.0, None, set()
        while (layer := self._inner(name)) is not None:
            inner.add(name)
            if isinstance(layer.op, Scale):
                scale *= float(layer.op.factor)
                name = layer.inputs[0]
            elif layer.op.adds and len(layer.inputs) == 2 and mask is None and scale == 1:
                name, mask = layer.inputs
            elif _is_product(layer):
                (queries, first), (keys, second) = map(self._scaled, layer.inputs)
                inner |= {*layer.inputs} - {queries, keys}
                return Scores(queries, keys, scale * first * second, mask, frozenset(inner))
            else:
                return None
        return None

    def _scaled(self, name: str) -> tuple[str, float]:
        """Return what a layer scales, and the factor; the layer itself, and 1, if it is no scale."""
        layer = self._inner(name)
        if layer is None or not isinstance(layer.op, Scale):
            return name, 1.0
        return layer.inputs[0], float(layer.op.factor)

    def _before_transposing(self, name: str) -> tuple[Layer, list[Layer], set[str]] | None:
        """Return the layer of the keys `[…, S, d]`, layers that change for it, and those that go."""
        layer = self._inner(name)
        if layer is None or not isinstance(layer.op, Permute):
            return None
        order = tuple(int(axis) for axis in layer.op.order)
        order = (*order[:-2], order[-1], order[-2])
        source = self.by_name.get(layer.inputs[0])
        if order == tuple(range(len(order))) and source is not None:
            return source, [], {name}
        changed = layer.rewired(Permute(layer.op.inputs, order=order), layer.inputs)
        return changed, [changed], set()

    def _without_nan(self, softmax: Layer) -> tuple[str, set[str]]:
        """Return what holds the weights of attention: those of rows without a key are 0 there, by two more nodes."""
        users = {getattr(user.op, "operation", ""): user for user in self.users[softmax.name]}
        test, chosen = users.get("IsNaN"), users.get("Where")
        if test is None or chosen is None or len(users) != 2 or self._only_user(test.name) is not chosen:
            return softmax.name, set()
        return chosen.name, {test.name, chosen.name}

    def _inner(self, name: str) -> Layer | None:
        """Return a layer that only one other takes."""
        return self.by_name.get(name) if self._only_user(name) is not None else None

    def _only_user(self, name: str) -> Layer | None:
        users = self.users[name]
        return users[0] if len(users) == 1 and name not in self.kept else None

    def _shape(self, name: str) -> Any:
        layer = self.by_name.get(name)
        if layer is not None:
            return layer.op.output
        user = self.users[name][0]
        return user.op.inputs[user.inputs.index(name)]


def _is_product(layer: Layer) -> bool:
    return isinstance(layer.op, Matmul) and not layer.op.given and len(layer.inputs) == 2
