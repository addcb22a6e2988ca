"""A PyTorch module to an exported program: `torch.export` follows an example, and nothing is computed.

The batch of the example is `BATCH`. The example's tensors have stride 0 along it, so they take no memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import transformer
from torch.utils._pytree import tree_map_only

from archcalc.errors import UserError
from archcalc.imports.batch import BATCH
from archcalc.imports.nodes import call_name
from archcalc.imports.quiet import quiet
from archcalc.imports.recording import in_mode, replaced
from archcalc.imports.watching import Endless, Watch

LONGEST_REASON = 300
ONE_IN_MEMORY = ("refers to a single memory location", "Cannot view a tensor")
"""Parts of PyTorch's errors about samples that are one in memory."""

FRESH = frozenset(
    ["zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"]
)
"""Operations that take of a tensor only its sizes and its type."""


def export(module: nn.Module, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Return the exported program of a module in evaluation mode, for a batch of `BATCH`.

    The module is left as it was. Raises `UserError` if PyTorch cannot export it, with the reason; `Endless` if that
    would take too long.
    """
    with (
        in_mode(module, training=False),
        quiet(),
        torch.no_grad(),
        replaced(transformer, "_detect_is_causal_mask", _is_causal),
    ):
        args, kwargs = tree_map_only(Tensor, _repeated, (tuple(inputs), dict(keywords)))
        watch = Watch()
        try:
            with watch.over(module):
                program = _exported(module, args, kwargs)
            program = program.run_decompositions({}) if _writes_to_views(program) else program
            if _has_unknown_sizes(program):
                raise ValueError("the size of a tensor depends on numbers that are computed")
            return program
        except (Exception, SystemExit) as error:
            if watch.error is not None:
                raise Endless(f"{type(module).__name__} cannot be imported: {watch.error}") from error
            raise UserError(f"PyTorch cannot export {type(module).__name__}: {_reason(error)}") from error


def _is_causal(mask: Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Return True if a mask is said to be causal; PyTorch looks at its numbers otherwise, only to compute faster."""
    return is_causal is True


def _exported(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Export a module; one that writes to its inputs, or views samples as one axis with others, gets copies.

    The example's samples are one in memory.
    """
    try:
        return torch.export.export(module, args, kwargs, strict=False)
    except (RuntimeError, ValueError) as error:
        if not any(reason in str(error) for reason in ONE_IN_MEMORY):
            raise

    def copied(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tree_map_only(Tensor, Tensor.clone, (given, named))  # type: ignore[no-any-return]

    hook = module.register_forward_pre_hook(copied, with_kwargs=True)
    try:
        return torch.export.export(module, args, kwargs, strict=False)
    finally:
        hook.remove()


def _reason(error: BaseException) -> str:
    """Return the first line of an error; its kind too, if that says more."""
    text = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, (LookupError, SystemExit)) or not text:
        text = f"{type(error).__name__} {text}".strip()
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON].rpartition(' ')[0]} …"


def _has_unknown_sizes(program: Any) -> bool:
    """Return True if the size of a result is not a number."""
    results = (node.meta.get("val") for node in program.graph.nodes)
    return any(isinstance(result, Tensor) and not all(type(size) is int for size in result.shape) for result in results)


def _writes_to_views(program: Any) -> bool:
    """Return True if a call writes to a view of a tensor that is read again, for the graph does not show that."""
    order = {node: number for number, node in enumerate(program.graph.nodes)}
    for node in order:
        if node.op == "call_function" and node.args and _is_in_place(node):
            viewed = node.args[0]
            while is_view(viewed):
                viewed = viewed.args[0]
                if any(order[user] > order[node] for user in viewed.users):
                    return True
    return False


def _is_in_place(node: Any) -> bool:
    name = call_name(node)
    return name.endswith("_") and "dropout" not in name  # which changes nothing in evaluation


def is_view(node: Any) -> bool:
    """Return True if a node is a call whose result shares the memory of its first argument."""
    if getattr(node, "op", "") != "call_function" or not hasattr(node.target, "_schema"):
        return False
    returns = node.target._schema.returns
    return bool(returns) and returns[0].alias_info is not None and not returns[0].alias_info.is_write


def _repeated(tensor: Tensor) -> Tensor:
    return tensor[:1].expand(BATCH, *tensor.shape[1:])
