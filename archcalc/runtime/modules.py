"""Modules that torch.nn does not have. Parameters have the names of the torch.nn modules that they extend."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def _padding_amounts(padding: tuple[tuple[int, int], ...]) -> list[int]:
    """Return pairs per dimension in the order of `torch.nn.functional.pad`: the last dimension first."""
    return [side for pair in reversed(padding) for side in pair]


class Padded:
    """The part that padded modules share: different padding before and after each dimension."""

    outside = 0.0

    def __init__(self, *args: Any, padding: tuple[tuple[int, int], ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sides = _padding_amounts(padding)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(input, self.sides, value=self.outside))  # type: ignore[misc, no-any-return]


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
    """Attention of one input to itself, or of queries to keys and values; the batch comes first."""

    def __init__(self, width: int, heads: int, bias: bool = True, causal: bool = False, **widths: int) -> None:
        super().__init__(width, heads, bias=bias, batch_first=True, **widths)
        self.causal = causal

    def forward(self, *inputs: Tensor) -> Tensor:  # type: ignore[override]
        query, key, value = inputs if len(inputs) == 3 else inputs * 3
        mask = None
        if self.causal:
            hidden = torch.full((query.shape[1], key.shape[1]), -torch.inf, device=query.device, dtype=query.dtype)
            mask = hidden.triu(1)
        return super().forward(query, key, value, need_weights=False, attn_mask=mask, is_causal=self.causal)[0]


def prepend(input: Tensor, tokens: Tensor) -> Tensor:
    """Return each sample with tokens before its own."""
    return torch.cat((tokens.expand(input.shape[0], *tokens.shape[1:]), input), dim=1)


def relative_positions(height: int, width: int) -> Tensor:
    """Return the number of each pair of tokens' relative position, row by row: rows apart, then columns apart."""
    rows, columns = (torch.arange(size)[:, None] - torch.arange(size)[None, :] + size - 1 for size in (height, width))
    index = rows[:, None, :, None] * (2 * width - 1) + columns[None, :, None, :]  # row, column by row, column
    return index.flatten()


class RelativePositionBias(nn.Module):
    """A bias per head for each pair of tokens of a map, which only their relative position decides."""

    relative_position_index: Tensor

    def __init__(self, heads: int, height: int, width: int, stored: bool = True) -> None:
        super().__init__()
        self.size = (height, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * height - 1) * (2 * width - 1), heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        if stored:
            self.register_buffer("relative_position_index", relative_positions(height, width))

    def forward(self, input: Tensor) -> Tensor:
        stored = self._buffers.get("relative_position_index")
        index = relative_positions(*self.size).to(input.device) if stored is None else stored
        tokens = math.prod(self.size)
        biases = self.relative_position_bias_table[index].view(1, tokens, tokens, -1)
        return for_every_sample(input, biases.permute(0, 3, 1, 2))


