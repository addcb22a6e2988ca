"""How much memory inference really takes: tracked tensor by tensor on a CPU, asked of the allocator on a GPU."""

from __future__ import annotations

import weakref
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
        self._outside = {tensor.untyped_storage()._cdata for tensor in held}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
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


def inference_peak(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Bytes of the most tensors alive at once while ``module`` runs, its inputs counted and its weights not."""
    held = [*module.parameters(), *module.buffers()]
    given = sum(tensor.untyped_storage().nbytes() for tensor in inputs)
    if inputs[0].device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with torch.no_grad():
            module(*inputs)
        torch.cuda.synchronize()
        return int(torch.cuda.max_memory_allocated() - before + given)
    with torch.no_grad(), _Tracker([*held, *inputs]) as tracker:
        module(*inputs)
        peak: int = tracker.peak + given
    return peak


def saved_bytes(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Bytes of the distinct tensors that autograd saves in one forward pass in training; weights and buffers apart."""
    held = {tensor.untyped_storage()._cdata for tensor in (*module.parameters(), *module.buffers())}
    saved: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage()._cdata] = tensor
        return tensor

    was_training = module.training
    module.train()
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            module(*inputs)
    finally:
        module.train(was_training)
    return sum(tensor.untyped_storage().nbytes() for key, tensor in saved.items() if key not in held)
