"""A network as a torch.nn.Module. torch.fx writes its forward, so a call costs as much as a hand-written one."""

from __future__ import annotations

import keyword
import operator
import re
from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import fx, nn

from archcalc.errors import UserError
from archcalc.network import Layer, Network, WeightRef
from archcalc.ops.vocabulary import Torch
from archcalc.runtime.modules import helper
from archcalc.words import help_line

ROOTS = {"nn": nn, "torch": torch, "operator": operator}


def resolve(target: str) -> Any:
    """Return the class or function that a `Torch.target` names."""
    root, _, path = target.partition(".")
    if path.endswith(")"):  # each(nn.Conv2d): a class made of another
        maker, _, of = path[:-1].partition("(")
        return helper(maker)(resolve(of))
    return helper(path) if root == "archcalc" else reduce(getattr, path.split("."), ROOTS[root])


def is_module(described: Torch) -> bool:
    """True if it is a module, False if it is a function."""
    return isinstance(resolve(described.target), type)


def make_module(described: Torch) -> nn.Module:
    """Return the module that an operator describes."""
    module: nn.Module = resolve(described.target)(*described.args, **(described.kwargs or {}))
    return module


def build_module(network: Network) -> fx.GraphModule:
    """Build the module for inference. It takes the network's inputs in order, with a batch.

    Side outputs and layers that exist only in training are left out. The node of each layer has its name in
    ``meta["layer"]``.

    Raises:
        UserError: if Python or PyTorch reserves the name of a layer.
    """
    root = nn.Module()
    graph = fx.Graph()
    nodes: dict[str, fx.Node] = {}
    for name in network.inputs:
        nodes[name] = graph.placeholder(_identifier(name))
    for layer in network.layers:
        if layer.side:
            continue
        if layer.train:  # the spec language ensures that it keeps the shape
            nodes[layer.name] = nodes[layer.inputs[0]]
            continue
        node = nodes[layer.name] = _add_layer(root, graph, layer, [nodes[source] for source in layer.inputs])
        _freeze(root, layer)
        node.meta["layer"] = layer.name
    outputs = [nodes[name] for name in network.outputs]
    graph.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
    return fx.GraphModule(root, graph, class_name=_class_name(network.name))


def _add_layer(root: nn.Module, graph: fx.Graph, layer: Layer, inputs: list[fx.Node]) -> fx.Node:
    described = layer.op.torch()
    function = resolve(described.target)
    path = layer.shares or layer.name
    make = getattr(layer.origin, "make_module", None)
    if make is not None:  # a layer of a traced module that no operator says
        _place(root, layer.name, make())
        own = {tensor: WeightRef(path, tensor) for tensor in layer.op.weights()} if layer.shares else layer.ties
        _tie(root, layer.name, own)
        return graph.call_module(layer.name, tuple(inputs))
    bare = layer.op.weights().get("")
    if bare is not None:
        if layer.shares is None:
            parent, name = _parent(root, path)
            parent.register_parameter(name, nn.Parameter(torch.nn.init.trunc_normal_(torch.empty(bare), std=0.02)))
        return graph.call_function(function, (*inputs, graph.get_attr(path)))
    if isinstance(function, type):
        if layer.shares is None:
            _place(root, path, make_module(described))
            _tie(root, path, layer.ties)
        given = graph.call_module(path, tuple(inputs))
        return graph.call_function(resolve(described.then), (given,)) if described.then else given
    kwargs = dict(described.kwargs or {})
    if described.listed:
        return graph.call_function(function, (inputs, *described.args), kwargs)
    if described.target.startswith("operator."):
        return reduce(lambda left, right: graph.call_function(function, (left, right)), inputs)
    return graph.call_function(function, (*inputs, *described.args), kwargs)


def _freeze(root: nn.Module, layer: Layer) -> None:
    """Let the weights that a frozen layer owns need no gradient."""
    if layer.is_frozen:
        for name in layer.own_weights():
            root.get_parameter(name).requires_grad_(False)


def _tie(root: nn.Module, path: str, ties: Mapping[str, WeightRef]) -> None:
    """Let weights of the module at a path be the tensors of earlier layers."""
    for tensor, ref in ties.items():
        holder, _, name = f"{path}.{tensor}".rpartition(".")
        root.get_submodule(holder).register_parameter(name, root.get_parameter(str(ref)))


def _place(root: nn.Module, path: str, module: nn.Module) -> None:
    """Put a module at its path; what is there already, below a group of the same name, stays below it."""
    if _is_group(root, path):
        for name, child in root.get_submodule(path).named_children():
            module.add_module(name, child)
        outer, _, name = path.rpartition(".")
        root.get_submodule(outer)._modules[name] = module
        return
    parent, name = _parent(root, path)
    parent.add_module(name, module)


def _is_group(root: nn.Module, path: str) -> bool:
    """True if there is a plain module at a path, which only holds others."""
    for name in path.split("."):
        child = root._modules.get(name)
        if child is None:
            return False
        root = child
    return type(root) is nn.Module


def _parent(root: nn.Module, path: str) -> tuple[nn.Module, str]:
    """Return the parent module of a path and the last name; missing parents are created as plain modules."""
    *groups, name = path.split(".")
    parent = root
    for group in groups:
        child = parent._modules.get(group)
        if child is None:
            child = nn.Module()
            check_name(parent, group, path)
            parent.add_module(group, child)
        parent = child
    check_name(parent, name, path)
    return parent, name


def check_name(parent: nn.Module, name: str, path: str) -> None:
    """Raise if Python or PyTorch reserves a name: `double` is a method of every module, `class` a keyword."""
    if hasattr(parent, name):
        reason = f"every module has an attribute {name}"
    elif keyword.iskeyword(name):
        reason = f"{name} is a keyword of Python"
    else:
        return
    raise UserError(
        f"PyTorch cannot have a module called {name} (in {path}): {reason}{help_line('rename the step in the spec')}"
    )


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name) or "input"


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"\W+|_", name) if part) or "Network"
