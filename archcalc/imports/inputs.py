"""The shapes of a module's inputs, as a user gives them, and example tensors of these shapes."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arithmetic import Shape, as_index, as_python
from archcalc.errors import UserError
from archcalc.words import did_you_mean, help_line, quote

if TYPE_CHECKING:
    import torch
    from torch import nn

TOKENS = "tokens"
"""The name that stands for an input of integers: those of a text, else the one at this place."""


class GivenInput(NamedTuple):
    """The shape of an input, without the batch."""

    name: str
    """Its name; empty for the next one in order. `batch.image` is one of a dictionary, `features.0` one of a list."""
    shape: Shape


GivenInputs = tuple[GivenInput, ...]


def given_inputs(value: Shape | Mapping[str, Shape] | Sequence[Shape] | None) -> GivenInputs:
    """Return inputs from a call: a shape, several in order, or names to shapes.

    Raises `UserError` for anything else.
    """
    given = as_python(value)
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple(GivenInput(name, _shape(shape)) for name, shape in given.items())
    several = isinstance(given, list) and given and all(isinstance(shape, list) for shape in given)
    return tuple(GivenInput("", _shape(shape)) for shape in (given if several else [given]))


def _shape(sizes: Any) -> Shape:
    shape = [as_index(size) for size in sizes] if isinstance(sizes, list) else []
    if not shape or any(size is None or size < 1 for size in shape):
        raise UserError(f"expected the shape of an input without the batch, such as (3, 224, 224), got {sizes!r}")
    return tuple(size for size in shape if size is not None)


def shapes_of(given: GivenInputs) -> dict[str, Shape] | None:
    """Return the names of inputs to their shapes; one without a name is `input`. None if there are none."""
    return {name or "input": shape for name, shape in given} or None


def holds_indices(name: str) -> bool:
    """Return True for the name of an input that holds integers: `tokens`, `input_ids`, `attention_mask`."""
    return name in (TOKENS, "indices", "labels", "attention_mask") or name.endswith(("ids", "tokens"))


class ExampleInputs(NamedTuple):
    """Example tensors, with a batch of 1; or dictionaries and lists of them."""

    positional: tuple[Any, ...]
    named: dict[str, Any]


def example(module: nn.Module, given: GivenInputs, usual: Mapping[str, Shape]) -> ExampleInputs:
    """Return example tensors for a module, on the device of its weights.

    Args:
        module: its `forward` says the names and the order of its inputs.
        given: shapes as the user gives them.
        usual: shapes of the inputs that are not given; a name that `given` does not have keeps its shape.

    Raises:
        UserError: if nothing says the shapes, or if `forward` has no such input.
    """
    signature = _Signature.of(module)
    positional = signature.positional
    if not given and not usual:
        raise UserError(f"the shape of the input is not known{help_line(_how(signature.needed or positional[:1]))}")
    order = [*usual, *(name for name in positional if name not in usual)]
    shapes, indices = dict(usual), {name for name in usual if holds_indices(name)}
    unnamed = []
    collections: dict[str, Any] = {}
    for index, (name, shape) in enumerate(given):
        if "." in name and signature.takes(name.partition(".")[0]):
            _collect(collections, name.split("."), _tensor(module, shape, holds_indices(name.rpartition(".")[2])))
            continue
        for target in _meant(name, order[index] if index < len(order) else "", usual, signature, len(given) == 1):
            if not target and signature.takes_any:
                unnamed.append(_tensor(module, shape, False))
            elif signature.takes(target):
                shapes[target] = shape
                indices |= {target} if holds_indices(target) or holds_indices(name) else set()
            else:
                fix = did_you_mean(target, positional)
                raise UserError(f"{type(module).__name__} has no input {quote(target or str(index + 1))}{fix}")
    missing = [name for name in signature.needed if name not in shapes and name not in collections]
    if missing:
        raise UserError(f"{type(module).__name__} needs {_listed(missing)} too{help_line(_how([*shapes, *missing]))}")
    every = {name: _tensor(module, shape, name in indices) for name, shape in shapes.items()}
    every |= {name: _as_list(collection) for name, collection in collections.items()}
    first = [every.pop(name) for name in takewhile(every.__contains__, positional)]
    return ExampleInputs((*first, *unnamed), every)


class _Signature(NamedTuple):
    """The parameters of a module's `forward`."""

    names: Collection[str]
    positional: list[str]
    needed: list[str]
    """Those without a default."""
    takes_any: bool
    """True if it takes others too, in any number or of any name."""

    @classmethod
    def of(cls, module: nn.Module) -> _Signature:
        """Return the parameters of a module's `forward`."""
        every = inspect.signature(module.forward).parameters
        positional = [
            parameter
            for parameter in every.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        needed = [parameter.name for parameter in positional if parameter.default is parameter.empty]
        takes_any = any(
            parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in every.values()
        )
        return cls(every.keys(), [parameter.name for parameter in positional], needed, takes_any)

    def takes(self, name: str) -> bool:
        """Return True if an input may have a name."""
        return name in self.names or self.takes_any


def _meant(name: str, place: str, usual: Mapping[str, Shape], signature: _Signature, is_only: bool) -> Sequence[str]:
    """Return the inputs that a given name means; ``place`` is the input in this place of the order, if there is one."""
    if name == TOKENS and name not in signature.names:
        return [usual_name for usual_name in usual if holds_indices(usual_name)] or [place]
    if name == "input" and name not in signature.names and is_only:  # as the only input of a network is called
        return [place]
    return [name or place]


def _collect(collections: dict[str, Any], path: Sequence[str], tensor: torch.Tensor) -> None:
    """Put a tensor in its place in dictionaries."""
    *outer, last = path
    for name in outer:
        collections = collections.setdefault(name, {})
        if not isinstance(collections, dict):
            raise UserError(f"the input {quote(name)} is a tensor, and holds no {quote(last)}")
    collections[last] = tensor


def _as_list(value: Any) -> Any:
    """Return dictionaries whose keys count from 0 as lists."""
    if not isinstance(value, dict):
        return value
    found = {name: _as_list(item) for name, item in value.items()}
    return list(found.values()) if [*found] == [*map(str, range(len(found)))] else found


def _how(names: Iterable[str]) -> str:
    names = list(names)
    if len(names) < 2:
        return "give it without the batch: --input 3,224,224 for an image, --input tokens=128 for indices"
    return "give each without the batch: " + " ".join(f"--input {name}={_likely(name)}" for name in names)


def _likely(name: str) -> str:
    return "128" if holds_indices(name) else "3,224,224"


def _listed(names: list[str]) -> str:
    return f"the input{'' if len(names) == 1 else 's'} {', '.join(names)}"


def _tensor(module: nn.Module, shape: Shape, indices: bool) -> torch.Tensor:
    import torch

    weights: Any = next((parameter for parameter in module.parameters() if parameter.is_floating_point()), None)
    device = weights.device if weights is not None else torch.device("cpu")
    dtype = torch.int64 if indices else weights.dtype if weights is not None else torch.float32
    return torch.zeros((1, *shape), dtype=dtype, device=device)
