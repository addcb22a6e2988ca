"""Optimizers, what each stores between steps, and the settings of a training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from archcalc.arithmetic import Shape, ceil_div, product
from archcalc.dtypes import bytes_of
from archcalc.errors import UserError
from archcalc.structs import Struct
from archcalc.words import did_you_mean, quote

SMALLEST_8_BIT, BLOCK = 4096, 256
"""bitsandbytes: elements from which a tensor's state has 8 bits, and elements that share a scale."""


def _copies(count: int) -> Callable[[Shape, str], Any]:
    """Return the bytes of so many tensors of a weight's shape."""
    return lambda shape, dtype: bytes_of(count * product(shape), dtype)


def _rows_and_columns(shape: Shape, dtype: str) -> Any:
    """Means of squares over the last axis and over the one before; all squares of a vector."""
    if len(shape) < 2:
        return bytes_of(product(shape), dtype)
    return bytes_of(product(shape[:-1]) + product(shape[:-2]) * shape[-1], dtype)


def _in_blocks(shape: Shape, dtype: str) -> Any:
    """Two numbers of 8 bits, and two float32 scales for every 256; two float32 numbers of a small tensor."""
    count = product(shape)
    return 2 * (count + 4 * ceil_div(count, BLOCK)) if count >= SMALLEST_8_BIT else 2 * 4 * count


class Optimizer(NamedTuple):
    """What an optimizer needs."""

    state: Callable[[Shape, str], Any]
    """Bytes stored between steps for a weight of a shape, in a type."""
    workspace: int
    """Elements per weight that the update of all weights at once needs (PyTorch's `foreach`, its default on a GPU)."""
    stores: str
    """What it stores, in words."""
    source: str


_TORCH = "PyTorch, torch.optim"
OPTIMIZERS = {
    "none": Optimizer(_copies(0), 0, "nothing; without an update", ""),
    "sgd": Optimizer(_copies(0), 0, "nothing", _TORCH),
    "momentum": Optimizer(_copies(1), 0, "1 per weight: the momentum", _TORCH),
    "adam": Optimizer(
        _copies(2), 1, "2 per weight: means of gradients and their squares", "Kingma, Ba, 2015; " + _TORCH
    ),
    "adamw": Optimizer(_copies(2), 1, "2 per weight: as Adam", "Loshchilov, Hutter, 2019; " + _TORCH),
    "adafactor": Optimizer(
        _rows_and_columns, 1, "1 per row and per column; 1 per weight of a vector", "Shazeer, Stern, 2018; " + _TORCH
    ),
    "lion": Optimizer(_copies(1), 1, "1 per weight: the momentum", "Chen et al., 2023"),
    "rmsprop": Optimizer(_copies(1), 1, "1 per weight: the mean of squares", _TORCH),
    "adagrad": Optimizer(_copies(1), 2, "1 per weight: the sum of squares", "Duchi et al., 2011; " + _TORCH),
    "adam8bit": Optimizer(
        _in_blocks,
        0,
        "2 of 8 bits per weight, with a float32 scale for 256; 2 of 32 bits for tensors below 4,096 elements",
        "Dettmers et al., 2022; bitsandbytes",
    ),
}


class TrainingStep(Struct):
    """How a training step is done.

    Raises `UserError` for an unknown optimizer, or numbers that do not fit together.
    """

    optimizer: str = "sgd"
    """A key of `OPTIMIZERS`."""
    accumulate: int = 1
    """Forward and backward passes, each of a whole batch, before an update; their gradients are summed."""
    clip: bool = False
    """True if the gradients are scaled to a norm before the update (`torch.nn.utils.clip_grad_norm_`)."""
    devices: int = 1
    """Devices, each with a batch of its own."""
    zero: int = 0
    """What the devices divide: 1 the optimizer's state and the master copy, 2 the gradients too, 3 all weights."""

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UserError(f"unknown optimizer {quote(self.optimizer)}{did_you_mean(self.optimizer, OPTIMIZERS)}")
        if self.accumulate < 1 or self.devices < 1:
            raise UserError("a step has at least 1 pass and 1 device")
        if self.zero not in range(4):
            raise UserError(f"ZeRO has the stages 1 to 3, got {self.zero}")
        if self.zero and self.devices == 1:
            raise UserError("ZeRO divides among devices; say how many with --devices")

    @property
    def rule(self) -> Optimizer:
        """The optimizer itself."""
        return OPTIMIZERS[self.optimizer]

    def share(self, size: Any, stage: int) -> Any:
        """Return a device's share of bytes that are divided from a stage of ZeRO on."""
        return ceil_div(size, self.devices) if self.zero >= stage else size

    def __str__(self) -> str:
        passes = f", {self.accumulate} passes" if self.accumulate > 1 else ""
        clipped = ", clipped" if self.clip else ""
        divided = f", ZeRO {self.zero}" if self.zero else ""
        many = f", {self.devices} devices{divided}" if self.devices > 1 else ""
        return f"{self.optimizer}{passes}{clipped}{many}"


def as_step(optimizer: str | TrainingStep) -> TrainingStep:
    """Return the settings of a step with an optimizer. Raises `UserError` for an unknown one."""
    return optimizer if isinstance(optimizer, TrainingStep) else TrainingStep(optimizer)
