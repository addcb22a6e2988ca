"""The copies in other types that PyTorch's autocast makes of inputs and weights."""

from __future__ import annotations

from archcalc.analysis.types import computed_in
from archcalc.arithmetic import product
from archcalc.dtypes import bytes_of
from archcalc.network import Layer
from archcalc.ops.layout import InputTensors, Placement
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import Autocast, SavedTensors, Torch, Work


class Cast(Operator):
    """Its input in another type; a step of autocast's own, which no spec has."""

    category = "shape"
    saved = SavedTensors()

    def output_shape(self) -> tuple[int, ...]:
        return self.x

    def work(self) -> Work:
        return {}

    def placement(self, tensors: InputTensors) -> Placement:
        """A copy keeps the order of a dense tensor."""
        return Placement(tensors.layouts[0])

    def torch(self) -> Torch:
        return Torch("torch.clone")


def with_casts(layer: Layer, types: dict[str, str], autocast: str, separator: str) -> list[Layer]:
    """Return a layer after the casts of its inputs, whose types are added to ``types``.

    Inputs of one layer that are the same tensor are cast once. An operator that promotes an input to the type of its
    weights does so without a copy that stays.
    """
    dtype = computed_in(layer, autocast, types)
    if layer.op.takes_indices or (layer.op.weights() and dtype != autocast) or not layer.inputs:
        return [layer]
    casts: dict[str, Layer] = {}
    for source, shape in zip(layer.inputs, layer.op.inputs, strict=True):
        if types[source] != dtype and layer.op.autocast_policy() not in (Autocast.WIDEST, Autocast.INSIDE):
            name = f"{layer.name}{separator}cast{len(casts)}"
            casts.setdefault(source, Layer(name, Cast((shape,)), (source,), layer.origin))
    for cast in casts.values():
        types[cast.name] = dtype
    inputs = tuple(casts[source].name if source in casts else source for source in layer.inputs)
    return [*casts.values(), layer.rewired(layer.op, inputs)]


def copied_weights(layer: Layer, autocast: str) -> tuple[int, int]:
    """Return the bytes of the copies of a layer's weights and of its biases; 0 if autocast makes none."""
    if not autocast or layer.op.autocast_policy() is not Autocast.LOWER:
        return 0, 0
    sizes = [0, 0]
    for name, shape in layer.op.weights().items():
        if name not in layer.op.uncast_weights:
            sizes[name.endswith("bias")] += bytes_of(product(shape), autocast)
    return sizes[0], sizes[1]


def saves_copies(layer: Layer, tensors: InputTensors) -> bool:
    """Return True if autograd saves the copies of the weights: a convolution always, a product for its input."""
    return any(tensors.needs_gradient) or layer.op.category == "convolution"
