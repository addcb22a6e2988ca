"""Trained tokens that are put before others, as one layer: the token of the class."""

from __future__ import annotations

from archcalc.arithmetic import Shape
from archcalc.imports.imported_layers import ImportedLayers
from archcalc.imports.mapping import Mapped
from archcalc.network import Layer
from archcalc.ops.calls import Stored
from archcalc.ops.joining import Concat
from archcalc.ops.trained import ClassToken, Parameter


class ClassTokens:
    """The trained tensors among layers that may be tokens."""

    def __init__(self, layers: ImportedLayers) -> None:
        self.layers = layers
        self.stored: dict[str, Stored] = {}
        """Layer to the trained tensor that it is."""
        self.joined: dict[str, Shape] = {}
        """Layer that puts trained tokens before others to the shape of the tokens."""

    def joined_by(self, mapped: Mapped) -> tuple[str, Mapped] | None:
        """Return the name and the operator of trained tokens before others, if a concatenation is that.

        The tokens, which only the concatenation takes, are then no layer of their own.
        """
        if not isinstance(mapped.op, Concat) or len(mapped.inputs) != 2 or mapped.op.axis_index(mapped.op.axis) != 0:
            return None
        tokens = self.layers.by_name.get(mapped.inputs[0].source)
        if tokens is None or not isinstance(tokens.op, Parameter) or tokens.shares or tokens.ties:
            return None
        if any(tokens.name in layer.inputs for layer in self.layers.every):
            return None
        op = ClassToken([mapped.op.inputs[1]], count=tokens.op.output[0])
        stored = self.stored[tokens.name]
        self.layers.every.remove(tokens)
        del self.layers.by_name[tokens.name], self.layers.owners[stored.name]
        self.layers.taken.discard(tokens.name)
        self.joined[tokens.name] = tokens.op.output
        return tokens.name, Mapped(op, mapped.inputs[1:], {"": stored})

    def separate(self) -> None:
        """Make two layers of one that joins trained tokens with others, if another layer takes the tokens alone."""
        for name, shape in self.joined.items():
            place, layer = next(
                (index, candidate) for index, candidate in enumerate(self.layers.every) if candidate.name == name
            )
            users = [
                user for user in self.layers.every if (name, shape) in zip(user.inputs, user.op.inputs, strict=True)
            ]
            if users:
                start = self.layers.start
                tokens = Layer(name, Parameter([self.layers.inputs[start]], shape=shape), (start,))
                joining = Concat([shape, *layer.op.inputs])
                joined = Layer(self.layers.taken.free(f"{name}_joined"), joining, (name, *layer.inputs))
                self.layers.every[place : place + 1] = [tokens, joined]
                for later in self.layers.every[place + 2 :]:
                    pairs = zip(later.inputs, later.op.inputs, strict=True)
                    later.inputs = tuple(
                        joined.name if pair == (name, joined.output_shape) else pair[0] for pair in pairs
                    )
