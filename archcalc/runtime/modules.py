"""Modules that torch.nn does not have. Parameters are named as in the torch.nn modules that they extend."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def _padding_amounts(padding: tuple[tuple[int, int], ...]) -> list[int]:
    """Pairs per dimension, in the order of `torch.nn.functional.pad`: the last dimension first."""
    return [side for pair in reversed(padding) for side in pair]


class PaddedConv1d(nn.Conv1d):
    """A convolution with its own padding before and after each dimension."""

    def __init__(self, *args: Any, padding: tuple[tuple[int, int], ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sides = _padding_amounts(padding)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(input, self.sides))


class PaddedConv2d(nn.Conv2d):
    """A convolution with its own padding before and after each dimension."""

    def __init__(self, *args: Any, padding: tuple[tuple[int, int], ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sides = _padding_amounts(padding)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(input, self.sides))


class PaddedConv3d(nn.Conv3d):
    """A convolution with its own padding before and after each dimension."""

    def __init__(self, *args: Any, padding: tuple[tuple[int, int], ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sides = _padding_amounts(padding)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(input, self.sides))


class Reshape(nn.Module):
    """Another shape, the batch kept."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, input: Tensor) -> Tensor:
        return input.reshape(input.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.shape))


class Slice(nn.Module):
    """Part of one axis."""

    def __init__(self, axis: int, start: int, stop: int, step: int) -> None:
        super().__init__()
        self.index = (slice(None),) * axis + (slice(start, stop, step),)

    def forward(self, input: Tensor) -> Tensor:
        return input[self.index]

    def extra_repr(self) -> str:
        return str(self.index)


class StochasticDepth(nn.Module):
    """Drop each sample's branch with probability ``p`` while training, and scale up the others."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return input
        survival = 1 - self.p
        noise = input.new_empty(input.shape[0], *[1] * (input.dim() - 1)).bernoulli_(survival)
        return input * (noise / survival if survival > 0 else noise)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class MultiheadAttention(nn.MultiheadAttention):
    """Attention of one input to itself, or of queries to keys and values; the batch comes first."""

    def __init__(self, width: int, heads: int, bias: bool = True) -> None:
        super().__init__(width, heads, bias=bias, batch_first=True)

    def forward(self, *inputs: Tensor) -> Tensor:  # type: ignore[override]
        query, key, value = inputs if len(inputs) == 3 else inputs * 3
        return super().forward(query, key, value, need_weights=False)[0]


__all__ = [
    "MultiheadAttention",
    "PaddedConv1d",
    "PaddedConv2d",
    "PaddedConv3d",
    "Reshape",
    "Slice",
    "StochasticDepth",
    "torch",
]
