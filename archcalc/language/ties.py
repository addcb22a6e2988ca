"""Tied weights: a layer's weight that is a tensor of an earlier layer, such as an embedding's table."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from archcalc.language.draft import GraphBuilder, Named
from archcalc.language.names import EDGE_WORK
from archcalc.language.steps import Apply, Template
from archcalc.network import Layer, WeightRef
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import shape_text
from archcalc.words import help_line, quote


@cache
def tensor_names(operator: type[Operator]) -> tuple[str, ...]:
    """Return the names that weights of an operator can have, beside those that an argument has (`bias`)."""
    names = {
        name for inputs, arguments in operator.examples for name in operator(inputs, **arguments).weights() if name
    }
    return tuple(sorted(names - set(operator.arguments)))


class Ties:
    """The tied weights of one expansion."""

    def __init__(self, draft: GraphBuilder) -> None:
        self.draft = draft

    def of(self, step: Apply, layer: Layer, lookup: Callable[[Template], Named]) -> dict[str, WeightRef]:
        """Return the layer's tied weights and the tensors that they are; raise `SpecError` if one does not fit."""
        found = {}
        for name, template in step.ties.items():
            self.draft.work += EDGE_WORK + template.weight
            found[name] = self._owner(step, name, template, layer, lookup(template))
        return found

    def _owner(self, step: Apply, name: str, template: Template, layer: Layer, named: Named) -> WeightRef:
        shapes = layer.op.weights()
        key, target = step.keys[name], quote(template.node.text)
        if name not in shapes:
            has = ", ".join(filter(None, shapes)) or "none"
            raise key.error(f"this {step.head} has no weight {name}: its weights are {has}")
        found = self._layer(template, named)
        fitting = [own for own, shape in found.op.weights().items() if shape == shapes[name]]
        if name in fitting:
            fitting = [name]
        if len(fitting) != 1:
            has = ", ".join(f"{own} {shape_text(shape)}".strip() for own, shape in found.op.weights().items())
            many = f"{len(fitting)} weights" if fitting else "no weight"
            raise template.node.error(
                f"{name} is {shape_text(shapes[name])}, and {target} has {many} of that shape: {has or 'none'}"
            )
        if (found.side or found.train) and not layer.auxiliary:
            raise template.node.error(f"{target} is auxiliary: a network without it would lack this weight")
        return found.ties.get(fitting[0], WeightRef(found.name, fitting[0]))

    def _layer(self, template: Template, named: Named) -> Layer:
        """Return the layer that a name means, the owner if it shares its weights."""
        layers = [layer for layer in self.draft.layers[named.first : named.last] if layer.op.weights()]
        if len(layers) != 1:
            target = quote(template.node.text)
            what = f"is {named.unshared}" if named.unshared else f"has {len(layers)} layers with weights"
            raise template.node.error(f"{target} {what}{help_line('name one layer with weights')}")
        [layer] = layers
        if layer.shares is None:
            return layer
        owner = self.draft.named[layer.shares]
        return self.draft.layers[owner.first]
