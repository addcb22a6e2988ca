"""An exported program to a Network: a call for each node, and a layer for each call."""

from __future__ import annotations

import operator
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn

from archcalc.errors import UserError
from archcalc.imports.builder import NetworkBuilder, Step
from archcalc.imports.composites import Composite, attention_arguments, composites
from archcalc.imports.detectors import as_module_of_a_tensor, is_detector
from archcalc.imports.exporting import FRESH, batch_axis, export
from archcalc.imports.mapping import Mapped, operator_of
from archcalc.imports.moving import SAME
from archcalc.imports.nodes import (
    bound_arguments,
    computes_otherwise,
    every_call,
    is_empty,
    macs_per_sample,
    module_class,
    module_keys,
    module_path,
    operand_of,
    operation_of,
    stored_names,
)
from archcalc.imports.partial import STAND_IN, Unknown, export_partially, notes_of
from archcalc.imports.replay import Replay
from archcalc.imports.work import multiply_adds
from archcalc.network import About, Network
from archcalc.ops.calls import Call, Operand, Stored

RECURRENT = frozenset(["lstm", "gru", "rnn_tanh", "rnn_relu"])
HOLDERS = frozenset(["Sequential", "ModuleList", "ModuleDict", "Module"])
ZEROS = frozenset(["zeros", "zeros_like", "new_zeros"])
VIEWS = SAME | {"expand", "permute", "reshape", "select", "slice", "transpose", "unsqueeze", "view"}
NOTHING: Mapping[str, Operand] = {}
_TYPES = (torch.dtype, torch.device, torch.layout, torch.memory_format)


def trace(module: nn.Module, *inputs: Tensor, name: str = "", keywords: Mapping[str, Tensor] | None = None) -> Network:
    """Return the network of a module, as it computes an example.

    Args:
        module: it is exported in evaluation mode, and left as it was.
        inputs: the example's tensors, with a batch, whose size does not matter.
        name: name of the network; the module's class if empty.
        keywords: the example's tensors that are given by name.

    Raises:
        UserError: if PyTorch can export no part of the module, with its reason.
    """
    name, keywords, keeps_all = name or type(module).__name__, keywords or {}, is_detector(module)
    with as_module_of_a_tensor(module):
        try:
            if keeps_all:
                raise UserError(f"PyTorch cannot export {name}: its boxes depend on what it sees")
            return _Reader(export(module, inputs, keywords), module, name).network()
        except UserError:
            found = _partly(module, inputs, keywords, name, keeps_all)
            if found is None:
                raise
            return found


def _partly(
    module: nn.Module, inputs: Sequence[Tensor], keywords: Mapping[str, Tensor], name: str, keeps_all: bool
) -> Network | None:
    """Return the network of a module that cannot be exported whole; None if nothing of it can be."""
    found = export_partially(module, inputs, keywords, keeps_all)
    if found is None:
        return None
    network = _Reader(found.program, module, name, found.unknown).network()
    if all(layer.op.exactness == "opaque" for layer in network):
        return None
    return replace(network, about=About(notes=notes_of(network, found, keeps_all)))