class WindowAttention(nn.Module):
    """Attention inside windows of an input [batch, height, width, channels]."""

    relative_position_index: Tensor
    relative_coords_table: Tensor

    def __init__(
        self, width: int, heads: int, window: int, shift: int = 0, bias: bool = True, cosine: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.window, self.shift, self.cosine = heads, window, shift, cosine
        if cosine:
            self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), 10.0).log())
            self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, heads, bias=False))
            apart = torch.arange(1 - window, window, dtype=torch.float32) * 8 / max(1, window - 1)
            apart = apart.sign() * (apart.abs() + 1).log2() / 3
            table = torch.stack(torch.meshgrid(apart, apart, indexing="ij"), -1)
            self.register_buffer("relative_coords_table", table[None])
        else:
            self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
            nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width, bias=bias)
        self.register_buffer("relative_position_index", relative_positions(window, window))

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
        projected = self._without_key_bias(x) if self.cosine else self.qkv(x)
        parts = projected.unflatten(-1, (3, heads, width // heads)).permute(3, 0, 1, 4, 2, 5)
        q, k, v = map(torch.Tensor.contiguous, parts)
        del parts, projected
        scores = self._cosines(q, k) if self.cosine else (q * (width // heads) ** -0.5) @ k.transpose(-2, -1)
        biases = self._biases()
        scores = scores + biases
        if any(shifts):
            scores = scores + self._seams(x, rows, columns, shifts)
        x = self.proj((scores.softmax(-1) @ v).transpose(-3, -2).flatten(-2))
        x = x.unflatten(1, (rows, columns)).unflatten(3, (window, window)).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * window, columns * window, width)
        if any(shifts):
            x = torch.roll(x, shifts, (1, 2))
        return x[:, :height, :breadth].contiguous()

    def _without_key_bias(self, x: Tensor) -> Tensor:
        bias = self.qkv.bias
        if bias is not None:
            used = torch.ones(3, 1, device=x.device, dtype=x.dtype)
            used[1] = 0
            return nn.functional.linear(x, self.qkv.weight, (bias.view(3, -1) * used).flatten())
        return nn.functional.linear(x, self.qkv.weight)

    def _cosines(self, q: Tensor, k: Tensor) -> Tensor:
        """Return the cosines of queries and keys, times a trained factor of at most 100."""
        cosines = nn.functional.normalize(q, dim=-1) @ nn.functional.normalize(k, dim=-1).transpose(-2, -1)
        scale: Tensor = self.logit_scale.clamp(max=math.log(100.0)).exp()
        return cosines * scale

    def _biases(self) -> Tensor:
        """Return the bias of each pair of tokens: [heads, tokens, tokens]."""
        tokens = self.window * self.window
        if self.cosine:
            computed: Tensor = self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)
            computed = computed[self.relative_position_index].view(tokens, tokens, self.heads)
            return 16 * computed.permute(2, 0, 1).sigmoid()
        table = self.relative_position_bias_table[self.relative_position_index]
        return table.view(tokens, tokens, self.heads).permute(2, 0, 1)

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


def all_states(given: tuple[Tensor, Any]) -> Tensor:
    """The sequence of a recurrent layer's states, without the last ones beside it."""
    return given[0]


def last_state(given: tuple[Tensor, Any]) -> Tensor:
    """The last state of the last layer; of two directions, that of each."""
    sequence, last = given
    states = last[0] if isinstance(last, tuple) else last
    return torch.cat(tuple(states[-(sequence.shape[-1] // states.shape[-1]) :]), -1)


class SwiGLU(nn.Module):
    """``silu`` of the first half of an axis, times the second."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        gate, value = input.chunk(2, self.dim)
        return nn.functional.silu(gate) * value


class Expand(nn.Module):
    """Axes of size 1 repeated, the batch kept."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, input: Tensor) -> Tensor:
        return input.expand(input.shape[0], *self.shape).contiguous()


class Constant(nn.Module):
    """A stored tensor, given for every sample of the input."""

    value: Tensor

    def __init__(self, shape: tuple[int, ...], value: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("value", torch.full((1, *shape), value))

    def forward(self, input: Tensor) -> Tensor:
        return for_every_sample(input, self.value)


class MaxUnpool(nn.Module):
    """Numbers back at the places of the largest ones of the map that was pooled, zeros elsewhere."""

    def __init__(self, **window: Any) -> None:
        super().__init__()
        self.window = window

    def forward(self, input: Tensor, pooled: Tensor) -> Tensor:
        pool = getattr(nn.functional, f"max_pool{pooled.dim() - 2}d")
        _, places = pool(pooled, **self.window, return_indices=True)
        return torch.zeros_like(pooled).flatten(2).scatter(2, places.flatten(2), input.flatten(2)).view_as(pooled)


class Rotary(nn.Module):
    """Pairs of numbers of each row, turned by angles that grow with its position."""

    def __init__(self, width: int, base: float = 10000.0, interleaved: bool = False) -> None:
        super().__init__()
        self.width, self.base, self.interleaved = width, base, interleaved

    def forward(self, input: Tensor) -> Tensor:
        half = self.width // 2
        speeds = self.base ** (-torch.arange(half, device=input.device, dtype=torch.float32) / half)
        angles = torch.arange(input.shape[-2], device=input.device, dtype=torch.float32)[:, None] * speeds
        angles = torch.stack((angles, angles), -1).flatten(-2) if self.interleaved else torch.cat((angles, angles), -1)
        turning, rest = input[..., : self.width], input[..., self.width :]
        if self.interleaved:
            pairs = turning.view(*turning.shape[:-1], half, 2)
            turned = torch.stack((-pairs[..., 1], pairs[..., 0]), -1).flatten(-2)
        else:
            turned = torch.cat((-turning[..., half:], turning[..., :half]), -1)
        result = turning * angles.cos().to(input.dtype) + turned * angles.sin().to(input.dtype)
        return torch.cat((result, rest), -1) if rest.shape[-1] else result


class Experts(nn.Module):
    """The weights of all experts."""

    def __init__(self, width: int, experts: int, features: int) -> None:
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.empty(experts, 2 * features, width))
        self.down_proj = nn.Parameter(torch.empty(experts, width, features))
        for weight in self.parameters():
            nn.init.kaiming_uniform_(weight, a=5**0.5)


class MixtureOfExperts(nn.Module):
    """Each token through the experts that the router picks for it."""

    def __init__(self, width: int, experts: int, active: int, features: int) -> None:
        super().__init__()
        self.active = active
        self.gate = nn.Linear(width, experts, bias=False)
        self.experts = Experts(width, experts, features)

    def forward(self, input: Tensor) -> Tensor:
        tokens = input.flatten(0, 1)
        chances, picked = self.gate(tokens).softmax(-1).topk(self.active, -1)
        chances = chances / chances.sum(-1, keepdim=True)
        result = torch.zeros_like(tokens)
        for place in range(self.active):
            inside, down = (weight[picked[:, place]] for weight in (self.experts.gate_up_proj, self.experts.down_proj))
            gate, value = torch.bmm(inside, tokens[:, :, None]).chunk(2, 1)
            given = torch.bmm(down, nn.functional.silu(gate) * value)[:, :, 0]
            result = result + chances[:, place, None] * given
        return result.view_as(input)


def for_every_sample(input: Tensor, tensor: Tensor) -> Tensor:
    """A tensor that all samples have, once for every sample of the input."""
    if not torch.is_grad_enabled():
        tensor = tensor.detach()  # FlopCounterMode refuses views of parameters where nothing is differentiated
    return tensor.expand(input.shape[0], *tensor.shape[1:])


def count_up(input: Tensor, size: int) -> Tensor:
    """The whole numbers from 0, for every sample of the input."""
    return torch.arange(size, device=input.device).expand(input.shape[0], size)


def matmul_transposed(input: Tensor, other: Tensor) -> Tensor:
    """The product with a matrix that is given transposed."""
    return input @ other.transpose(-2, -1)


def where_positive(condition: Tensor, input: Tensor, other: Tensor) -> Tensor:
    """The input where the condition is above 0, else the other."""
    return torch.where(condition > 0, input, other)


class Opaque(nn.Module):
    """A stand-in: trained numbers that nothing uses, and zeros of the given shape."""

    def __init__(self, shape: tuple[int, ...], params: int = 0) -> None:
        super().__init__()
        self.shape = shape
        if params:
            self.weight = nn.Parameter(torch.zeros(params))

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].new_zeros(inputs[0].shape[0], *self.shape)


class Given(nn.Module):
    """A stand-in with tensors of given names, and zeros of the given shape."""

    def __init__(
        self,
        shape: tuple[int, ...],
        trained: dict[str, tuple[int, ...]],
        stored: dict[str, tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        for name, sizes in trained.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(sizes)))
        for name, sizes in (stored or {}).items():
            self.register_buffer(name, torch.zeros(sizes))

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].new_zeros(inputs[0].shape[0], *self.shape)


class BlurPool(nn.Module):
    """A fixed binomial filter for every channel, with a stride."""

    filt: Tensor

    def __init__(self, kernel: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.stride = stride
        self.sides = [(stride - 1 + kernel - 1) // 2] * 4
        row = torch.tensor([float(math.comb(kernel - 1, tap)) for tap in range(kernel)]) / 2 ** (kernel - 1)
        self.register_buffer("filt", (row[:, None] * row)[None, None])

    def forward(self, input: Tensor) -> Tensor:
        filters = self.filt.expand(input.shape[1], -1, -1, -1)
        padded = nn.functional.pad(input, self.sides, mode="reflect")
        return nn.functional.conv2d(padded, filters, stride=self.stride, groups=input.shape[1])
