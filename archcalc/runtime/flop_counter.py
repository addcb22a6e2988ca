"""PyTorch's FLOP counter, and a test of whether it counts attention.

Some versions of `torch.utils.flop_counter` have no formula for the fused attention kernel of a device, and silently
count it as 0. A small attention shows whether this version does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from archcalc.imports.recording import replaced
from archcalc.runtime.memory import step_by_step_attention


@contextmanager
def torch_counter() -> Iterator[FlopCounterMode]:
    """Count with `FlopCounterMode`, without the kernels of attention and recurrent modules, which hide work from it."""
    with step_by_step_attention(), step_by_step_recurrence(), FlopCounterMode(display=False) as counter:
        yield counter


@contextmanager
def step_by_step_recurrence() -> Iterator[None]:
    """Run recurrent layers as matrix products, without oneDNN's and cuDNN's kernels for a whole sequence."""

    def plain(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            with torch.backends.mkldnn.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
                return function(*args)

        return run

    with ExitStack() as stack:
        for name in ("lstm", "gru", "rnn_tanh"):
            stack.enter_context(replaced(torch._VF, name, plain(getattr(torch._VF, name))))
        yield


@contextmanager
def torch_counter_of_unfused_attention() -> Iterator[FlopCounterMode]:
    """Count with attention as two matrix products, which every version counts."""
    with sdpa_kernel(SDPBackend.MATH), torch_counter() as counter:
        yield counter


@cache
def counts_attention(device: torch.device) -> bool:
    """True if the counter counts a small fused attention on this device, forward and backward."""
    x = torch.zeros(1, 1, 2, 8, device=device, requires_grad=True)
    with torch_counter() as counter:
        output = scaled_dot_product_attention(x, x, x)
        forward = counter.get_total_flops()
        torch.autograd.backward(output, torch.ones_like(output))
    return 0 < forward < counter.get_total_flops()


def misses_attention(module: nn.Module, inputs: Sequence[Tensor]) -> bool:
    """True if the counter misses attention in this module: it counts more without the fused kernel."""
    if counts_attention(inputs[0].device):
        return False
    totals = []
    for counting in (torch_counter(), torch_counter_of_unfused_attention()):
        with counting as counter, torch.no_grad():
            module(*inputs)
        totals.append(counter.get_total_flops())
    return totals[0] < totals[1]
