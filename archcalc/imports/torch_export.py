"""An exported program to a Network: a call for each node, and a layer for each call."""

from __future__ import annotations

import operator
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn

from archcalc.errors import UserError
from archcalc.imports.batch import batch_axis
from archcalc.imports.builder import NetworkBuilder, TracedCall
from archcalc.imports.composites import Composite, composites, operator_call
from archcalc.imports.constants import Constants
from archcalc.imports.detectors import as_module_of_a_tensor, is_detector
from archcalc.imports.exporting import FRESH, export
from archcalc.imports.frozen import as_trained
from archcalc.imports.mapping import operator_of
from archcalc.imports.moving import SAME
from archcalc.imports.nodes import (
    becomes_mask,
    bound_arguments,
    call_name,
    computes_otherwise,
    every_call,
    is_empty,
    module_class,
    module_keys,
    module_path,
    operand_of,
    operation_of,
    stored_names,
)
from archcalc.imports.origins import Origins
from archcalc.imports.partial import STAND_IN, OmittedCode, export_partially, notes_of
from archcalc.imports.program import ProgramValues
from archcalc.imports.rows import is_inner, mixes_rows
from archcalc.imports.used_modules import classes_of, uncalled
from archcalc.imports.watching import Endless
from archcalc.imports.work import is_uncounted, macs_per_sample, multiply_adds, pairs_samples
from archcalc.network import About, Network
from archcalc.ops.calls import Call, Operand, Stored
from archcalc.structs import replace

RECURRENT = frozenset(["lstm", "gru", "rnn_tanh", "rnn_relu"])
UNALIGNED = frozenset(["einsum", "conv1d", "conv2d", "conv3d"])
"""Operations whose tensors do not go with each other axis by axis."""
ALONE = Operand("", (), None)
NOTHING: Mapping[str, Operand] = {}
_TYPES = (torch.dtype, torch.device, torch.layout, torch.memory_format)


def trace(module: nn.Module, *inputs: Any, name: str = "", keywords: Mapping[str, Any] | None = None) -> Network:
    """Return the network of a module, as it computes an example; see `archcalc.trace`."""
    name, keywords, keeps_all = name or type(module).__name__, keywords or {}, is_detector(module)
    with as_module_of_a_tensor(module):
        try:
            if keeps_all:
                raise UserError(f"PyTorch cannot export {name}: its boxes depend on what it sees")
            return as_trained(_Reader(export(module, inputs, keywords), module, name).network(), module)
        except Endless:
            raise
        except UserError:
            found = _partly(module, inputs, keywords, name, keeps_all)
            if found is None:
                raise
            return found


def _partly(
    module: nn.Module, inputs: Sequence[Any], keywords: Mapping[str, Any], name: str, keeps_all: bool
) -> Network | None:
    """Return the network of a module that cannot be exported whole; None if nothing of it can be."""
    found = export_partially(module, inputs, keywords, keeps_all)
    if found is None:
        return None
    network = _Reader(found.program, module, name, found.unknown).network()
    if all(layer.op.exactness == "opaque" for layer in network):
        return None
    return as_trained(replace(network, about=About(notes=notes_of(network, found, keeps_all))), module)


