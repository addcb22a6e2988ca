"""The layers of a network that is imported: their order, their names, and whose weights each has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.imports.layer_names import TakenNames, groups_of, printable
from archcalc.imports.mapping import Mapped
from archcalc.network import NO_TIES, Layer, WeightRef
from archcalc.ops.operator import Operator
from archcalc.ops.trained import StandingAlone


class ImportedLayers:
    """Layers, one after another."""

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        self.inputs = dict(inputs)
        self.every: list[Layer] = []
        self.by_name: dict[str, Layer] = {}
        self.shapes: dict[str, Shape] = dict(inputs)
        """Of the outputs of layers, and of inputs."""
        self.taken = TakenNames(inputs)
        self.owners: dict[str, WeightRef] = {}
        """Name of a stored tensor in the state dict to the layer that has it."""
        self.aliases: Mapping[str, Sequence[str]] = {}
        """Name of a stored tensor to all names that the model has for it."""
        self.renames: dict[str, str] = {}

    @property
    def start(self) -> str:
        """The first input, which layers take that need only the number of samples."""
        return next(iter(self.inputs))

    def append(self, name: str, mapped: Mapped, origin: Any = None, place: int | None = None) -> None:
        """Add a layer at a place, behind those whose weights it has; at the end without one."""
        layer = Layer(name, mapped.op, tuple(operand.source for operand in mapped.inputs), origin)
        layer.shares = self._sharer(mapped)
        if layer.shares is None:
            layer.ties = self._owned(name, mapped)
        self.every.insert(len(self.every) if place is None else max(place, self._after_owners(layer)), layer)
        self.shapes[name] = layer.output_shape
        self.by_name[name] = layer
        self.taken.add(name)

    def _sharer(self, mapped: Mapped) -> str | None:
        """Return the layer that is the same operator with the same weights; None if there is none."""
        names = {self.owners[stored.name].layer for stored in mapped.weights.values() if stored.name in self.owners}
        if len(names) != 1 or mapped.op.numbers_are_given:
            return None
        (name,) = names
        is_same = name in self.by_name and _are_one(self.by_name[name].op, mapped.op)
        has_all = all(self.owners.get(stored.name) == (name, key) for key, stored in mapped.weights.items())
        return name if is_same and has_all else None

    def _owned(self, name: str, mapped: Mapped) -> Mapping[str, WeightRef]:
        """Let a layer own its stored tensors, and return those that another layer owns."""
        ties = {}
        for key, stored in mapped.weights.items():
            if not stored.name:
                continue
            own = WeightRef(name, key)
            if stored.name not in self.owners:
                self.owners[stored.name] = own
            elif key in mapped.op.weights():
                ties[key] = self.owners[stored.name]
            is_named = key in mapped.op.weights() or key in mapped.op.buffers()
            if is_named and str(own) not in self.aliases.get(stored.name, [stored.name]):
                self.renames[str(own)] = stored.name
        return ties or NO_TIES

    def _after_owners(self, layer: Layer) -> int:
        """Return the first place behind all layers whose weights a layer has."""
        owners = layer.owners
        if not owners:  # as of most layers, which are then not compared with all before them
            return 0
        return max((index + 1 for index, other in enumerate(self.every) if other.name in owners), default=0)

    def name(self, path: str, is_leaf: bool, operation: str, mapped: Mapped) -> str:
        """Return a layer's name: the path of the module whose weights it has, or that does nothing else.

        Others get the path of their module and a word for what they are, with a number.
        """
        found: list[set[str]] = []
        for key, stored in mapped.weights.items():
            names = self.aliases.get(stored.name, [stored.name])
            found.append({name.removesuffix(key).removesuffix(".") for name in names if name.endswith(key)})
        prefixes = set.intersection(*found) if found else set()
        prefix = path if path in prefixes else min(prefixes, default="")
        own = path if is_leaf else ""
        if prefix and mapped.op.exactness == "exact" and not (prefix in self.taken and own and own not in self.taken):
            return self.taken.free(prefix)
        if own:
            return self.taken.free(own)
        kind = mapped.op.kind if mapped.op.exactness == "exact" else operation
        return self.taken.numbered(f"{path}.{kind}" if path else kind)

    def prune(self, outputs: set[str]) -> None:
        """Leave out tensors that are computed from stored ones, but that no layer takes."""
        used = outputs.union(*(layer.inputs for layer in self.every))
        self.every = [layer for layer in self.every if layer.name in used or not isinstance(layer.op, StandingAlone)]

    def spec_names(self) -> dict[str, str]:
        """Return new names of layers and inputs whose own a spec can't have, and of inputs called like groups.

        A layer and a group of one name are told apart: `a` beside `a.b` becomes `a.linear`.
        """
        found = {}
        taken = TakenNames([*self.inputs, *(layer.name for layer in self.every)])
        groups = groups_of(layer.name for layer in self.every)
        for layer in self.every:
            name = printable(layer.name)
            if layer.name in groups:
                kind = layer.op.kind if layer.op.exactness == "exact" else getattr(layer.op, "operation", layer.op.kind)
                name = f"{name}.{kind}"
            if name != layer.name:
                taken.add(new := taken.free(name))
                found[layer.name] = new
        taken |= groups
        for name in self.inputs:
            new = printable(name).replace(".", "_")  # dots join the names of groups and steps
            if new != name or new in groups:
                taken.add(new := taken.free(f"{new}_input" if new in groups else new))
                found[name] = new
        return found

    def untie_vectors(self) -> None:
        """Give each layer that shares nothing but vectors vectors of its own.

        Exporters to ONNX keep one tensor for all that are equal, such as biases of 0.
        """
        for layer in self.every:
            shapes = layer.op.weights()
            if layer.ties and all(len(shapes[key]) == 1 for key in layer.ties):
                for key in layer.ties:
                    self.renames.pop(f"{layer.name}.{key}", None)
                layer.ties = NO_TIES

    def rename(self, names: Mapping[str, str]) -> None:
        """Rename layers and inputs; the names of their tensors are known under `renames`."""
        if not names:
            return
        renames = {}
        for known, meant in self.renames.items():
            owner = max((name for name in self.by_name if f"{known}.".startswith(f"{name}.")), key=len, default="")
            renames[f"{names[owner]}{known[len(owner) :]}" if owner in names else known] = meant
        for layer in self.every:
            if layer.name in names and layer.tensors():
                renames.setdefault(names[layer.name], layer.name)
        self.renames = renames
        self.inputs = {names.get(name, name): shape for name, shape in self.inputs.items()}
        for layer in self.every:
            layer.name = names.get(layer.name, layer.name)
            layer.inputs = tuple(names.get(source, source) for source in layer.inputs)
            layer.shares = names.get(layer.shares or "", layer.shares)
            if layer.ties:
                layer.ties = {
                    key: WeightRef(names.get(ref.layer, ref.layer), ref.tensor) for key, ref in layer.ties.items()
                }


def _are_one(first: Operator, second: Operator) -> bool:
    """Return True if two operators differ at most in their inputs."""
    return type(first) is type(second) and all(
        getattr(first, name) == getattr(second, name) for name in type(first).arguments
    )
