"""Functions and small modules: parts, constants, stand-ins, experts."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


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


def prepend(input: Tensor, tokens: Tensor) -> Tensor:
    """Return each sample with tokens before its own."""
    return torch.cat((tokens.expand(input.shape[0], *tokens.shape[1:]), input), dim=1)


def einsum(first: Tensor, second: Tensor, equation: str) -> Tensor:
    """The sum of products that an equation says."""
    return torch.einsum(equation, first, second)


def each(module: Any) -> Any:
    """The class of modules that do with every slice along the first axis what ``module`` does with its input."""

    class Each(module):  # type: ignore[misc]
        def forward(self, input: Tensor) -> Any:
            found = super().forward(input.flatten(0, 1))
            sizes = input.shape[:2]
            if not isinstance(found, tuple):
                return found.unflatten(0, sizes)
            sequence, last = found  # of a recurrent layer
            states = [state.unflatten(1, sizes) for state in (last if isinstance(last, tuple) else (last,))]
            return sequence.unflatten(0, sizes), tuple(states)

    return Each


def grid_sample_of_each(input: Tensor, grid: Tensor, mode: str, align_corners: bool) -> Tensor:
    """Every map of a sample, read at the points of its own grid."""
    maps, grids = input.flatten(0, 1), grid.flatten(0, 1)
    found = nn.functional.grid_sample(maps, grids, mode, align_corners=align_corners)
    return found.view(*input.shape[:2], *found.shape[1:])


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

    def __init__(self, width: int, experts: int, active: int, features: int, normalized: bool = True) -> None:
        super().__init__()
        self.active, self.normalized = active, normalized
        self.gate = nn.Linear(width, experts, bias=False)
        self.experts = Experts(width, experts, features)

    def forward(self, input: Tensor) -> Tensor:
        tokens = input.flatten(0, 1)
        chances, picked = self.gate(tokens).softmax(-1).topk(self.active, -1)
        if self.normalized:
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


def masked(input: Tensor, mask: Tensor, value: float) -> Tensor:
    """The input, with a number where the mask is above 0."""
    return input.masked_fill(mask > 0, value)


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
        made = inputs[0].new_zeros(inputs[0].shape[0], *self.shape)
        for other in inputs[1:]:  # so that a traced graph has what comes before it
            made = made + other.new_zeros(())
        return made


class Opaque(Given):
    """A stand-in: trained numbers that nothing uses, and zeros of the given shape."""

    def __init__(self, shape: tuple[int, ...], params: int = 0) -> None:
        super().__init__(shape, {"weight": (params,)} if params else {})


class GivenAsStored(Given):
    """A stand-in for a stored tensor under another shape, or for its first numbers."""

    def forward(self, *inputs: Tensor) -> Tensor:
        stored = next(iter((*self.parameters(), *self.buffers())))
        if stored.numel() != math.prod(self.shape):
            stored = stored.flatten()[: math.prod(self.shape)]
        return for_every_sample(inputs[0], stored.view(1, *self.shape))


class _Once(torch.autograd.Function):
    """Zeros that depend on tensors, and zeros for their gradients."""

    @staticmethod
    def forward(ctx: Any, like: Tensor, shape: tuple[int, ...], *tensors: Tensor) -> Tensor:
        ctx.shapes = [tensor.shape for tensor in tensors]
        return like.new_zeros(shape, dtype=like.dtype if like.is_floating_point() else torch.get_default_dtype())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return None, None, *(gradients[0].new_zeros(shape) for shape in ctx.shapes)


class GivenOnce(Given):
    """A stand-in for a tensor that is computed from stored ones, once for a batch."""

    def forward(self, *inputs: Tensor) -> Tensor:
        made = _Once.apply(inputs[0].detach(), (1, *self.shape), *self.parameters())
        return for_every_sample(inputs[0], made)


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
