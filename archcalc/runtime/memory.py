"""Measured memory of a module: tracked tensor by tensor on a CPU, reported by the allocator on a GPU."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from archcalc.imports.recording import in_mode


class _Tracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the storages that operations create, and subtracts each when it is freed."""

    def __init__(self, held: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self._known: set[int] = set()
        self._held_once = _counts_when_held_once()
        self._outside = {tensor.untyped_storage()._cdata for tensor in held}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if _is_addition_of_gradients(func) and _counts(args[0]) == self._held_once:
            return args[0].add_(args[1])
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return result

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known or key in self._outside:
            return
        size = storage.nbytes()
        self._known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


# Autograd adds the second gradient of a tensor to the first in place if nothing else holds the first, but never under a
# dispatch mode. So that tracking does not change the memory, the tracker adds in place itself.


def _is_addition_of_gradients(func: Any) -> bool:
    return func is torch.ops.aten.add.Tensor and torch._C._current_graph_task_id() != -1


def _counts(tensor: Any) -> tuple[int, int, bool]:
    """Return the reference counts of a tensor and of its storage, and whether it fills the storage."""
    storage = torch._C._storage_Use_Count(tensor.untyped_storage()._cdata)
    uses = tensor._use_count()  # type: ignore[attr-defined,unused-ignore]  # not in the stubs of every version
    return uses, storage, torch.ops.aten.is_non_overlapping_and_dense(tensor)


@cache
def _counts_when_held_once() -> tuple[int, int, bool]:
    """Return the counts, under a dispatch mode, of a gradient that only autograd holds."""
    seen = []

    class _Look(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if _is_addition_of_gradients(func):
                seen.append(_counts(args[0]))
            return func(*args, **(kwargs or {}))

    leaf = torch.ones(2, requires_grad=True)
    with torch.enable_grad(), _Look():  # type: ignore[no-untyped-call]
        middle = leaf * 2
        torch.autograd.backward([middle * 3 - middle * 4], [torch.ones(2)])
    return seen[0]


def inference_peak(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Measure the peak bytes of live tensors during inference, including inputs, without parameters."""
    with torch.no_grad():
        return _peak(module, inputs, lambda: module(*inputs))


def forward_and_backward(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Compute the gradients of a module's outputs; one that depends on no parameter has none."""
    outputs = module(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    trained = [output for output in outputs if output.requires_grad]
    if trained:
        torch.autograd.backward(trained, [torch.ones_like(output) for output in trained])


def training_peak(module: nn.Module, inputs: tuple[Tensor, ...], gradients: Sequence[Tensor] = ()) -> int:
    """Measure the peak bytes of a forward and backward pass, including inputs and gradients, without parameters.

    ``gradients`` are those that the parameters have from passes before; their bytes are not included.
    """
    try:
        with in_mode(module, training=True):
            return _peak(module, inputs, lambda: forward_and_backward(module, inputs), gradients)
    finally:
        module.zero_grad(set_to_none=True)


def _peak(
    module: nn.Module, inputs: tuple[Tensor, ...], run: Callable[[], object], gradients: Sequence[Tensor] = ()
) -> int:
    given = sum(tensor.untyped_storage().nbytes() for tensor in inputs)
    with step_by_step_attention():
        device = inputs[0].device
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            run()
            torch.cuda.synchronize(device)
            return int(torch.cuda.max_memory_allocated(device) - before + given)
        with _Tracker([*module.parameters(), *module.buffers(), *inputs, *gradients]) as tracker:
            run()
        return int(tracker.peak) + given


@contextmanager
def step_by_step_attention() -> Iterator[None]:
    """Disable the fast path of PyTorch's attention modules, whose fused kernel hides its intermediate tensors."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)


def saved_bytes(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Measure the bytes of the tensors that autograd holds after a forward pass, without parameters and buffers."""
    stored = {tensor.untyped_storage()._cdata for tensor in (*module.parameters(), *module.buffers())}
    saved: weakref.WeakSet[_Saved] = weakref.WeakSet()

    def pack(tensor: Tensor) -> _Saved:
        # Detached, because a reference from a node to itself would keep it and the parameters alive.
        found = _Saved(tensor.detach())
        saved.add(found)
        return found

    with in_mode(module, training=True), torch.autograd.graph.saved_tensors_hooks(pack, lambda found: found.tensor):
        outputs = module(*inputs)
    sizes = {found.tensor.untyped_storage()._cdata: found.tensor.untyped_storage().nbytes() for found in saved}
    del outputs  # until here it keeps what its backward pass needs
    return sum(size for key, size in sizes.items() if key not in stored)


class _Saved:
    """A tensor that a node of the graph has saved; it lives as long as the node."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
