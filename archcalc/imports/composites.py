"""Modules that PyTorch spells out in many calls, and that are one operator here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, fx, nn

from archcalc.imports.mapping import moves_elements
from archcalc.imports.moving import MOVING
from archcalc.imports.nodes import bound_arguments, operation_of
from archcalc.ops.calls import Stored

ATTENTION = "torch.nn.modules.activation.MultiheadAttention"
ROUTER, EXPERTS = ("gate.weight",), ("experts.gate_up_proj", "experts.down_proj")
"""Weights of a mixture of experts, as transformers names them."""
MIXTURE = re.compile(
    "linear softmax( sum div)? floor_divide histc cumsum "
    "_?grouped_mm(_fallback)? chunk silu mul _?grouped_mm(_fallback)? mul sum"
)
"""What a mixture of experts calculates: the router's part, the order of the tokens, and the experts' part."""


@dataclass
class Composite:
    """The calls of one call of a module, or of a mixture's router and experts."""

    path: str
    is_mixture: bool
    nodes: list[fx.Node] = field(default_factory=list)

    @property
    def outputs(self) -> list[fx.Node]:
        """The calls whose results are taken outside."""
        inside = set(self.nodes)
        return [node for node in self.nodes if any(user not in inside for user in node.users)]

    def taken(self, stored: Mapping[str, str]) -> list[fx.Node]:
        """Return the tensors that it takes from outside, in the order in which it takes them, without stored ones."""
        inside = set(self.nodes)
        return [
            argument
            for node in self.nodes
            for argument in node.all_input_nodes
            if argument not in inside and argument.name not in stored and isinstance(argument.meta.get("val"), Tensor)
        ]

    def tensors(self, inner: nn.Module) -> dict[str, Stored]:
        """Return the stored tensors of its module ``inner``, by their names there."""
        prefix = f"{self.path}." if self.path else ""
        return {
            name: Stored(prefix + name, tuple(tensor.shape), isinstance(tensor, nn.Parameter))
            for name, tensor in (*inner.named_parameters(), *inner.named_buffers())
            if not self.is_mixture or name in ROUTER + EXPERTS
        }


def composites(graph: fx.Graph, module: nn.Module) -> list[Composite]:
    """Return the calls of `nn.MultiheadAttention` and of mixtures of experts, each with its nodes."""
    mixtures = {path for path, inner in module.named_modules() if _is_mixture(inner)}
    found: dict[str, Composite] = {}
    for node in graph.nodes:
        outer = ""
        for key, (path, kind) in (node.meta.get("nn_module_stack") or {}).items():
            above, _, part = path.rpartition(".")
            if kind == ATTENTION:
                found.setdefault(key, Composite(path, is_mixture=False)).nodes.append(node)
            elif above in mixtures and part in ("gate", "experts"):
                found.setdefault(outer, Composite(above, is_mixture=True)).nodes.append(node)
            outer = key
    return list(found.values())


def _is_mixture(module: nn.Module) -> bool:
    parts = ("gate.", "experts.")
    names = (name for name, _ in (*module.named_parameters(), *module.named_buffers()) if name.startswith(parts))
    return set(names) == {*ROUTER, *EXPERTS}


def operator_call(
    composite: Composite, module: nn.Module, stored: Mapping[str, str]
) -> tuple[str, dict[str, Any]] | None:
    """Return the operation that a composite may be and its arguments; None if it is not one."""
    inner, taken = module.get_submodule(composite.path), composite.taken(stored)
    if composite.is_mixture:
        operation, arguments = "mixture_of_experts", _of_mixture(composite, taken)
    else:
        operation, arguments = "MultiheadAttention", _of_attention(composite, inner, taken)
    if arguments is None or len(composite.outputs) != 1:
        return None
    return operation, {**arguments, **composite.tensors(inner)}


def _of_attention(composite: Composite, inner: Any, taken: Sequence[fx.Node]) -> dict[str, Any] | None:
    """Return query, key and value, and what the module says.

    None if it takes a mask, gives its weights too, or adds keys of its own.
    """
    kinds = [kind for node in composite.nodes if (kind := _attention(node)) is not None]
    if len(kinds) != 1 or inner.bias_k is not None or inner.add_zero_attn:
        return None
    whole: Sequence[fx.Node] = {1: [*taken] * 3, 2: [*taken, *taken[1:]], 3: taken}.get(len(taken), ())
    if not whole:
        return None
    return {
        **dict(zip(("query", "key", "value"), whole, strict=True)),
        "num_heads": inner.num_heads,
        "causal": kinds[0],
    }


def _attention(node: fx.Node) -> bool | None:
    """Return whether a call of attention without a mask is causal; None for any other call."""
    if operation_of(node) != "scaled_dot_product_attention":
        return None
    given = bound_arguments(node)
    return None if given["attn_mask"] is not None else bool(given["is_causal"])


def _is_part(operation: str) -> bool:
    """Return True for an operation that `MIXTURE` tells: one that computes, or takes gate and value apart."""
    computes = operation not in MOVING | {"getitem", "empty_like", "arange"} and not moves_elements(operation, "aten")
    return computes or operation == "chunk"


def _of_mixture(composite: Composite, taken: Sequence[fx.Node]) -> dict[str, Any] | None:
    """Return the tokens, and how many experts each has; None if it is not calculated as the operator says."""
    calls = [name for node in composite.nodes if _is_part(name := operation_of(node))]
    largest = [node for node in composite.nodes if operation_of(node) == "topk"]
    if len({*taken}) != 1 or len(largest) != 1 or not MIXTURE.fullmatch(" ".join(calls)):
        return None
    return {"self": taken[0], "active": bound_arguments(largest[0])["k"], "normalized": "div" in calls}
