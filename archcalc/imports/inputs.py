"""The shapes of a module's inputs, as a user gives them, and example tensors of these shapes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arithmetic import Shape
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
    """Return inputs from a call: a shape, several in order, or names to shapes."""
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return tuple(GivenInput(name, tuple(shape)) for name, shape in value.items())
    if all(isinstance(size, int) for size in value):
        return (GivenInput("", tuple(value)),)  # type: ignore[arg-type]
    return tuple(GivenInput("", tuple(shape)) for shape in value)  # type: ignore[arg-type]


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
    parameters = inspect.signature(module.forward).parameters
    positional = [
        name for name, one in parameters.items() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    takes_any = any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters.values())
    needed = [name for name in positional if parameters[name].default is inspect.Parameter.empty]
    if not given and not usual:
        raise UserError(f"the shape of the input is not known{help_line(_how(needed or positional[:1]))}")
    order = [*usual, *(name for name in positional if name not in usual)]
    shapes, indices = dict(usual), {name for name in usual if holds_indices(name)}
    unnamed = []
    collections: dict[str, Any] = {}
    for at, (name, shape) in enumerate(given):
        if "." in name and (name.partition(".")[0] in parameters or takes_any):
            _collect(collections, name.split("."), _tensor(module, shape, holds_indices(name.rpartition(".")[2])))
            continue
        if name == "input" and name not in parameters and len(given) == 1:
            name = ""  # as the only input of a network is called
        target = name or (order[at] if at < len(order) else "")
        if name == TOKENS and name not in parameters:
            of_tokens = [one for one in usual if holds_indices(one)]
            target = of_tokens[0] if of_tokens else order[at] if at < len(order) else ""
            indices.add(target)
            shapes.update(dict.fromkeys(of_tokens, shape))
        if not target and takes_any:
            unnamed.append(_tensor(module, shape, False))
            continue
        if target not in parameters and not takes_any:
            raise UserError(
                f"{type(module).__name__} has no input {quote(target or str(at + 1))}{did_you_mean(target, positional)}"
            )
        shapes[target] = shape
        if holds_indices(target):
            indices.add(target)
    missing = [name for name in needed if name not in shapes and name not in collections]
    if missing:
        raise UserError(f"{type(module).__name__} needs {_listed(missing)} too{help_line(_how([*shapes, *missing]))}")
    first = []
    every = {name: _tensor(module, shape, name in indices) for name, shape in shapes.items()}
    every |= {name: _as_list(one) for name, one in collections.items()}
    for name in positional:
        if name not in every:
            break
        first.append(every.pop(name))
    return ExampleInputs((*first, *unnamed), every)


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
    found = {name: _as_list(one) for name, one in value.items()}
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

    weights: Any = next((one for one in module.parameters() if one.is_floating_point()), None)
    device = weights.device if weights is not None else torch.device("cpu")
    dtype = torch.int64 if indices else weights.dtype if weights is not None else torch.float32
    return torch.zeros((1, *shape), dtype=dtype, device=device)
