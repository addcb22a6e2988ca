"""Calls to a Network: an operator for each, a name from the module that made it, and marks where none fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archcalc.arithmetic import Shape, product
from archcalc.imports.mapping import Mapped, operator_of
from archcalc.network import Layer, Network, WeightRef
from archcalc.ops.calls import Call, Operand, Stored
from archcalc.ops.imported import Computed, Generic
from archcalc.ops.opaque import Opaque
from archcalc.ops.trained import Parameter

SAME = frozenset(
    [
        "contiguous",
        "clone",
        "detach",
        "alias",
        "lift_fresh_copy",
        "to",
        "_to_copy",
        "type_as",
        "_assert_tensor_metadata",
    ]
)
"""Operations that give what they take."""
MOVING = frozenset(
    [
        "index",
        "gather",
        "repeat",
        "masked_fill",
        "copy",
        "index_select",
        "tile",
        "repeat_interleave",
        "flip",
        "scatter",
        "narrow",
        "select_scatter",
        "slice_scatter",
        "index_put",
        "eq",
        "ne",
        "gt",
        "lt",
        "ge",
        "le",
        "logical_and",
        "logical_or",
        "logical_not",
        "bitwise_and",
        "bitwise_or",
        "bitwise_not",
        "isnan",
        "argmax",
        "argmin",
        "sort",
        "topk",
        "as_strided",
        "diagonal",
        "unfold",
        "tril",
        "triu",
        "cat",
        "stack",
        "expand",
        "reshape",
        "view",
        "permute",
        "transpose",
        "slice",
        "select",
        "split",
        "chunk",
        "unbind",
        "squeeze",
        "unsqueeze",
        "flatten",
        "pad",
        "roll",
        "embedding",
        "broadcast_to",
        "argsort",
        "one_hot",
    ]
)
"""Operations that compare or move elements, which is no arithmetic."""


@dataclass
class Step:
    """A call, and the module that makes it."""

    call: Call
    path: str
    """Path of the module; empty for the model itself."""
    is_leaf: bool = False
    """True if that module makes no other call, and has no module in it that makes one."""
    macs: int = 0
    """Multiply-adds of the call for one sample, or for the whole batch if nothing of it depends on the batch."""
    framework: str = "aten"
    other: int | None = None
    """Other arithmetic of the call for one sample, if it has no operator; None if its operation's name says it."""


