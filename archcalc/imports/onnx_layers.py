"""A node of an ONNX model to a layer: an operator's, or one whose shape and work are known, or an opaque one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Shape, product
from archcalc.imports.batch import BATCH
from archcalc.imports.builder import NetworkBuilder, TracedCall
from archcalc.imports.onnx_inputs import Batch
from archcalc.imports.onnx_names import LegalNames, legal
from archcalc.imports.onnx_scope import OnnxNode
from archcalc.imports.onnx_shapes import Types, sizes_by_name, tensors_in, type_in
from archcalc.imports.onnx_tensors import INTEGERS, OnnxTensor, StoredTensor, tensor_type
from archcalc.imports.onnx_work import COMPARING, multiply_adds, other_work
from archcalc.ops import calls
from archcalc.ops.calls import Call, Operand
from archcalc.structs import replace

WEIGHTED = frozenset(
    [
        *("Conv", "ConvTranspose", "DeformConv", "ConvInteger", "QLinearConv"),
        *("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "LSTM", "GRU", "RNN", "PRelu"),
        *("BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization"),
        "RMSNormalization",
    ]
)
"""Operations with weights: a constant of theirs is one, also if a node gives it."""
STATISTICS = frozenset(["input_mean", "input_var"])
PLAIN = frozenset(
    ["scales", "roi", "min", "max", "constant_value", "ratio", "training_mode", "depth", "values", "high", "low"]
)
"""Names of inputs that are numbers, not weights."""
ALONG = COMPARING | frozenset(
    ["Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Sum", "Mean", "Where", "Clip", "PRelu", "MatMul"]
)
"""Operations that repeat axes of size 1."""
QUANTIZED = {
    "QLinearConv": ("Conv", {"x": "X", "w": "W", "B": "B"}),
    "ConvInteger": ("Conv", {"x": "X", "w": "W"}),
    "QLinearMatMul": ("MatMul", {"a": "A", "b": "B"}),
    "MatMulInteger": ("MatMul", {"A": "A", "B": "B"}),
}
"""Operations on integers, the ones on real numbers that they stand for, and the inputs that these have too."""
LONGEST_LIST = 64

Place = tuple[str, str]
"""The path of a node's module, and the node's own name if nothing says its module."""


class UnknownSizes(Exception):
    """The sizes of a tensor are not known."""


class LayerMaker:
    """Makes layers of nodes, and adds them to a network."""

    def __init__(self, builder: NetworkBuilder, batch: Batch) -> None:
        self.builder = builder
        self.batch = batch
        self.names = LegalNames()
        self.path = ""
        """Path of the module of the node that is read."""
        self.leaves: Counter[str] = Counter()
        """Number of nodes in each module."""
        self.counted: set[str] = set()
        """Stored tensors of opaque layers."""
        self.roles: dict[str, bool] = {}
        """Stored tensor to True if it is trained, as its first use says."""
        self.computed: dict[tuple[int, Shape], tuple[OnnxTensor, str]] = {}
        """Identity of a constant and its shape to itself, which keeps its identity from another, and to its layer."""

    def of(
        self, node: OnnxNode, named: Mapping[str, Any], types: Types, place: Place, used: Sequence[int]
    ) -> list[OnnxTensor]:
        """Return the outputs of a node, each of its own layer if something takes it; the first in any case."""
        found = []
        work = True
        for index, name in enumerate(node.proto.output):
            type, sizes = type_in(types, name)
            if not name or (index not in used and (used or index)):
                found.append(OnnxTensor(type, sizes))
                continue
            try:
                value = self._layer(node, named, sizes, place, index, work)
            except UnknownSizes:
                (value,) = self.opaque(node, _every(named), types, place, [name])
            value.type = type
            found.append(value)
            work = False
        return found

    def _layer(
        self, node: OnnxNode, named: Mapping[str, Any], sizes: Shape | None, place: Place, item: int, work: bool
    ) -> OnnxTensor:
        """Return an output of a node, with its work if ``work`` is true. Raises `UnknownSizes`."""
        shapes = sizes_by_name(named)
        if sizes is None or 0 in sizes or len(shapes) < len(named) or any(map(_is_empty, _every(named))):
            raise UnknownSizes
        macs = multiply_adds(node.operation, shapes, sizes, node.attributes)
        if macs is None:
            raise UnknownSizes
        other = other_work(node.operation, shapes, sizes, node.attributes) if work and not macs else 0
        operation, kept = QUANTIZED.get(node.operation, (node.operation, None))
        if kept is not None:
            dropped = [value for name, value in named.items() if name not in kept and value.source is None]
            named = {kept.get(name, name): value for name, value in named.items() if value not in dropped}
        if operation == "InstanceNormalization" and all(map(_is_made, (named.get("scale"), named.get("B")))):
            named = {"input": named["input"]}  # ones and zeros, where the module has no weights
        output = self.batch.operand(sizes)
        self.path = place[0]
        arguments = {
            **node.attributes,
            **{name: self._argument(value, name, operation, output) for name, value in named.items()},
        }
        arguments = {
            name: argument
            for name, argument in arguments.items()
            if argument is not None and not hasattr(argument, "dims")
        }
        call = Call(operation, arguments, output, item)
        if not call.operands:
            raise UnknownSizes
        path, leaf = self._place(call, place)
        macs, other = self._per_sample(macs if work else 0, call), self._per_sample(other, call)
        step = TracedCall(call, path, leaf, macs, "onnx", other=other)
        found = self._sliced(step) if operation == "Slice" else self.builder.add(step)
        return OnnxTensor(tensor_type(0, sizes), sizes, found.source)

    def _per_sample(self, work: int, call: Call) -> int:
        """Return the work for one sample, of that for the batch."""
        batched = call.output.batch is not None or any(operand.batch is not None for operand in call.operands)
        return -(-work // BATCH) if batched and self.batch.is_prime else work

    def _sliced(self, step: TracedCall) -> Operand:
        """Add a layer for each axis that is cut."""
        call = step.call
        x, starts, ends = call.arguments.get("data"), call.get("starts"), call.get("ends")
        axes = call.get("axes", list(range(len(starts or ()))))
        steps = call.get("steps", [1] * len(starts or ()))
        lists = (starts, ends, axes, steps)
        if (
            not isinstance(x, Operand)
            or not all(isinstance(numbers, list) for numbers in lists)
            or min(steps, default=1) < 1
        ):
            return self.builder.add(step)
        if len({*map(len, lists)}) != 1 or any(not -len(x.sizes) <= axis < len(x.sizes) for axis in axes):
            return self.builder.add(step)
        for axis, start, end, stride in zip(axes, starts, ends, steps, strict=True):
            axis %= len(x.sizes)
            start, end, stride = slice(start, end, stride).indices(x.sizes[axis])
            sizes = (*x.sizes[:axis], len(range(start, end, stride)), *x.sizes[axis + 1 :])
            if sizes == x.sizes:
                continue
            part = {"data": x, "axis": axis, "start": start, "stop": end, "step": stride}
            output = self.batch.operand(sizes)
            x = self.builder.add(
                replace(step, call=Call("Slice", part, output), is_leaf=step.is_leaf and len(axes) == 1)
            )
        return x

    def _place(self, call: Call, place: Place) -> tuple[str, bool]:
        """Return the path of a layer, and whether it is its whole name."""
        path, name = place
        weights = sorted(
            (tensor.name for tensor in call.stored if tensor.name.endswith((".weight", ".bias"))), reverse=True
        )
        if weights and call.operation in WEIGHTED:
            owner = weights[0].rpartition(".")[0]
            # Exporters keep one tensor for all that are equal, such as biases of zeros, with the name of the first.
            is_other = (
                bool(path) and not f"{owner}.".startswith(f"{path}.") and self.builder.layers.owners.get(weights[0])
            )
            return (path if is_other else owner), True
        return (name, True) if name else (path, bool(path) and self.leaves[path] == 1)

    def opaque(
        self,
        node: OnnxNode,
        tensors: Sequence[OnnxTensor],
        types: Types,
        place: Place,
        outputs: Sequence[str] | None = None,
    ) -> list[OnnxTensor]:
        """Return the outputs of a node whose work is not known, each of a layer of its own.

        Args:
            node: the node.
            tensors: what it takes.
            types: of its outputs.
            place: its module and its name.
            outputs: names of those outputs that are meant; None for all.
        """
        sources = list(dict.fromkeys(tensor.source for tensor in tensors if tensor.source is not None))
        stored = {origin.name: origin for tensor in tensors for origin in tensor.origins}
        params = 0
        for name, origin in stored.items():
            legal_name = self.names.of(name)
            is_new = legal_name not in self.counted and legal_name not in self.builder.layers.owners
            if is_new and origin.is_real and (not origin.in_node or len(origin.sizes) > 1):
                params += int(product(origin.sizes))
                self.counted.add(legal_name)
        found = []
        for index, name in enumerate(node.proto.output if outputs is None else outputs):
            type, sizes = type_in(types, name)
            shape = self.batch.operand(sizes).shape if sizes is not None else ()
            path, own = place
            source = self.builder.add_opaque(
                node.operation if legal(node.operation) == node.operation else "opaque",
                own or path,
                bool(own),
                sources,
                tuple(max(size, 1) for size in shape) or (1,),
                params if index == 0 else 0,
            )
            if sizes is not None and shape == ():
                source = self._single(source, path)
            found.append(OnnxTensor(type, sizes, source))
        return found

    # -- arguments

    def _argument(self, value: Any, name: str, operation: str, output: Operand) -> Any:
        """Return a tensor as an argument of a call: numbers, `Operand`, or `StoredTensor`."""
        if isinstance(value, list):
            return [self._argument(tensor, name, operation, output) for tensor in value]
        if value.sizes is None:
            raise UnknownSizes
        if value.source is not None:
            operand = self.batch.operand(value.sizes, value.source)
            return self._with_batch(operand, output) if operation in ALONG else operand
        if value.data is not None and self._is_plain(value, name, operation):
            if value.count == 1 and (operation in ALONG or (value.is_real and name != "scales")):
                return value.data.ravel().tolist()[0]
            return value.data.tolist()
        if 0 in value.sizes:
            raise UnknownSizes
        if not value.macs:
            same = [
                origin
                for origin in value.origins
                if product(origin.sizes) == value.count and (origin.is_real or not value.is_real)
            ]
            if not value.origins and value.data is None:
                return calls.Stored("", value.sizes)
            if len(value.origins) == 1 and same:
                return self._stored(same[0], value.sizes, name, operation)
        return self._aligned_constant(value, output)

    def _with_batch(self, operand: Operand, output: Operand) -> Operand:
        """Return a computed tensor with an axis for the batch, through a reshape if its shape per sample changes."""
        aligned = _aligned(operand, output)
        if aligned.shape == operand.shape:
            return aligned
        target = Operand("", aligned.shape, None)
        reshape = Call("Reshape", {"data": operand}, target)
        return aligned._replace(source=self.builder.add(TracedCall(reshape, self.path, False, 0, "onnx")).source)

    @staticmethod
    def _is_plain(value: OnnxTensor, name: str, operation: str) -> bool:
        """Return True if a constant is given as numbers: sizes, axes, limits, and factors that are not trained."""
        if value.element in INTEGERS:
            return operation not in ALONG or value.count == 1
        if name in PLAIN and value.count <= LONGEST_LIST and value.data.ndim <= 1:
            return True
        trained = any("." in origin.name and not origin.in_node for origin in value.origins)
        is_number = value.data.ndim <= 1 or operation in ALONG
        return value.count == 1 and operation not in WEIGHTED and is_number and not trained

    def _stored(self, origin: StoredTensor, sizes: Shape, name: str, operation: str) -> calls.Stored:
        if operation in WEIGHTED:
            trained = name not in STATISTICS and (origin.is_real or name in ("W", "B"))
        else:
            # The exporters reshape scales of channels, which are then constants of theirs.
            is_vector = len([size for size in origin.sizes if size > 1]) == 1
            made = origin.in_node or (origin.is_made and not is_vector)
            trained = origin.is_real and not made and len(origin.sizes) > 0
        return calls.Stored(self.names.of(origin.name), sizes, self.roles.setdefault(origin.name, trained))

    def _aligned_constant(self, value: OnnxTensor, output: Operand) -> Operand:
        """Return a constant that is computed from stored tensors as the output of a layer."""
        assert value.sizes is not None
        operand = _aligned(self.batch.operand(value.sizes), output)
        source = self._constant_layer(value, operand.shape, "")
        return operand._replace(source=source if operand.shape else self._single(source, self.path))

    def _single(self, source: str, path: str) -> str:
        """Return a layer that gives the only number of another: a single number has no axis."""
        only = {"data": Operand(source, (1,), None), "indices": 0, "axis": 0}
        call = Call("Gather", only, Operand("", (), None))
        return self.builder.add(TracedCall(call, path, False, 0, "onnx")).source

    def _constant_layer(self, value: OnnxTensor, shape: Shape, name: str) -> str:
        stored = [self._stored(origin, origin.sizes, "", "") for origin in value.origins]
        alone = len(stored) == 1 and stored[0].trained and stored[0].name not in self.builder.layers.taken
        own = stored[0].name if alone else legal(name) or f"{self.path}.computed".lstrip(".")
        key = (id(value), shape)
        if key not in self.computed:
            output = Operand("", shape or (1,), None)
            self.computed[key] = value, self.builder.add_computed(own, output, stored, value.macs)
        return self.computed[key][1]

    def constant(self, value: OnnxTensor, name: str) -> str:
        """Return the name of a layer that gives a constant, which the network gives back."""
        shape = tuple(max(size, 1) for size in value.sizes or ())
        return self._constant_layer(value, shape, name)


def _every(named: Mapping[str, Any]) -> list[OnnxTensor]:
    return [tensor for value in named.values() for tensor in tensors_in(value)]


def _is_empty(value: OnnxTensor) -> bool:
    return value.source is not None and 0 in (value.sizes or ())


def _is_made(value: Any) -> bool:
    """Return True for a constant that a node or PyTorch's exporter made."""
    return isinstance(value, OnnxTensor) and value.source is None and all(origin.is_made for origin in value.origins)


def _aligned(operand: Operand, output: Operand) -> Operand:
    """Return a tensor that is the same for all samples with an axis for the batch, as the output has one."""
    if operand.batch is not None or output.batch is None or len(operand.sizes) > len(output.sizes):
        return operand
    sizes = (1,) * (len(output.sizes) - len(operand.sizes)) + operand.sizes
    if sizes[output.batch] != 1:
        return operand
    return Operand(operand.source, sizes, output.batch, output.folded)