class _Reader:
    """Reads an exported program node by node."""

    def __init__(
        self, program: Any, module: nn.Module, name: str, unknown: Mapping[str, OmittedCode] | None = None
    ) -> None:
        self.program = program
        self.unknown = unknown or {}
        """Key of a stand-in to what it stands for."""
        self.opaque: dict[str, Operand] = {}
        """Key of a stand-in to its first output."""
        self.left_out: set[str] = set()
        """Parameters that opaque layers have."""
        self.module = module
        self.known = ProgramValues(program)
        self.values = self.known.values
        self.outputs: dict[fx.Node, list[fx.Node]] = {}
        """Call of an inner graph to the nodes of its results."""
        inputs = {node: node.meta.get("val") for node in program.graph.nodes if self._is_input(node)}
        names = {node: "input" if len(inputs) == 1 else str(node.target) for node in inputs}
        self.builder = NetworkBuilder(name, {names[node]: tuple(tensor.shape[1:]) for node, tensor in inputs.items()})
        self.values.update({node: Operand(names[node], tuple(tensor.shape)) for node, tensor in inputs.items()})
        self.calls_inside = Counter(key for node in every_call(program.graph_module) for key in module_keys(node))
        """Key of each call of a module to the number of calls in it."""
        self.composites = self._composites()
        self.counted: set[fx.Node] = set()
        """Calls of several outputs whose work is counted."""
        self.pairing: list[str] = []
        """Layers that multiply samples of a batch with each other."""
        self.sequences: dict[fx.Node, Operand] = {}
        """Call of a recurrent layer to its sequence of states."""
        self.origins = Origins(self.known, self.builder.from_stored)
        self.constant = Constants(self.builder, self.origins, self.known)
        self.builder.layers.aliases = stored_names(module)
        self.builder.origin_of_stored = self.origins.of_stored

    def _is_input(self, node: fx.Node) -> bool:
        """Return True for a placeholder of a tensor that the caller gives."""
        is_given = node.op == "placeholder" and node.name not in self.known.stored
        return is_given and isinstance(node.meta.get("val"), Tensor)

    def _composites(self) -> dict[fx.Node, Any]:
        """Return the nodes of modules that become one layer: None, and for the output what `_composite` takes."""
        found: dict[fx.Node, Any] = {}
        for composite in composites(self.program.graph, self.module):
            call = operator_call(composite, self.module, self.known.stored)
            if call is not None:
                found.update(dict.fromkeys(composite.nodes))
                found[composite.outputs[0]] = composite, *call
        return found

    def network(self) -> Network:
        """Return the network."""
        self._read(self.program.graph_module)
        wanted = set(self.program.graph_signature.user_outputs)
        node = next(node for node in self.program.graph.nodes if node.op == "output")
        sources = [self._source(output) for output in node.all_input_nodes if output.name in wanted]
        found = self.builder.network(sources)
        layers = self.builder.layers
        used = {alias for name in (*layers.owners, *self.left_out) for alias in layers.aliases.get(name, [name])}
        groups, left = classes_of(self.module, found.groups), uncalled(self.module, used)
        return replace(found, groups=groups, uncalled=left, about=About(notes=self._notes()))

    def _notes(self) -> str:
        if not self.pairing:
            return ""
        return (
            f"Samples of a batch are multiplied with each other in {', '.join(self.pairing[:3])}"
            f"{f' and {len(self.pairing) - 3} more' if len(self.pairing) > 3 else ''}: "
            "the multiply-adds are those of a batch of 1, and for each sample they grow with the batch."
        )

    def _read(self, graph_module: fx.GraphModule) -> None:
        for node in graph_module.graph.nodes:
            self.known.positions[node] = len(self.known.positions)
            if node in self.composites:
                if self.composites[node] is not None:
                    self._composite(node, *self.composites[node])
            elif node.op == "placeholder" and node.name in self.known.stored and node not in self.values:
                self.values[node] = self.known.stored_at(node)
            elif node.op == "get_attr":
                self.values[node] = getattr(graph_module, str(node.target))
            elif node.op == "call_function":
                self._call_function(node)

    def _call_function(self, node: fx.Node) -> None:
        """Take in what a node gives, and add the layers that it needs."""
        taken = node.all_input_nodes
        if node.target is operator.getitem:
            self._item(node, *node.args)
            return
        if node.target is STAND_IN:
            self.values[node] = self._opaque(node, str(node.args[-1]))
            return
        inner = [self.values[argument] for argument in taken if isinstance(self.values.get(argument), fx.GraphModule)]
        if inner:
            self._inner(node, inner[0])
            return
        name, result = operation_of(node), node.meta.get("val")
        if name in SAME:
            taken = taken[:1]  # another tensor only says the type
        if name in FRESH or all(self._is_constant(argument) for argument in taken):
            is_per_sample = isinstance(result, Tensor) and batch_axis(result.shape)[0] is not None
            if name in SAME and isinstance(self.values.get(taken[0]), Stored):
                self.values[node] = self.values[taken[0]]
                return
            if not (is_per_sample and multiply_adds(node)):
                self.constant.add(node, [] if name in FRESH else taken)
                return
        if name in SAME and not becomes_mask(node):
            self.values[node] = self.values[taken[0]]
        elif name == "copy" and taken[-1].meta["val"].shape == node.meta["val"].shape:
            self.values[node] = self.values[taken[0]] = self._argument(
                taken[-1], operand_of(node.meta["val"]), module_path(node)
            )
        elif isinstance(result, Tensor) and result.numel() == 0:
            self.values[node] = operand_of(result)
        elif isinstance(result, Tensor):
            self.values[node] = self._call(node, result, 0, macs_per_sample(node))
            if pairs_samples(node):
                self.pairing.append(self.values[node].source)
            if call_name(node).endswith("_"):
                self.values[taken[0]] = self.values[node]  # written in place

    def _is_constant(self, node: fx.Node) -> bool:
        return node in self.constant or (not isinstance(self.values.get(node), Operand) and node not in self.outputs)

    def _item(self, node: fx.Node, source: Any, item: Any) -> None:
        if source in self.outputs:
            self._same(node, self.outputs[source][item])
        elif source in self.constant:
            self.constant.add(node, [source])
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
        taken = [self._argument(argument, output, found.name) for argument in node.all_input_nodes]
        parameters = dict(self.module.named_parameters())
        names = (
            [] if key in self.opaque else [parameter for parameter in found.parameters if not self._is_used(parameter)]
        )
        params = sum(parameters[name].numel() for name in names)
        self.left_out.update(names)
        sources = dict.fromkeys(argument.source for argument in taken if isinstance(argument, Operand))
        source = self.builder.add_opaque(found.name, found.name, True, list(sources), output.shape, params)
        return self.opaque.setdefault(key, output._replace(source=source))

    def _is_used(self, name: str) -> bool:
        """Return True if an exported call uses a parameter."""
        names = self.builder.layers.aliases.get(name, [name])
        return any(self.known.placeholders[alias].users for alias in names if alias in self.known.placeholders)

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
            return self.builder.add(TracedCall(Call("slice", steps, output), module_path(source)))
        return self._call(source, node.meta["val"], item, 0, {"states": states})

    def _inner(self, node: fx.Node, graph_module: fx.GraphModule) -> None:
        """Read a graph that stands under another type or without gradients: its calls are calls like others."""
        given = [
            argument for argument in node.all_input_nodes if not isinstance(self.values.get(argument), fx.GraphModule)
        ]
        placeholders = [inner for inner in graph_module.graph.nodes if inner.op == "placeholder"]
        for placeholder, argument in zip(placeholders, given, strict=False):
            self._same(placeholder, argument)
        self._read(graph_module)
        output = next(inner for inner in graph_module.graph.nodes if inner.op == "output")
        self.outputs[node] = list(output.args[0]) if isinstance(output.args[0], (tuple, list)) else [output.args[0]]

    def _same(self, node: fx.Node, other: fx.Node) -> None:
        """Let a node mean what another gives."""
        if other in self.values:
            self.values[node] = self.values[other]
        if other in self.constant:
            self.constant.add(node, [other])

    def _call(
        self, node: fx.Node, result: Tensor, item: int, macs: int, beside: Mapping[str, Operand] = NOTHING
    ) -> Operand:
        """Add the layer of one output of a call, which takes the tensors ``beside`` its arguments too."""
        output, bound = operand_of(result), bound_arguments(node)
        if operation_of(node) in RECURRENT and self.constant.is_zero(bound.get("hx")):
            bound["hx"] = None
        other = ALONE if operation_of(node) in UNALIGNED else output
        path = module_path(node)
        arguments = {**beside, **{key: self._argument(value, other, path) for key, value in bound.items()}}
        stack = module_keys(node)
        is_leaf = bool(stack) and self.calls_inside[stack[-1]] == 1
        call = Call(f"{operation_of(node)}_state" if beside else operation_of(node), arguments, output, item)
        if is_inner(call):
            output = output._replace(inner=True)
            call = replace(call, output=output)
        several = isinstance(node.meta.get("val"), (list, tuple))
        origin = partial(self.origins.of_call, node, output, item if several else None)
        called = module_class(node) if is_leaf else ""
        step = TracedCall(
            call,
            path,
            is_leaf,
            macs,
            called=called,
            origin=origin,
            is_uncounted=is_uncounted(node),
            is_known=not computes_otherwise(node) and not mixes_rows(call),
        )
        return self.builder.add(step)

    def _composite(self, node: fx.Node, composite: Composite, operation: str, arguments: dict[str, Any]) -> None:
        """Add the layer of a module that is one operator.

        If it is not that operator for these inputs, its calls are layers.
        """
        path = composite.path
        output = operand_of(node.meta["val"])
        given = {
            key: self._argument(value, output, path) if isinstance(value, fx.Node) else value
            for key, value in arguments.items()
        }
        call = Call(operation, given, output)
        if operator_of(call) is not None:
            self.values[node] = self.builder.add(TracedCall(call, path, True))
            return
        for inner in composite.nodes:
            if inner.op == "call_function":
                self._call_function(inner)

    def _argument(self, value: Any, beside: Operand, path: str) -> Any:
        """Return an argument of a call of the module at a path; a constant has the axes of a tensor beside it."""
        if isinstance(value, fx.Node):
            found = self._constant(value, beside, path) if value in self.constant else self.values.get(value)
            self.known.arguments[value] = found
            return found
        if isinstance(value, (list, tuple)):
            # A part without elements, such as the text before no text, joins nothing.
            return [self._argument(item, beside, path) for item in value if not is_empty(item)]
        return str(value) if isinstance(value, _TYPES) else value

    def _constant(self, node: fx.Node, beside: Operand, path: str) -> Any:
        result = node.meta.get("val")
        return self.constant.operand(node, beside, path) if isinstance(result, Tensor) else result

    def _source(self, node: fx.Node) -> str:
        value = self.values.get(node)
        return value.source if isinstance(value, Operand) else self.constant.source(node)
