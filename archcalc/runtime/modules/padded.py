"""Convolutions and poolings with padding, or filters, that those of torch.nn do not have."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def _padding_amounts(padding: tuple[tuple[int, int], ...]) -> list[int]:
    """Return pairs per dimension in the order of `torch.nn.functional.pad`: the last dimension first."""
    return [side for pair in reversed(padding) for side in pair]


class Padded:
    """The part that padded modules share: different padding before and after each dimension."""

    outside = 0.0

    def __init__(
        self, *args: Any, padding: tuple[tuple[int, int], ...], padding_mode: str = "zeros", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sides = _padding_amounts(padding)
        self.mode = "constant" if padding_mode == "zeros" else padding_mode

    def forward(self, input: Tensor) -> Tensor:
        padded = nn.functional.pad(input, self.sides, self.mode, self.outside)
        return super().forward(padded)  # type: ignore[misc, no-any-return]


class PaddedConv1d(Padded, nn.Conv1d):
    """A convolution with its own padding before and after each dimension."""


class PaddedConv2d(Padded, nn.Conv2d):
    """A convolution with its own padding before and after each dimension."""


class PaddedConv3d(Padded, nn.Conv3d):
    """A convolution with its own padding before and after each dimension."""


class PaddedMaxPool1d(Padded, nn.MaxPool1d):
    """Max pooling with its own padding before and after each dimension, which never wins."""

    outside = -torch.inf


class PaddedMaxPool2d(Padded, nn.MaxPool2d):
    """Max pooling with its own padding before and after each dimension, which never wins."""

    outside = -torch.inf


class PaddedMaxPool3d(Padded, nn.MaxPool3d):
    """Max pooling with its own padding before and after each dimension, which never wins."""

    outside = -torch.inf


class PaddedAverage(Padded):
    """The part that padded average poolings share: the padding takes no part in an average."""

    def forward(self, input: Tensor) -> Tensor:
        inside = super().forward(torch.ones_like(input[:1, :1]))
        return super().forward(input) / inside


class PaddedAvgPool1d(PaddedAverage, nn.AvgPool1d):
    """Average pooling with its own padding before and after each dimension, which takes no part."""


class PaddedAvgPool2d(PaddedAverage, nn.AvgPool2d):
    """Average pooling with its own padding before and after each dimension, which takes no part."""


class PaddedAvgPool3d(PaddedAverage, nn.AvgPool3d):
    """Average pooling with its own padding before and after each dimension, which takes no part."""


class DynamicConv(nn.Module):
    """A convolution with filters for each sample: one whose groups are samples."""

    def __init__(
        self,
        bias: int | None,
        padding: tuple[tuple[int, int], ...],
        stride: Any = 1,
        dilation: Any = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.bias = None if bias is None else nn.Parameter(torch.zeros(bias))
        self.sides = _padding_amounts(padding)
        self.stride, self.dilation, self.groups = stride, dilation, groups

    def forward(self, input: Tensor, filters: Tensor) -> Tensor:
        batch = input.shape[0]
        every = nn.functional.pad(input, self.sides).flatten(0, 1).unsqueeze(0)
        convolve = getattr(nn.functional, f"conv{input.dim() - 2}d")
        bias = None if self.bias is None else self.bias.repeat(batch)
        result = convolve(every, filters.flatten(0, 1), bias, self.stride, 0, self.dilation, self.groups * batch)
        return result.squeeze(0).unflatten(0, (batch, -1))  # type: ignore[no-any-return]


class Standardized:
    """Every filter with mean 0 and variance 1 (Qiao et al., *Weight Standardization*, 2019)."""

    def forward(self, input: Tensor) -> Tensor:
        own = self.weight.flatten(1)  # type: ignore[attr-defined]
        spread, middle = torch.var_mean(own, 1, correction=0, keepdim=True)
        weight = ((own - middle) * (spread + 1e-6).rsqrt()).view_as(self.weight)  # type: ignore[attr-defined]
        return self._conv_forward(input, weight, self.bias)  # type: ignore[attr-defined, no-any-return]


class StandardizedConv1d(Standardized, nn.Conv1d):
    """A convolution with standardized filters."""


class StandardizedConv2d(Standardized, nn.Conv2d):
    """A convolution with standardized filters."""


class StandardizedConv3d(Standardized, nn.Conv3d):
    """A convolution with standardized filters."""


class PaddedStandardizedConv1d(Padded, Standardized, nn.Conv1d):
    """A convolution with standardized filters and its own padding before and after each dimension."""


class PaddedStandardizedConv2d(Padded, Standardized, nn.Conv2d):
    """A convolution with standardized filters and its own padding before and after each dimension."""


class PaddedStandardizedConv3d(Padded, Standardized, nn.Conv3d):
    """A convolution with standardized filters and its own padding before and after each dimension."""
