"""How much memory inference really takes: tracked tensor by tensor on a CPU, asked of the allocator on a GPU."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Tracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the memory of every tensor that an operation makes, and takes it off when nothing holds it any more."""

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


# Where two gradients of one tensor meet, autograd adds the second to the first in place if nothing else holds that; but
# never while a dispatch mode looks on. So that looking changes nothing, the tracker does it in autograd's stead.


def _is_addition_of_gradients(func: Any) -> bool:
    return func is torch.ops.aten.add.Tensor and torch._C._current_graph_task_id() != -1


def _counts(tensor: Any) -> tuple[int, int, bool]:
    """How often a tensor and its memory are held, and whether it fills its memory.

    Not every version declares `Tensor._use_count` in its types.
    """
    storage = torch._C._storage_Use_Count(tensor.untyped_storage()._cdata)
    uses = tensor._use_count()  # type: ignore[attr-defined,unused-ignore]
    return uses, storage, torch.ops.aten.is_non_overlapping_and_dense(tensor)


@cache
def _counts_when_held_once() -> tuple[int, int, bool]:
    """The counts of a gradient that only autograd holds, as a dispatch mode sees it."""
    seen = []

    class Look(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if _is_addition_of_gradients(func):
                seen.append(_counts(args[0]))
            return func(*args, **(kwargs or {}))

    leaf = torch.ones(2, requires_grad=True)
    with torch.enable_grad(), Look():  # type: ignore[no-untyped-call]
        middle = leaf * 2
        torch.autograd.backward([middle * 3 - middle * 4], [torch.ones(2)])
    return seen[0]


def inference_peak(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Bytes of the most tensors alive at once while ``module`` runs, its inputs counted and its weights not."""
    with torch.no_grad():
        return _peak(module, inputs, lambda: module(*inputs))


def training_peak(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """The same through a forward and a backward pass, for given gradients of the outputs; those of weights counted."""

    def step() -> None:
        outputs = module(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        trained = [output for output in outputs if output.requires_grad]  # none without weights before it
        if trained:
            torch.autograd.backward(trained, [torch.ones_like(output) for output in trained])

    was_training = module.training
    module.train()
    try:
        return _peak(module, inputs, step)
    finally:
        module.train(was_training)
        module.zero_grad(set_to_none=True)


def _peak(module: nn.Module, inputs: tuple[Tensor, ...], run: Callable[[], object]) -> int:
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
        with _Tracker([*module.parameters(), *module.buffers(), *inputs]) as tracker:
            run()
        return int(tracker.peak) + given


@contextmanager
def step_by_step_attention() -> Iterator[None]:
    """Without the fast path of PyTorch's attention modules, whose one kernel hides what it makes on its way."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)


def saved_bytes(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Bytes of the distinct tensors that autograd saves in one forward pass in training; weights and buffers apart."""
    held = {tensor.untyped_storage()._cdata for tensor in (*module.parameters(), *module.buffers())}
    saved: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        # Detached: what a node keeps must not lead back to it, or neither it nor the weights would ever be freed.
        saved[tensor.untyped_storage()._cdata] = tensor.detach()
        return saved[tensor.untyped_storage()._cdata]

    was_training = module.training
    module.train()
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            module(*inputs)
    finally:
        module.train(was_training)
    return sum(tensor.untyped_storage().nbytes() for key, tensor in saved.items() if key not in held)
