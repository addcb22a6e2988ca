"""Modules that torch.nn does not have. Parameters have the names of the torch.nn modules that they extend."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def _padding_amounts(padding: tuple[tuple[int, int], ...]) -> list[int]:
    """Return pairs per dimension in the order of `torch.nn.functional.pad`: the last dimension first."""
    return [side for pair in reversed(padding) for side in pair]


class PaddedConv(nn.Module):
    """The part that padded convolutions share: different padding before and after each dimension."""

    def __init__(self, *args: Any, padding: tuple[tuple[int, int], ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sides = _padding_amounts(padding)

    def forward(self, input: Tensor) -> Any:
        return super().forward(nn.functional.pad(input, self.sides))


class PaddedConv1d(PaddedConv, nn.Conv1d):
    """A convolution over one dimension with different padding before and after it."""


class PaddedConv2d(PaddedConv, nn.Conv2d):
    """A convolution over two dimensions with different padding before and after each."""


class PaddedConv3d(PaddedConv, nn.Conv3d):
    """A convolution over three dimensions with different padding before and after each."""


class Reshape(nn.Module):
    """A new shape for every sample."""

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


class Scale(nn.Module):
    """A multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, input: Tensor) -> Tensor:
        return input * self.factor

    def extra_repr(self) -> str:
        return str(self.factor)


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
    """Self-attention of one input, or attention of queries to keys and values; batch first."""

    def __init__(self, width: int, heads: int, bias: bool = True) -> None:
        super().__init__(width, heads, bias=bias, batch_first=True)

    def forward(self, *inputs: Tensor) -> Tensor:  # type: ignore[override]
        query, key, value = inputs if len(inputs) == 3 else inputs * 3
        return super().forward(query, key, value, need_weights=False)[0]


def prepend(input: Tensor, tokens: Tensor) -> Tensor:
    """Return each sample with tokens before its own."""
    return torch.cat((tokens.expand(input.shape[0], *tokens.shape[1:]), input), dim=1)


class WindowAttention(nn.Module):
    """Attention inside windows of an input [batch, height, width, channels]."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: int, shift: int = 0, bias: bool = True) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width, bias=bias)
        span = 2 * window - 1
        self.relative_position_bias_table = nn.Parameter(torch.zeros(span * span, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        place = torch.arange(window)
        distance = place[:, None] - place[None, :] + window - 1
        index = distance[:, None, :, None] * span + distance[None, :, None, :]  # row, column by row, column
        self.register_buffer("relative_position_index", index.flatten())

    def forward(self, input: Tensor) -> Tensor:
        window, heads = self.window, self.heads
        batch, height, breadth, width = input.shape
        below, right = -height % window, -breadth % window
        x = nn.functional.pad(input, (0, 0, 0, right, 0, below))
        rows, columns = (height + below) // window, (breadth + right) // window
        shifts = [self.shift if count > 1 else 0 for count in (rows, columns)]
        if any(shifts):
            x = torch.roll(x, [-shift for shift in shifts], (1, 2))
        x = self._windows(x, rows, columns)
        # Copied here, because whether a product copies depends on the numbers of samples and windows.
        parts = self.qkv(x).unflatten(-1, (3, heads, width // heads)).permute(3, 0, 1, 4, 2, 5)
        q, k, v = map(torch.Tensor.contiguous, parts)
        del parts
        scores = (q * (width // heads) ** -0.5) @ k.transpose(-2, -1)
        tokens = window * window
        table = self.relative_position_bias_table[self.relative_position_index]
        scores = scores + table.view(tokens, tokens, heads).permute(2, 0, 1)
        if any(shifts):
            scores = scores + self._seams(x, rows, columns, shifts)
        x = self.proj((scores.softmax(-1) @ v).transpose(-3, -2).flatten(-2))
        x = x.unflatten(1, (rows, columns)).unflatten(3, (window, window)).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * window, columns * window, width)
        if any(shifts):
            x = torch.roll(x, shifts, (1, 2))
        return x[:, :height, :breadth].contiguous()

    def _windows(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """Return windows: [batch, windows, tokens, channels]."""
        x = x.reshape(x.shape[0], rows, self.window, columns, self.window, -1)
        return x.permute(0, 1, 3, 2, 4, 5).flatten(3, 4).flatten(1, 2)

    def _seams(self, x: Tensor, rows: int, columns: int, shifts: list[int]) -> Tensor:
        """Return −100 between tokens that are neighbors only after the roll, else 0: [windows, 1, tokens, tokens]."""
        region = x.new_zeros(1, rows * self.window, columns * self.window, 1)
        for axis, shift in ((1, shifts[0]), (2, shifts[1])):
            if shift:
                size = region.shape[axis]
                part = torch.zeros(size, device=x.device, dtype=x.dtype)
                part[size - self.window :] = 1
                part[size - shift :] = 2
                region = region * 3 + part.view([size if dimension == axis else 1 for dimension in range(4)])
        region = self._windows(region, rows, columns)[0, :, :, 0]
        differs = region[:, None, :] != region[:, :, None]
        return torch.zeros_like(differs, dtype=x.dtype).masked_fill(differs, -100.0)[:, None]
