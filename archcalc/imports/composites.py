"""Modules that PyTorch spells out in many calls, and that are one operator here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, fx, nn


@dataclass
class Composite:
    """The calls of one call of a module."""

    path: str
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
            one
            for node in self.nodes
            for one in node.all_input_nodes
            if one not in inside and one.name not in stored and isinstance(one.meta.get("val"), Tensor)
        ]


ATTENTION = "torch.nn.modules.activation.MultiheadAttention"


def composites(graph: fx.Graph) -> list[Composite]:
    """Return the calls of `nn.MultiheadAttention`, each with its nodes."""
    found: dict[str, Composite] = {}
    for node in graph.nodes:
        for key, (path, kind) in (node.meta.get("nn_module_stack") or {}).items():
            if kind == ATTENTION:
                found.setdefault(key, Composite(path)).nodes.append(node)
    return list(found.values())


def attention_arguments(composite: Composite, module: nn.Module, stored: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the arguments of a call of `nn.MultiheadAttention`: query, key and value, and what the module says.

    None if it takes a mask, gives its weights too, or adds keys of its own.
    """
    inner = module.get_submodule(composite.path)
    assert isinstance(inner, nn.MultiheadAttention)
    taken = composite.taken(stored)
    if len(composite.outputs) != 1 or inner.bias_k is not None or inner.add_zero_attn:
        return None
    kinds = [kind for node in composite.nodes if (kind := _attention(node)) is not None]
    if len(kinds) != 1:
        return None
    whole: Sequence[fx.Node] = {1: taken * 3, 2: [*taken, *taken[1:]], 3: taken}.get(len(taken), ())
    if not whole:
        return None
    return {
        **dict(zip(("query", "key", "value"), whole, strict=True)),
        "num_heads": inner.num_heads,
        "causal": kinds[0],
    }


def _attention(node: fx.Node) -> bool | None:
    """Return whether a call of attention without a mask is causal; None for any other call."""
    if not str(node.target).startswith("aten.scaled_dot_product_attention"):
        return None
    given = dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), node.args, strict=False))
    given.update(node.kwargs)
    return None if given.get("attn_mask") is not None else bool(given.get("is_causal"))