class NetworkBuilder:
    """Adds layers one after another."""

    def __init__(self, name: str, inputs: Mapping[str, Shape]) -> None:
        self.name = name
        self.inputs = dict(inputs)
        self.layers: list[Layer] = []
        self.taken: set[str] = set(inputs)
        self.owners: dict[str, WeightRef] = {}
        """Name of a stored tensor in the state dict to the layer that has it."""
        self.renames: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.shapes: dict[str, Shape] = dict(inputs)

    def add(self, step: Step) -> Operand:
        """Add the layer of a call, and return its output."""
        call = step.call
        mapped = operator_of(call, step.framework)
        if mapped is None and call.stored:
            call = self._with_parameters(call, step)
            mapped = operator_of(call, step.framework)
        if mapped is None:
            mapped = self._generic(replace(step, call=call))
        if mapped.op.kind in ("reshape", "permute", "expand", "slice", "flatten", "pad") and _changes_nothing(mapped):
            return call.output._replace(source=mapped.inputs[0].source)
        name = self._name(step, mapped)
        self._append(name, mapped)
        return call.output._replace(source=name)

    def add_computed(self, name: str, shape: Shape, tensors: Sequence[Stored], macs: int) -> str:
        """Add a tensor that is computed from stored ones, and return the name of its layer."""
        own = {stored.name: stored for stored in tensors if stored.name}
        single = len(own) == 1 and next(iter(own)) == name
        names = {
            ("" if single else stored.name.rpartition(".")[2] + f"_{at}" * (at > 0)): stored
            for at, stored in enumerate(own.values())
        }
        trained = {key: stored.shape for key, stored in names.items() if stored.trained}
        kept = {key: stored.shape for key, stored in names.items() if not stored.trained}
        start = self.inputs_order()[0]
        if single and trained and trained[""] == (1, *shape):
            op: Any = Parameter([self.inputs[start]], shape=shape)
        else:
            op = Computed([self.inputs[start]], shape=shape, macs=macs, tensors=trained, stored=kept)
        path = name if single and name not in self.taken else self._free(name)
        self._append(path, Mapped(op, [Operand(start, (1, *self.inputs[start]))], names))
        return path

    def add_opaque(
        self, operation: str, path: str, is_name: bool, sources: Sequence[str], shape: Shape, params: int
    ) -> str:
        """Add a layer whose work is not known, and return its name.

        Args:
            operation: its name where it comes from.
            path: path of its module, or its own name.
            is_name: True if ``path`` is its own name.
            sources: the layers and network inputs that it takes; if there are none, it takes the first input.
            shape: of its output, per sample.
            params: trained numbers that it has.
        """
        sources = list(sources) or [self.inputs_order()[0]]
        call = Call(operation, {}, Operand("", shape, None))
        operands = [Operand(source, self.shapes[source], None) for source in sources]
        op = Opaque([operand.shape for operand in operands], shape=shape, params=params)
        mapped = Mapped(op, operands, {})
        name = self._name(Step(call, path, is_name), mapped)
        self._append(name, mapped)
        return name

    def inputs_order(self) -> list[str]:
        return list(self.inputs)

    def network(self, outputs: Iterable[str]) -> Network:
        """Return the network of the layers that were added."""
        groups = {
            layer.name[:end] for layer in self.layers for end, character in enumerate(layer.name) if character == "."
        }
        return Network(
            self.name,
            self.inputs,
            tuple(self.layers),
            tuple(dict.fromkeys(outputs)),
            groups=dict.fromkeys(sorted(groups), ""),
            renames=self.renames,
        )

    def _with_parameters(self, call: Call, step: Step) -> Call:
        """Return the call with a layer of its own for each stored tensor that is used like a computed one."""
        rank, batch, folded = len(call.output.sizes), call.output.batch, call.output.folded

        def operand(value: Any) -> Any:
            if isinstance(value, list):
                return [operand(item) for item in value]
            if not isinstance(value, Stored):
                return value
            sizes = (1,) * (rank - len(value.shape)) + value.shape
            shape = sizes if batch is None or folded > 1 else sizes[:batch] + sizes[batch + 1 :]
            source = self.add_computed(value.name or f"{step.path}.constant".lstrip("."), shape, [value], 0)
            return Operand(source, sizes, batch, folded)

        return replace(call, arguments={name: operand(value) for name, value in call.arguments.items()})

    def _generic(self, step: Step) -> Mapped:
        call = step.call
        operands = call.operands
        stored = {f"tensor{at}" if at else "weight": value for at, value in enumerate(call.stored)}
        other = 0 if step.macs or call.operation in MOVING or call.item else product(call.output.shape)
        other = other if step.other is None else step.other
        op = Generic(
            [operand.shape for operand in operands],
            shape=call.output.shape,
            operation=call.operation,
            macs=step.macs,
            other=other,
            tensors={name: value.shape for name, value in stored.items()},
        )
        return Mapped(op, operands, stored)

    def _append(self, name: str, mapped: Mapped) -> None:
        layer = Layer(name, mapped.op, tuple(operand.source for operand in mapped.inputs))
        shared = {self.owners[stored.name].layer for stored in mapped.weights.values() if stored.name in self.owners}
        same = next(iter(shared)) if len(shared) == 1 else None
        if same and all(self.owners.get(stored.name) == (same, key) for key, stored in mapped.weights.items()):
            layer.shares = same
        else:
            ties = {}
            for key, stored in mapped.weights.items():
                if stored.name in self.owners:
                    if key in mapped.op.weights():
                        ties[key] = self.owners[stored.name]
                    continue
                own = WeightRef(name, key)
                if stored.name:
                    self.owners[stored.name] = own
                    if str(own) != stored.name:
                        self.renames[str(own)] = stored.name
            if ties:
                layer.ties = ties
        self.layers.append(layer)
        self.shapes[name] = layer.output_shape
        self.taken.add(name)

    def _name(self, step: Step, mapped: Mapped) -> str:
        """Return a layer's name: the path of the module whose weights it has, or that does nothing else.

        Others get the path of their module and a word for what they are, with a number.
        """
        prefixes = {
            stored.name.removesuffix(key).removesuffix(".")
            for key, stored in mapped.weights.items()
            if stored.name.endswith(key)
        }
        if len(prefixes) == 1 and all(stored.name.endswith(key) for key, stored in mapped.weights.items()):
            prefix = prefixes.pop()
            if prefix and mapped.op.exactness == "exact":
                return self._free(prefix)
        if step.is_leaf and step.path:
            return self._free(step.path)
        kind = mapped.op.kind if mapped.op.exactness == "exact" else step.call.operation
        base = f"{step.path}.{kind}" if step.path else kind
        while True:
            count = self.counts[base] = self.counts.get(base, 0) + 1
            if f"{base}{count}" not in self.taken:
                return f"{base}{count}"

    def _free(self, name: str) -> str:
        """Return a name that no layer has: `relu`, then `relu_2`."""
        if name not in self.taken:
            return name
        while True:
            count = self.counts[f"{name}_"] = self.counts.get(f"{name}_", 1) + 1
            if f"{name}_{count}" not in self.taken:
                return f"{name}_{count}"


def _changes_nothing(mapped: Mapped) -> bool:
    """Return True for a view that is its input again, such as a transposition of the batch."""
    op = mapped.op
    if op.output != op.x:
        return False
    order = getattr(op, "order", None)
    return order is None or tuple(order) == tuple(range(len(op.x)))
