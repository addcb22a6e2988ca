"""A PyTorch module to calls: `torch.export` follows an example, and nothing is computed.

The batch of the example is a large prime, so the axis that it divides is the batch, also where windows are folded into
it. The example's tensors have stride 0 along it, so they take no memory.
"""

from __future__ import annotations

import operator
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from archcalc.errors import UserError
from archcalc.imports.builder import SAME, NetworkBuilder, Step
from archcalc.imports.composites import attention_arguments, composites
from archcalc.imports.work import multiply_adds
from archcalc.network import Network
from archcalc.ops.calls import Call, Operand, Stored

BATCH = 7919
"""A prime that no size of a network is a multiple of."""


def trace(module: nn.Module, *inputs: Tensor, name: str = "", keywords: Mapping[str, Tensor] | None = None) -> Network:
    """Return the network of a module, as it computes an example.

    Args:
        module: it is exported in evaluation mode, and left as it was.
        inputs: the example's tensors, with a batch, whose size does not matter.
        name: name of the network; the module's class if empty.
        keywords: the example's tensors that are given by name.

    Raises:
        UserError: if PyTorch cannot export the module, with its reason.
    """
    program = exported(module, inputs, keywords or {})
    return Reading(program, module, name or type(module).__name__).network()


def exported(module: nn.Module, inputs: Sequence[Tensor], keywords: Mapping[str, Tensor]) -> Any:
    """Return the exported program for a batch of `BATCH`."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            args = tuple(_repeated(tensor) for tensor in inputs)
            kwargs = {key: _repeated(tensor) for key, tensor in keywords.items()}
            return torch.export.export(module, args, kwargs, strict=False)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"PyTorch cannot export {type(module).__name__}: {reason[:300]}") from error
    finally:
        for part in training:
            part.training = True


def _repeated(tensor: Tensor) -> Tensor:
    return tensor[:1].expand(BATCH, *tensor.shape[1:])


FRESH = frozenset(
    ["zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"]
)
"""Operations that take of a tensor only its sizes and its type."""


class Reading:
    """Reads an exported program node by node."""

    def __init__(self, program: Any, module: nn.Module, name: str) -> None:
        self.program = program
        self.module = module
        self.values: dict[fx.Node, Any] = {}
        """Node to its `Operand`, `Stored`, constant tensor, or list of those."""
        self.constant: dict[fx.Node, list[fx.Node]] = {}
        """Nodes that depend on stored tensors alone, with the nodes that they take."""
        signature = program.graph_signature
        self.stored = {
            **dict(signature.inputs_to_parameters),
            **dict(signature.inputs_to_buffers),
            **dict(signature.inputs_to_lifted_tensor_constants),
        }
        self.trained = set(signature.inputs_to_parameters)
        users = [node for node in program.graph.nodes if node.op == "placeholder" and node.name not in self.stored]
        shapes = {node.target: tuple(node.meta["val"].shape[1:]) for node in users}
        self.builder = NetworkBuilder(name, {self._input_name(key, shapes): shape for key, shape in shapes.items()})
        for node in users:
            self.values[node] = Operand(self._input_name(node.target, shapes), tuple(node.meta["val"].shape))
        self.leaves = self._leaves()
        self.composites = self._composites()
        self.layers_of_constants: dict[tuple[fx.Node, Any], str] = {}

    @staticmethod
    def _input_name(target: str, shapes: Mapping[str, Any]) -> str:
        return "input" if len(shapes) == 1 else target

    def _leaves(self) -> dict[str, int]:
        """Return the number of calls inside each module, by the key of its call."""
        return Counter(key for node in self.program.graph.nodes if node.op == "call_function" for key in _stack(node))

    def _composites(self) -> dict[fx.Node, Any]:
        """Return the nodes of modules that become one layer: None, and at its output the module's path and arguments."""
        found: dict[fx.Node, Any] = {}
        for composite in composites(self.program.graph):
            arguments = attention_arguments(composite, self.module, self.stored)
            if arguments is not None:
                found.update(dict.fromkeys(composite.nodes))
                found[composite.outputs[0]] = composite.path, arguments
        return found

    def network(self) -> Network:
        """Return the network."""
        for node in self.program.graph.nodes:
            if node in self.composites:
                if self.composites[node] is not None:
                    self.values[node] = self._composite(node, *self.composites[node])
            elif node.op == "placeholder" and node not in self.values:
                self.values[node] = self._stored(node)
            elif node.op == "call_function":
                self.values[node] = self._value(node)
        outputs = [self._source(value) for value in self._outputs()]
        return self.builder.network([source for source in outputs if source not in self.builder.inputs])

    def _outputs(self) -> list[Any]:
        wanted = set(self.program.graph_signature.user_outputs)
        node = next(node for node in self.program.graph.nodes if node.op == "output")
        return [one for one in node.all_input_nodes if one.name in wanted]

    def _source(self, node: fx.Node) -> str:
        value = self.values[node]
        return value.source if isinstance(value, Operand) else self._computed(node, ()).source

    def _stored(self, node: fx.Node) -> Stored:
        return Stored(self.stored[node.name], tuple(node.meta["val"].shape), node.name in self.trained)

    def _value(self, node: fx.Node) -> Any:
        """Return what a node gives, and add the layers that it needs."""
        taken = node.all_input_nodes
        if node.target is operator.getitem:
            source, item = node.args
            if source in self.constant:
                self.constant[node] = [source]
                return None
            return self._call(source, node.meta["val"], item)
        name = _operation(node)
        if name in FRESH or not any(isinstance(self.values[one], (Operand, list)) for one in taken):
            self.constant[node] = [] if name in FRESH else taken
            return None
        if name in SAME:
            self.values[node] = self.values[taken[0]]
            return self.values[taken[0]]
        result = node.meta.get("val")
        if isinstance(result, (list, tuple)):
            return [None] * len(result)  # a layer for each item that is taken
        if not isinstance(result, Tensor):
            return None
        value = self._call(node, result, 0)
        if node.target.__name__.partition(".")[0].endswith("_"):
            self.values[taken[0]] = value  # written in place
        return value

    def _call(self, node: fx.Node, result: Tensor, item: int) -> Operand:
        sizes = tuple(result.shape)
        batch, folded = batch_axis(sizes)
        output = Operand("", sizes, batch, folded)
        arguments = {key: self._argument(value, output) for key, value in _bound(node).items()}
        call = Call(_operation(node), arguments, output, item)
        stack = _stack(node)
        path = stack[-1] if stack else ""
        macs = 0 if item else multiply_adds(node) // BATCH
        leaf = bool(stack) and self.leaves[path] == 1
        return self.builder.add(Step(call, _path(node), leaf, macs))

    def _composite(self, node: fx.Node, path: str, arguments: dict[str, Any]) -> Operand:
        """Return the output of a module that is one operator, with its tensors as arguments by their names."""
        sizes = tuple(node.meta["val"].shape)
        output = Operand("", sizes, *batch_axis(sizes))
        given = {key: self._argument(value, output) for key, value in arguments.items()}
        inner = self.module.get_submodule(path)
        for name, tensor in (*inner.named_parameters(), *inner.named_buffers()):
            given[name] = Stored(f"{path}.{name}", tuple(tensor.shape), isinstance(tensor, nn.Parameter))
        return self.builder.add(Step(Call(type(inner).__name__, given, output), path, True))

    def _argument(self, value: Any, output: Operand) -> Any:
        if isinstance(value, fx.Node):
            found = self.values.get(value)
            return self._computed(value, output) if value in self.constant else found
        if isinstance(value, (list, tuple)):
            return [self._argument(one, output) for one in value]
        if isinstance(value, (torch.dtype, torch.device, torch.layout, torch.memory_format)):
            return str(value)
        return value

    def _computed(self, node: fx.Node, output: Any) -> Any:
        """Return a tensor that depends on stored ones alone as a layer of its own, or as a number if it is one."""
        result = node.meta.get("val")
        if not isinstance(result, Tensor):
            return result
        closure = self._closure(node)
        tensors = [self.values[one] for one in closure if isinstance(self.values.get(one), Stored)]
        sizes = tuple(result.shape)
        batch, folded = batch_axis(sizes)
        if isinstance(output, Operand) and batch is None:
            sizes = (1,) * (len(output.sizes) - len(sizes)) + sizes
            batch, folded = output.batch, output.folded
        operand = Operand("", sizes, batch, folded)
        key = node, operand
        if key not in self.layers_of_constants:
            macs = sum(multiply_adds(one) for one in closure if one.op == "call_function")
            fresh = [one for one in tensors]
            name = fresh[0].name if len(fresh) == 1 and fresh[0].name else f"{_path(node)}.computed".lstrip(".")
            self.layers_of_constants[key] = self.builder.add_computed(name, operand.shape, fresh, macs)
        return operand._replace(source=self.layers_of_constants[key])

    def _closure(self, node: fx.Node) -> list[fx.Node]:
        found: dict[fx.Node, None] = {}
        pending = [node]
        while pending:
            one = pending.pop()
            if one not in found:
                found[one] = None
                pending += self.constant.get(one, ())
        return list(found)


def batch_axis(sizes: Sequence[int]) -> tuple[int | None, int]:
    """Return the axis that holds the batch, and how many rows of it belong to a sample."""
    found = [axis for axis, size in enumerate(sizes) if size and size % BATCH == 0]
    return (found[0], sizes[found[0]] // BATCH) if len(found) == 1 else (None, 1)


def _operation(node: fx.Node) -> str:
    return node.target.__name__.partition(".")[0].rstrip("_") if node.target is not operator.getitem else "getitem"


def _bound(node: fx.Node) -> dict[str, Any]:
    """Return the arguments of a call by the names of its schema."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {str(at): value for at, value in enumerate(node.args)} | dict(node.kwargs)
    names = [argument.name for argument in schema.arguments]
    return dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def _stack(node: fx.Node) -> list[str]:
    return list(node.meta.get("nn_module_stack") or ())


def _path(node: fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    return next(reversed(stack.values()))[0] if stack else ""
