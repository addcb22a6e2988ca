"""Random PyTorch modules: what is traced of them must be what they are.

A module is a list of steps, each a layer or a function of one tensor or of two. A step that PyTorch refuses for the
shape at hand is left out. The module's parameters, its multiply-adds as PyTorch counts them, its output and its spec,
read again, are compared with those of the traced network.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc.network import Network
from archcalc.render.folding import folded_spec
from tests.fuzz.likeness import likeness

F = nn.functional
BATCH = 3
MOST_ELEMENTS = 4000
"""Elements of a tensor for one sample; a step that makes more is left out."""


class Step(NamedTuple):
    """One step of a module."""

    text: str
    """What it does, to be read."""
    run: Callable[[nn.Module, Tensor], Tensor]
    layers: Sequence[nn.Module] = ()
    """Modules that it has."""


class Random(nn.Module):
    """Runs steps one after another; `run` is called with the modules of its step."""

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__()
        self.steps = tuple(steps)
        self.parts = nn.ModuleList(nn.ModuleList(step.layers) for step in steps)

    def forward(self, x: Tensor) -> Tensor:
        for step, part in zip(self.steps, self.parts, strict=True):
            x = step.run(part, x)
        return x

    def __str__(self) -> str:
        return "; ".join(step.text for step in self.steps)


class Author:
    """Writes random steps for a tensor of a known shape."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def module(self) -> tuple[Random, Tensor]:
        """Return a module and an input."""
        rank = self.number(1, 4)
        sizes = [self.number(1, 4) * 2, *(self.number(3, 9) for _ in range(rank - 1))]
        x = torch.randn(BATCH, *sizes)
        steps, now = [], x
        wanted = self.number(1, 7)
        for _ in range(40):
            if len(steps) == wanted:
                break
            made = self.step(now)
            if made is not None:
                steps.append(made[0])
                now = made[1]
        return Random(steps).eval(), x

    def step(self, x: Tensor) -> tuple[Step, Tensor] | None:
        """Return a step and its output; None if it does not fit."""
        maker = self.random.choice(self.residuals if self.number(1, 8) == 1 else self.plain)
        try:
            step = maker(self, x)
            if step is None or (x.dim() != 3 and any(_is_recurrent(one) for one in step.layers)):
                return None
            with torch.no_grad():
                step.run(nn.ModuleList(step.layers).eval(), x[:1])
                output = step.run(nn.ModuleList(step.layers).eval(), x)
        except (RuntimeError, ValueError, IndexError, TypeError, AttributeError, AssertionError):
            return None
        fits = output.dim() > 1 and output.shape[0] == BATCH and output.is_floating_point()
        return (step, output) if fits and 0 < output.numel() <= BATCH * MOST_ELEMENTS else None

    # -- steps with modules

    def layer(self, x: Tensor) -> Step:
        """One of PyTorch's layers."""
        text, layer = self.random.choice(LAYERS)(self, x)
        return Step(text, _call, [layer])

    def twice(self, x: Tensor) -> Step:
        """A layer that is called two times."""
        text, layer = self.random.choice(LAYERS)(self, x)
        return Step(f"twice {text}", lambda part, x: part[0](part[0](x)), [layer])

    def nested(self, x: Tensor) -> Step | None:
        """A few layers in a group."""
        made = [self.step(x)]
        if made[0] is not None:
            made.append(self.step(made[0][1]))
        steps = [one[0] for one in made if one is not None]
        inner = Random(steps)
        return Step(f"({inner})", _call, [inner]) if steps else None

    def tied(self, x: Tensor) -> Step:
        """Two layers with one weight."""
        first, second = nn.Linear(x.shape[-1], x.shape[-1]), nn.Linear(x.shape[-1], x.shape[-1])
        second.weight = first.weight
        return Step("tied", lambda part, x: part[1](part[0](x).tanh()), [first, second])

    def state(self, x: Tensor) -> Step:
        """A state of a recurrent layer."""
        if x.dim() != 3:
            raise ValueError
        kind = self.random.choice([nn.LSTM, nn.GRU, nn.RNN])
        layers, both = self.number(1, 2), self.random.random() < 0.4
        layer = kind(x.shape[-1], self.number(2, 5), layers, batch_first=True, bidirectional=both)
        which = self.number(0, 2)

        def run(part: Any, x: Tensor) -> Tensor:
            sequence, states = part[0](x)
            last = states[which % 2] if isinstance(states, tuple) else states
            return sequence if which == 0 else last[-1]

        return Step(f"{kind.__name__} {layers} {both} state {which}", run, [layer])

    # -- steps without modules

    def function(self, x: Tensor) -> Step:
        text, run = self.random.choice(FUNCTIONS)
        return Step(text, lambda part, x: run(x))

    def view(self, x: Tensor) -> Step:
        dims = list(range(1, x.dim()))
        self.random.shuffle(dims)
        kind = self.number(0, 6)
        if kind == 0:
            return Step(f"permute {dims}", lambda part, x: x.permute(0, *dims))
        if kind == 1:
            start, end = sorted(self.number(1, x.dim() - 1) for _ in range(2))
            return Step(f"flatten {start} {end}", lambda part, x: x.flatten(start, end))
        axis = self.number(1, x.dim() - 1)
        size = x.shape[axis]
        if kind == 2:
            first = self.number(0, size - 1)
            step = self.number(1, 2)
            return Step(f"slice {axis} {first}::{step}", lambda part, x: _sliced(x, axis, first, step))
        if kind == 3:
            return Step(f"select {axis}", lambda part, x: x.select(axis, size // 2))
        if kind == 4:
            return Step(f"split {axis}", lambda part, x: x.reshape(*_split(x, axis)))
        if kind == 5:
            return Step(f"unsqueeze {axis}", lambda part, x: x.unsqueeze(axis))
        parts = self.number(1, min(size, 3))
        which = self.number(0, parts - 1)
        return Step(f"chunk {axis} {parts} {which}", lambda part, x: x.chunk(parts, axis)[which])

    def folded(self, x: Tensor) -> Step:
        """Rows that are folded into the batch for a layer."""
        layer = nn.Linear(x.shape[-1], self.number(1, 6))
        return Step(
            f"folded {layer}",
            lambda part, x: part[0](x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1),
            [layer],
        )

    def moved(self, x: Tensor) -> Step | None:
        """A step with the batch as the second axis."""
        made = self.step(x)
        if made is None or x.dim() < 3:
            return None
        activation = self.random.choice([F.relu, torch.tanh])
        return Step("batch second", lambda part, x: activation(x.transpose(0, 1) * 2).transpose(0, 1))

    def written(self, x: Tensor) -> Step:
        """A step that writes to a part of a copy."""
        axis = self.number(1, x.dim() - 1)
        end = self.number(1, x.shape[axis])
        kind = self.number(0, 2)

        def run(part: nn.Module, x: Tensor) -> Tensor:
            y = x.clone()
            if kind == 0:
                y.narrow(axis, 0, end).zero_()
            elif kind == 1:
                y.narrow(axis, 0, end).mul_(2).add_(1)
            else:
                y.relu_()
            return y + 1

        return Step(f"written {axis} {end} {kind}", run)

    # -- steps with two tensors

    def residual(self, x: Tensor) -> Step | None:
        return self._joined(x, "+", torch.add)

    def gated(self, x: Tensor) -> Step | None:
        return self._joined(x, "*", lambda a, b: a * b.sigmoid())

    def joined(self, x: Tensor) -> Step | None:
        axis = self.number(1, x.dim() - 1)
        return self._joined(x, f"cat {axis}", lambda a, b: torch.cat([a, b], axis))

    def product(self, x: Tensor) -> Step | None:
        return self._joined(x, "@", lambda a, b: (a @ b.transpose(-1, -2)).softmax(-1) @ b)

    def _joined(self, x: Tensor, text: str, join: Callable[[Tensor, Tensor], Tensor]) -> Step | None:
        made = self.step(x)
        if made is None or made[1].dim() != x.dim():  # else a size may stand beside the batch
            return None
        inner = made[0]
        return Step(f"[{inner.text}] {text}", lambda part, x: join(x, inner.run(part, x)), inner.layers)

    plain = [layer] * 6 + [function] * 3 + [view] * 3 + [nested, twice, tied, state, folded, moved, written]
    residuals = [residual, gated, joined, product]


def _call(part: Any, x: Tensor) -> Tensor:
    found = part[0](x)
    return found[0] if isinstance(found, tuple) else found


def _sliced(x: Tensor, axis: int, first: int, step: int) -> Tensor:
    return x[(slice(None),) * axis + (slice(first, None, step),)]


def _split(x: Tensor, axis: int) -> list[int]:
    return [*x.shape[:axis], 2, x.shape[axis] // 2, *x.shape[axis + 1 :]]


def _convolution(author: Author, x: Tensor) -> tuple[str, nn.Module]:
    rank = x.dim() - 2
    groups = author.random.choice([1, 1, 2, x.shape[1]])
    out = groups * author.number(1, 4)
    kernel = tuple(author.number(1, 3) for _ in range(rank))
    stride = author.number(1, 2)
    options: dict[str, Any] = {"groups": groups, "bias": author.random.random() < 0.5}
    if author.random.random() < 0.3:
        layer: type[nn.Module] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1]
        options |= {"stride": stride, "output_padding": author.number(0, stride - 1), "padding": author.number(0, 1)}
    else:
        layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
        modes = ["zeros", "zeros", "circular", "replicate", "reflect"]
        options |= {"padding_mode": author.random.choice(modes), "dilation": author.number(1, 2)}
        options |= {"padding": "same"} if stride == 1 and author.random.random() < 0.4 else {"padding": 1}
        options |= {"stride": stride}
    made = layer(x.shape[1], out, kernel, **options)
    return str(made), made


def _pooling(author: Author, x: Tensor) -> tuple[str, nn.Module]:
    rank = x.dim() - 3
    kernel = author.number(1, 3)
    options: dict[str, Any] = {"stride": author.number(1, 2), "padding": author.number(0, kernel // 2)}
    options |= {"ceil_mode": author.random.random() < 0.3}
    layers: tuple[type[nn.Module], ...] = author.random.choice(
        [(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)]
    )
    made = layers[rank + 1](kernel, **options)
    return str(made), made


def _adaptive(author: Author, x: Tensor) -> tuple[str, nn.Module]:
    layers: tuple[type[nn.Module], ...] = author.random.choice(
        [
            (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
            (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
        ]
    )
    made = layers[x.dim() - 3](author.number(1, 4))
    return str(made), made


def _normalization(author: Author, x: Tensor) -> tuple[str, nn.Module]:
    affine = author.random.random() < 0.7
    choices: list[Callable[[], nn.Module]] = [
        lambda: (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[max(x.dim() - 3, 0)](x.shape[1], affine=affine),
        lambda: (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[x.dim() - 3](x.shape[1], affine=affine),
        lambda: nn.GroupNorm(2, x.shape[1], affine=affine),
        lambda: nn.LayerNorm(x.shape[-1], elementwise_affine=affine),
        lambda: nn.LayerNorm(x.shape[-min(2, x.dim() - 1) :], bias=False),
        lambda: nn.RMSNorm(x.shape[-1], eps=1e-6, elementwise_affine=affine),
        lambda: nn.LocalResponseNorm(2),
    ]
    made = author.random.choice(choices)()
    return str(made), made


def _other(author: Author, x: Tensor) -> tuple[str, nn.Module]:
    heads = author.random.choice([1, 2])
    width = x.shape[-1]
    choices: list[Callable[[], nn.Module]] = [
        lambda: nn.Linear(width, author.number(1, 8), bias=author.random.random() < 0.7),
        lambda: nn.Linear(width, author.number(1, 8)),
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(width, 4)),
        lambda: nn.TransformerEncoderLayer(
            width, heads, 6, batch_first=True, norm_first=author.random.random() < 0.5, activation="gelu"
        ),
        lambda: nn.LSTM(width, 4, batch_first=True, bidirectional=author.random.random() < 0.5),
        lambda: nn.GRU(width, 3, 2, batch_first=True),
        lambda: nn.PixelShuffle(2),
        lambda: nn.PixelUnshuffle(2),
        lambda: nn.Unfold(2, stride=author.number(1, 2)),
        lambda: nn.GLU(author.number(1, x.dim() - 1)),
        lambda: nn.PReLU(),
        lambda: nn.PReLU(x.shape[1]),
        lambda: nn.Upsample(scale_factor=2, mode=author.random.choice(["nearest", "bilinear", "linear", "bicubic"])),
        lambda: nn.ZeroPad2d((1, 0, author.number(0, 2), 1)),
        lambda: nn.ReflectionPad2d(1),
        lambda: nn.Flatten(author.number(1, x.dim() - 1)),
        lambda: nn.Softmax(author.number(1, x.dim() - 1)),
        lambda: nn.Dropout(),
        lambda: nn.Identity(),
        lambda: author.random.choice([nn.ReLU, nn.SiLU, nn.ELU, nn.Hardswish, nn.LeakyReLU])(inplace=True),
        lambda: author.random.choice([nn.GELU, nn.Mish, nn.Softplus, nn.Sigmoid, nn.ReLU6, nn.Hardtanh, nn.CELU])(),
    ]
    made = author.random.choice(choices)()
    return str(made), made


LAYERS: list[Callable[[Author, Tensor], tuple[str, nn.Module]]] = [
    _convolution,
    _convolution,
    _pooling,
    _adaptive,
    _normalization,
    _normalization,
    _other,
    _other,
    _other,
]
FUNCTIONS: list[tuple[str, Callable[[Tensor], Tensor]]] = [
    ("mean(1)", lambda x: x.mean(1)),
    ("mean(-1, True)", lambda x: x - x.mean(-1, keepdim=True)),
    ("amax", lambda x: x.amax(-1)),
    ("max", lambda x: x.max(1)[0]),
    ("sum", lambda x: x.sum((1, -1))),
    ("2 * x + 1", lambda x: 2 * x + 1),
    ("1 - x", lambda x: 1 - x),
    ("x / 3", lambda x: x / 3.0),
    ("1 / x", lambda x: 1 / (x.abs() + 1)),
    ("x ** 2", lambda x: x**2),
    ("sqrt", lambda x: x.abs().add(1e-3).sqrt()),
    ("exp", lambda x: (-x.abs()).exp()),
    ("clamp", lambda x: x.clamp(-1, 1)),
    ("where", lambda x: torch.where(x > 0, x, 0.5 * x)),
    ("masked", lambda x: x.masked_fill(x < 0, 0.0)),
    ("normalize", lambda x: F.normalize(x, dim=1)),
    ("norm", lambda x: x / (x.norm(dim=-1, keepdim=True) + 1)),
    ("cumsum", lambda x: x.cumsum(-1)),
    ("flip", lambda x: x.flip(-1)),
    ("roll", lambda x: x.roll(1, -1)),
    ("var", lambda x: x.var(-1)),
    ("std", lambda x: x.std(1, unbiased=False)),
    ("stack", lambda x: torch.stack([x, x + 1], 1)),
    ("cat", lambda x: torch.cat([x, x], -1)),
    ("cat batch", lambda x: torch.cat([x, 2 * x])[: x.shape[0]]),
    ("unbind", lambda x: sum(x.unbind(1))),  # type: ignore[return-value,arg-type]
    ("outer", lambda x: x.unsqueeze(-1) * x.unsqueeze(-2)),
    ("einsum", lambda x: torch.einsum("b...i,b...j->bij", x, x)),
    ("einsum rows", lambda x: torch.einsum("bij,bkj->bik", x, x)),
    ("expand", lambda x: x.unsqueeze(1).expand(-1, 2, *x.shape[1:]) * 1.0),
    ("repeat", lambda x: x.repeat(1, 2, *(1 for _ in x.shape[2:]))),
    ("attention", lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)),
    ("pad", lambda x: F.pad(x, (1, 2))),
    ("interpolate", lambda x: F.interpolate(x, scale_factor=2.0)),
    ("swapped", lambda x: x.transpose(1, -1).contiguous()),
    ("view", lambda x: x.reshape(x.shape[0], -1)),
    ("unfold", lambda x: x.unfold(-1, 2, 1)),
    ("topk", lambda x: x.topk(1, -1)[0]),
    ("tril", lambda x: x.tril()),
]


def modules(count: int, seed: int = 0) -> Iterator[tuple[Random, Tensor]]:
    """Yield random modules, each with an input."""
    for number in range(count):
        torch.manual_seed(number)
        yield Author(f"{seed} {number}").module()


def complaints(module: Random, x: Tensor) -> list[str]:
    """Return what a traced module has other than the module itself; empty if they agree."""
    torch.backends.mha.set_fastpath_enabled(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = archcalc.trace(module, x[:1])
        found = []
        totals = network.analyze().totals
        params = sum(parameter.numel() for parameter in module.parameters())
        if totals.params + sum(network.uncalled.values()) != params:
            found.append(f"{totals.params} parameters, not {params}")
        recurrent = _is_recurrent(module)
        if not recurrent and totals.macs != (macs := _multiply_adds(module, x[:1])):
            found.append(f"{totals.macs} multiply-adds, not {macs}")
        return [*found, *_other_outputs(network, module, x), *_other_spec(network)]


def _multiply_adds(module: nn.Module, x: Tensor) -> int:
    math = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with FlopCounterMode(display=False) as counter, math, torch.no_grad():
        module(x.clone())
    return counter.get_total_flops() // 2


def _other_outputs(network: Network, module: nn.Module, x: Tensor) -> Iterator[str]:
    built = built_again(network, module)
    with torch.no_grad():
        wanted, got = module.double().eval()(x.double()), built.double().eval()(x.double())
    if wanted.shape != got.shape:
        yield f"an output of {tuple(got.shape)}, not {tuple(wanted.shape)}"
    elif not torch.allclose(wanted, got, rtol=1e-9, atol=1e-9, equal_nan=True):
        yield f"an output that is off by {float((wanted - got).abs().max()):.3g}"


def built_again(network: Network, module: nn.Module) -> nn.Module:
    """Return the module of a traced network, with the weights of the module that it was traced from."""
    built = archcalc.build(network)
    theirs = {**module.state_dict(), **dict(module.named_buffers())}
    own = built.state_dict()
    built.load_state_dict({name: theirs.get(network.reference_name(name), own[name]) for name in own})
    return built


def _other_spec(network: Network) -> Iterator[str]:
    text = folded_spec(network)
    again, known = likeness(archcalc.loads(text)), likeness(network)
    for key in known:
        if again[key] != known[key]:
            pairs = zip(known[key], again[key], strict=False) if key == "layers" else [(known[key], again[key])]
            first = next((pair for pair in pairs if pair[0] != pair[1]), "their number")
            yield f"a spec with other {key}: {first}\n{text}"


def _is_recurrent(module: nn.Module) -> bool:
    """Return True if a module has a recurrent layer, which takes two axes for one sequence."""
    return any(isinstance(part, nn.RNNBase) for part in module.modules())