class _Reader:
    """Reads an exported program node by node."""

    def __init__(
        self, program: Any, module: nn.Module, name: str, unknown: Mapping[str, Unknown] | None = None
    ) -> None:
        self.program = program
        self.unknown = unknown or {}
        """Key of a stand-in to what it stands for."""
        self.opaque: dict[str, Operand] = {}
        """Key of a stand-in to its first output."""
        self.left_out: set[str] = set()
        """Parameters that opaque layers have."""
        self.module = module
        self.values: dict[fx.Node, Any] = {}
        """Node to its `Operand`, `Stored`, number, or module; a list for several outputs."""
        self.constant: dict[fx.Node, list[fx.Node]] = {}
        """Nodes that depend on stored tensors alone, with the nodes that they take."""
        self.outputs: dict[fx.Node, list[fx.Node]] = {}
        """Call of an inner graph to the nodes of its results."""
        signature = program.graph_signature
        self.stored: dict[str, str] = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        self.trained = set(signature.inputs_to_parameters)
        users = [node for node in program.graph.nodes if node.op == "placeholder" and node.name not in self.stored]
        users = [node for node in users if isinstance(node.meta.get("val"), Tensor)]
        names = {node: "input" if len(users) == 1 else str(node.target) for node in users}
        self.builder = NetworkBuilder(name, {names[node]: tuple(node.meta["val"].shape[1:]) for node in users})
        for node in users:
            self.values[node] = Operand(names[node], tuple(node.meta["val"].shape))
        self.calls_inside = Counter(key for node in every_call(program.graph_module) for key in module_keys(node))
        """Key of each call of a module to the number of calls in it."""
        self.composites = self._composites()
        self.computed: dict[tuple[fx.Node, Operand], str] = {}
        """Constant node and the tensor that it is taken as, to its layer."""
        self.positions: dict[fx.Node, int] = {}
        """Order in which the nodes are read."""
        self.counted: set[fx.Node] = set()
        """Calls of several outputs whose work is counted."""
        self.sequences: dict[fx.Node, Operand] = {}
        """Call of a recurrent layer to its sequence of states."""
        self.placeholders = {self.stored[node.name]: node for node in program.graph.nodes if node.name in self.stored}
        self.arguments: dict[fx.Node, Any] = {}
        """What each node was as an argument of the last call that took it."""
        self.builder.aliases = stored_names(module)
        self.builder.origin_of_stored = self._stored_again

    def _composites(self) -> dict[fx.Node, Any]:
        """Return the nodes of modules that become one layer: None, and for the output its path and arguments."""
        found: dict[fx.Node, Any] = {}
        for composite in composites(self.program.graph):
            arguments = attention_arguments(composite, self.module, self.stored)
            if arguments is not None:
                found.update(dict.fromkeys(composite.nodes))
                found[composite.outputs[0]] = composite, arguments
        return found

    def network(self) -> Network:
        """Return the network."""
        self._read(self.program.graph_module)
        wanted = set(self.program.graph_signature.user_outputs)
        node = next(node for node in self.program.graph.nodes if node.op == "output")
        sources = [self._source(one) for one in node.all_input_nodes if one.name in wanted]
        found = self.builder.network(sources)
        return replace(found, groups=self._groups(found.groups), uncalled=self._uncalled())

    def _groups(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the class of the module at each path; none of one that only holds others."""
        modules = dict(self.module.named_modules())
        classes = {path: type(modules[path]).__name__ if path in modules else "" for path in paths}
        return {path: "" if name in HOLDERS else name for path, name in classes.items()}

    def _uncalled(self) -> dict[str, int]:
        """Return the outermost modules, and the tensors, none of whose parameters are used, with their number."""
        names = (*self.builder.owners, *self.left_out)
        used = {alias for name in names for alias in self.builder.aliases.get(name, [name])}
        called = {name[:end] for name in used for end, character in enumerate(name) if character == "."}
        found: dict[str, int] = {}
        for name, parameter in self.module.named_parameters():
            if name not in used:
                ends = [end for end, character in enumerate(name) if character == "."]
                path = next((name[:end] for end in ends if name[:end] not in called), name)
                found[path] = found.get(path, 0) + parameter.numel()
        return found

    def _read(self, graph_module: fx.GraphModule) -> None:
        for node in graph_module.graph.nodes:
            self.positions[node] = len(self.positions)
            if node in self.composites:
                if self.composites[node] is not None:
                    self._composite(node, *self.composites[node])
            elif node.op == "placeholder" and node.name in self.stored and node not in self.values:
                self.values[node] = self._stored(node)
            elif node.op == "get_attr":
                self.values[node] = getattr(graph_module, str(node.target))
            elif node.op == "call_function":
                self._call_function(node)

    def _stored(self, node: fx.Node) -> Stored | float:
        name = self.stored[node.name]
        value = self.program.constants.get(name)
        if isinstance(value, Tensor) and value.numel() == 1 and not value.is_meta:
            return float(value) if value.is_floating_point() else int(value)
        return Stored(name, tuple(node.meta["val"].shape), node.name in self.trained, name in self.program.state_dict)

    def _call_function(self, node: fx.Node) -> None:
        """Take in what a node gives, and add the layers that it needs."""
        taken = node.all_input_nodes
        if node.target is operator.getitem:
            self._item(node, *node.args)
            return
        if node.target is STAND_IN:
            self.values[node] = self._opaque(node, str(node.args[-1]))
            return
        inner = [self.values[one] for one in taken if isinstance(self.values.get(one), fx.GraphModule)]
        if inner:
            self._inner(node, inner[0])
            return
        name, result = operation_of(node), node.meta.get("val")
        if name in FRESH or all(self._is_constant(one) for one in taken):
            is_per_sample = isinstance(result, Tensor) and batch_axis(result.shape)[0] is not None
            if name in SAME and isinstance(self.values.get(taken[0]), Stored):
                self.values[node] = self.values[taken[0]]
                return
            if not (is_per_sample and multiply_adds(node)):
                self.constant[node] = [] if name in FRESH else taken
                return
        if name in SAME:
            self.values[node] = self.values[taken[0]]
        elif name == "copy" and taken[-1].meta["val"].shape == node.meta["val"].shape:
            self.values[node] = self.values[taken[0]] = self._argument(taken[-1], operand_of(node.meta["val"]))
        elif isinstance(result, Tensor) and result.numel() == 0:
            self.values[node] = operand_of(result)
        elif isinstance(result, Tensor):
            self.values[node] = self._call(node, result, 0, macs_per_sample(node))
            if str(getattr(node.target, "__name__", "")).partition(".")[0].endswith("_"):
                self.values[taken[0]] = self.values[node]  # written in place

    def _is_constant(self, node: fx.Node) -> bool:
        return node in self.constant or (not isinstance(self.values.get(node), Operand) and node not in self.outputs)

    def _item(self, node: fx.Node, source: Any, item: Any) -> None:
        if source in self.outputs:
            self._same(node, self.outputs[source][item])
        elif source in self.constant:
            self.constant[node] = [source]
        elif isinstance(node.meta.get("val"), Tensor) and node.users:
            recurrent = operation_of(source) in RECURRENT and item > 0
            self.values[node] = self._state(source, node, item) if recurrent else self._item_of(source, node, item)

    def _opaque(self, node: fx.Node, key: str) -> Operand:
        """Return the output of code that the export leaves out.

        What only the network's outputs have of it, besides its first output, has no layer.
        """
        if key in self.opaque and all(user.op == "output" for user in node.users):
            return self.opaque[key]
        found, output = self.unknown[key], operand_of(node.meta["val"])
        taken = [self._argument(one, output) for one in node.all_input_nodes]
        parameters = dict(self.module.named_parameters())
        names = [] if key in self.opaque else [one for one in found.parameters if not self._is_used(one)]
        params = sum(parameters[name].numel() for name in names)
        self.left_out.update(names)
        sources = dict.fromkeys(one.source for one in taken if isinstance(one, Operand))
        source = self.builder.add_opaque(found.name, found.name, True, list(sources), output.shape, params)
        return self.opaque.setdefault(key, output._replace(source=source))

    def _is_used(self, name: str) -> bool:
        """Return True if an exported call uses a parameter."""
        names = self.builder.aliases.get(name, [name])
        return any(self.placeholders[one].users for one in names if one in self.placeholders)

    def _item_of(self, source: fx.Node, node: fx.Node, item: int) -> Operand:
        """Return one of several outputs of a call, whose work goes to the first that is taken."""
        macs = 0 if source in self.counted else macs_per_sample(source)
        self.counted.add(source)
        return self._call(source, node.meta["val"], item, macs)

    def _state(self, source: fx.Node, node: fx.Node, item: int) -> Operand:
        """Return the last state of a recurrent layer, whose work is that of its sequence of states."""
        if source not in self.sequences:
            sequence = next((user for user in source.users if user.args[1:] == (0,)), None)
            example = source.meta["val"][0]
            self.sequences[source] = (
                self.values[sequence]
                if sequence in self.values
                else self._call(source, example, 0, macs_per_sample(source))
            )
        states, bound = self.sequences[source], bound_arguments(source)
        if item == 1 and bound["num_layers"] == 1 and not bound["bidirectional"]:
            output = operand_of(node.meta["val"])
            steps = {"self": states, "dim": int(bound["batch_first"]), "start": -1, "end": sys.maxsize, "step": 1}
            return self.builder.add(Step(Call("slice", steps, output), module_path(source)))
        return self._call(source, node.meta["val"], item, 0, {"states": states})

    def _inner(self, node: fx.Node, graph_module: fx.GraphModule) -> None:
        """Read a graph that stands under another type or without gradients: its calls are calls like others."""
        given = [one for one in node.all_input_nodes if not isinstance(self.values.get(one), fx.GraphModule)]
        placeholders = [one for one in graph_module.graph.nodes if one.op == "placeholder"]
        for placeholder, one in zip(placeholders, given, strict=False):
            self._same(placeholder, one)
        self._read(graph_module)
        output = next(one for one in graph_module.graph.nodes if one.op == "output")
        self.outputs[node] = list(output.args[0]) if isinstance(output.args[0], (tuple, list)) else [output.args[0]]

    def _same(self, node: fx.Node, other: fx.Node) -> None:
        """Let a node mean what another gives."""
        if other in self.values:
            self.values[node] = self.values[other]
        if other in self.constant:
            self.constant[node] = [other]

    def _call(
        self, node: fx.Node, result: Tensor, item: int, macs: int, beside: Mapping[str, Operand] = NOTHING
    ) -> Operand:
        """Add the layer of one output of a call, which takes the tensors ``beside`` its arguments too."""
        output, bound = operand_of(result), bound_arguments(node)
        if operation_of(node) in RECURRENT and self._is_zero(bound.get("hx")):
            bound["hx"] = None
        arguments = {**beside, **{key: self._argument(value, output) for key, value in bound.items()}}
        stack = module_keys(node)
        is_leaf = bool(stack) and self.calls_inside[stack[-1]] == 1
        call = Call(f"{operation_of(node)}_state" if beside else operation_of(node), arguments, output, item)
        several = isinstance(node.meta.get("val"), (list, tuple))
        origin = partial(self._again, node, output, item if several else None)
        called = module_class(node) if is_leaf else ""
        step = Step(
            call,
            module_path(node),
            is_leaf,
            macs,
            called=called,
            origin=origin,
            is_known=not computes_otherwise(node),
        )
        return self.builder.add(step)

    def _is_zero(self, value: Any) -> bool:
        """Return True for zeros that are made anew, and for lists of them."""
        if isinstance(value, (list, tuple)):
            return all(map(self._is_zero, value))
        if value not in self.constant:
            return False
        name = operation_of(value)
        return name in ZEROS or (name in VIEWS and self._is_zero(value.args[0]))

    def _again(self, node: fx.Node, output: Operand, item: int | None, mapped: Mapped) -> Replay:
        """Return how the layer of a call is run again."""
        sources = [self.builder.from_stored.get(operand, operand) for operand in mapped.inputs]
        inputs = [
            (one, mapped.inputs[number], number)
            for one in node.all_input_nodes
            for number, source in enumerate(sources)
            if source == self.arguments.get(one)
        ]
        made = [
            one for one in node.all_input_nodes if one in self.constant and one not in {each for each, *_ in inputs}
        ]
        nodes = [each for one in made for each in reversed(self._closure(one)) if each.op == "call_function"]
        same = [view for one in node.all_input_nodes for view in self._views_of_stored(one)]
        return self._replay([*nodes, *same, node], node, output, inputs, mapped, item)

    def _views_of_stored(self, node: fx.Node) -> list[fx.Node]:
        """Return the calls that give a stored tensor as it is, in order."""
        found: list[fx.Node] = []
        while node.op == "call_function" and isinstance(self.values.get(node), Stored):
            found.insert(0, node)
            node = node.all_input_nodes[0]
        return found

    def _stored_again(self, stored: Stored, output: Operand) -> Callable[[Mapped], Replay]:
        return lambda mapped: self._replay([], self.placeholders[stored.name], output, [], mapped)

    def _computed_again(self, closure: Sequence[fx.Node], output: Operand, mapped: Mapped) -> Replay:
        nodes = [node for node in reversed(closure) if node.op == "call_function"]
        return self._replay(nodes, closure[0], output, [], mapped)

    def _replay(
        self,
        nodes: Sequence[fx.Node],
        result: fx.Node,
        output: Operand,
        inputs: Sequence[tuple[fx.Node, Operand, int]],
        mapped: Mapped,
        item: int | None = None,
    ) -> Replay:
        known = {**self.program.state_dict, **self.program.constants}
        tensors = {
            name: (stored, self.placeholders[stored.name], known[stored.name])
            for name, stored in mapped.weights.items()
        }
        arguments = {one for node in nodes for one in node.all_input_nodes}
        numbers = {
            one: known[self.stored[one.name]] for one in arguments if isinstance(self.values.get(one), (int, float))
        }
        return Replay(nodes, result, output, inputs, tensors, numbers, item)

    def _composite(self, node: fx.Node, composite: Composite, arguments: dict[str, Any]) -> None:
        """Add the layer of a module that is one operator, with its tensors as arguments by their names.

        If it is not that operator for these inputs, its calls are layers.
        """
        path = composite.path
        output = operand_of(node.meta["val"])
        given = {key: self._argument(value, output) for key, value in arguments.items()}
        inner = self.module.get_submodule(path)
        for name, tensor in (*inner.named_parameters(), *inner.named_buffers()):
            given[name] = Stored(f"{path}.{name}", tuple(tensor.shape), isinstance(tensor, nn.Parameter))
        call = Call(type(inner).__name__, given, output)
        if operator_of(call) is not None:
            self.values[node] = self.builder.add(Step(call, path, True))
            return
        for one in composite.nodes:
            if one.op == "call_function":
                self._call_function(one)

    def _argument(self, value: Any, output: Operand) -> Any:
        if isinstance(value, fx.Node):
            found = self._computed(value, output) if value in self.constant else self.values.get(value)
            self.arguments[value] = found
            return found
        if isinstance(value, (list, tuple)):
            # A part without elements, such as the text before no text, joins nothing.
            return [self._argument(one, output) for one in value if not is_empty(one)]
        return str(value) if isinstance(value, _TYPES) else value

    def _source(self, node: fx.Node) -> str:
        value = self.values.get(node)
        return value.source if isinstance(value, Operand) else self._computed(node, operand_of(node.meta["val"])).source

    def _computed(self, node: fx.Node, beside: Operand) -> Any:
        """Return a tensor that depends on stored ones alone as the output of a layer of its own.

        Its axes are those of the tensor ``beside`` it, so that a table for all samples goes with each of them.
        """
        result = node.meta.get("val")
        if not isinstance(result, Tensor):
            return result
        operand = operand_of(result)
        if operand.batch is None:
            operand = Operand.beside(operand.sizes, beside)
        if (node, operand) not in self.computed:
            closure = self._closure(node)
            tensors = [one for one in map(self.values.get, closure) if isinstance(one, Stored)]
            macs = sum(multiply_adds(one) for one in closure if one.op == "call_function")
            name = (
                tensors[0].name
                if len(tensors) == 1 and tensors[0].name
                else f"{module_path(node)}.computed".lstrip(".")
            )
            origin = partial(self._computed_again, closure, operand)
            self.computed[node, operand] = self.builder.add_computed(name, operand, tensors, macs, origin)
        return operand._replace(source=self.computed[node, operand])

    def _closure(self, node: fx.Node) -> list[fx.Node]:
        """Return a constant node and all that it depends on, each before what it takes."""
        found: dict[fx.Node, None] = {}
        pending = [node]
        while pending:
            one = pending.pop()
            if one not in found:
                found[one] = None
                pending += self.constant.get(one, ())
        return sorted(found, key=self.positions.__getitem__, reverse=True)
