"""Attention in windows, causal attention, and what says where a token stands."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from archcalc.runtime.modules.plain import for_every_sample


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
        if below or right:  # copied even where a part lies in order, which would keep the padding alive
            return x[:, :height, :breadth].clone(memory_format=torch.contiguous_format)
        return x.contiguous()

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
