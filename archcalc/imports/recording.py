"""One run of a module: which modules it calls with which tensors, and where its numbers decide what it does."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

MASKED = frozenset(["index", "index_put", "index_put_", "_index_put_impl_"])
"""Operations that may take a mask."""
DECIDING = frozenset(["_local_scalar_dense", "nonzero", "masked_select", "nms", "_unique2", "unique_dim", "equal"])
"""Operations after which the numbers of a tensor decide what is called, or the sizes of what it gives."""
HEAVY = frozenset(["convolution", "addmm", "mm", "bmm", "baddbmm", "linear", "roi_align", "_roi_align"])
"""Operations whose results are left 0 where only sizes matter."""


@dataclass
class Made:
    """A tensor that a module's own code makes, outside the modules that it calls."""

    method: str
    """The function of the module's own file that `forward` calls to make it; empty for `forward` itself."""
    sources: Mapping[int, Tensor]
    """What it is made of: arguments of the module, and results of the modules that it calls."""
    operation: Callable[..., Any] | None
    """The operation that makes it; None if it cannot be called again."""
    args: Any
    kwargs: Any
    item: int
    """Which of its results is meant."""
    origins: Mapping[int, Made]
    """How those of its arguments were made that the module's own code makes."""


@dataclass
class Run:
    """One call of a module.

    Its tensors have no numbers: each stands for one of the run. Stored tensors and single numbers are the run's own.
    """

    path: str
    args: Any
    kwargs: Any
    result: Any = None
    children: list[Run] = field(default_factory=list)
    known: dict[int, Tensor] = field(default_factory=dict)
    """Arguments, and results of the modules that it calls."""
    made: dict[int, Made] = field(default_factory=dict)
    origins: dict[int, Made] = field(default_factory=dict)
    """How the tensors that it takes, when it is called, were made by the module that calls it."""
    returned: dict[int, Made] = field(default_factory=dict)
    """How the tensors that it returns were made in it."""


@dataclass
class Recording:
    """All calls of a run."""

    keeps_all: bool
    """As in `record`."""
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """Path of a module to its calls, in order."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Path of each module whose own code the numbers of a tensor decide, to the operation that does."""


def record(module: nn.Module, inputs: Sequence[Any], keywords: Mapping[str, Any], keeps_all: bool) -> Recording:
    """Run a module once, and return its calls.

    Args:
        module: in evaluation mode.
        inputs: with a batch of 1.
        keywords: inputs by name, in the same form.
        keeps_all: True if every test on numbers passes, and suppression keeps every box, so that the sizes are the
            largest that the module allows. The numbers themselves are not computed then.
    """
    recorder = _Recorder(keeps_all)
    with torch.no_grad(), wrapped(module, recorder.around), recorder:
        module(*inputs, **keywords)
    return recorder.recording


Forward = Callable[..., Any]


@contextmanager
def wrapped(module: nn.Module, around: Callable[[str, nn.Module, Forward], Forward]) -> Iterator[None]:
    """Let other functions run in the place of `forward` of all modules in a module."""
    with ExitStack() as stack:
        for path, part in module.named_modules():
            stack.enter_context(replaced(part, "forward", wraps(part.forward)(around(path, part, part.forward))))
        yield


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an object another attribute of this name for a while."""
    before = vars(owner).get(name)
    vars(owner)[name] = value
    try:
        yield
    finally:
        if before is None:
            del vars(owner)[name]
        else:
            vars(owner)[name] = before


@contextmanager
def in_mode(module: nn.Module, training: bool) -> Iterator[None]:
    """Put a module in training or in evaluation mode for a while."""
    before = [(part, part.training) for part in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for part, mode in before:
            part.training = mode


def tensors_of(value: Any, depth: int = 0) -> Iterator[Tensor]:
    """Yield the tensors in lists, dictionaries and plain objects, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_of(item, depth)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_of(item, depth)
    elif _holds_attributes(value) and depth < 2:
        for attribute in vars(value).values():
            yield from tensors_of(attribute, depth + 1)


def with_tensors(value: Any, change: Callable[[Tensor], Tensor], depth: int = 0) -> Any:
    """Return a value with other tensors in the places of its own."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        found = [with_tensors(item, change, depth) for item in value]
        return type(value)(*found) if hasattr(value, "_fields") else type(value)(found)
    if isinstance(value, Mapping):
        changed = copy.copy(value)
        for key, item in value.items():
            changed[key] = with_tensors(item, change, depth)  # type: ignore[index]
        return changed
    if _holds_attributes(value) and depth < 2 and next(tensors_of(value, depth), None) is not None:
        changed = copy.copy(value)
        for key, attribute in vars(value).items():
            setattr(changed, key, with_tensors(attribute, change, depth + 1))
        return changed
    return value


def _holds_attributes(value: Any) -> bool:
    return hasattr(value, "__dict__") and not isinstance(value, (nn.Module, type)) and not callable(value)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes calls of modules, and of operations."""

    def __init__(self, keeps_all: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keeps_all = keeps_all
        self.recording = Recording(keeps_all)
        self.open: list[tuple[Run, nn.Module]] = []
        self.tokens: Any = WeakTensorKeyDictionary()
        """Tensor that the module computes, or takes, to what stands for it."""
        self.alive: list[Tensor] = []
        """All that stand for one, so that no two have the same `id`."""

    def around(self, path: str, part: nn.Module, forward: Forward) -> Forward:
        def run(*args: Any, **kwargs: Any) -> Any:
            parent = self.open[-1][0] if self.open else None
            if parent is None:
                for tensor in tensors_of((args, kwargs)):
                    self._new_token(tensor)
            # Copied, as lists that it takes or gives may be changed afterwards.
            call = Run(path, *with_tensors((args, kwargs), self._token))
            call.known = {id(tensor): tensor for tensor in tensors_of((call.args, call.kwargs))}
            if parent is not None:
                parent.children.append(call)
                call.origins = {key: parent.made[key] for key in call.known if key in parent.made}
            self.recording.runs.setdefault(path, []).append(call)
            self.open.append((call, part))
            try:
                result = forward(*args, **kwargs)
            finally:
                self.open.pop()
            call.result = with_tensors(result, self._token)
            found = {id(tensor): tensor for tensor in tensors_of(call.result)}
            call.returned = {key: call.made[key] for key in found if key in call.made}
            if parent is not None:
                parent.known.update(found)
                for key in found:
                    parent.made.pop(key, None)
            return result

        return run

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.open:
            return func(*args, **kwargs)
        call, part = self.open[-1]
        taken, named = with_tensors((args, kwargs), self._token)
        sources: dict[int, Tensor] = {}
        origins: dict[int, Made] = {}
        for tensor in tensors_of((taken, named)):
            if id(tensor) in call.made:
                origins[id(tensor)] = call.made[id(tensor)]
                sources.update(origins[id(tensor)].sources)
            elif id(tensor) in call.known:
                sources[id(tensor)] = tensor
        name, method = func.__name__.partition(".")[0], _method(part)
        decides = name in DECIDING or (name == "index" and _has_mask(name, args))
        if sources and decides:
            word = {"_local_scalar_dense": "item", "index": "a mask"}.get(name, name).strip("_")
            self.recording.reasons.setdefault(call.path, f"{word} in {method}" if method else word)
        again = None if decides else _without_writing(func, name)
        result = self._result(func, name, args, kwargs, bool(sources))
        for item, tensor in enumerate(tensors_of(result)):
            token = self.tokens.get(tensor)
            token = self._new_token(tensor) if token is None else token
            call.made[id(token)] = Made(method, sources, again, taken, named, item, origins)
        return result

    def _token(self, tensor: Tensor) -> Tensor:
        token: Tensor = self.tokens.get(tensor, tensor)
        return token

    def _new_token(self, tensor: Tensor) -> Tensor:
        """Return a tensor without numbers that stands for one of the run, which needs not be kept then."""
        token = torch.empty_like(tensor, device="meta") if tensor.dim() else tensor
        self.tokens[tensor] = token
        self.alive.append(token)
        return token

    def _result(self, func: Any, name: str, args: Any, kwargs: Any, depends: bool) -> Any:
        if not self.keeps_all or not depends:
            return func(*args, **kwargs)
        if name == "nonzero":
            return func(torch.ones_like(args[0], dtype=torch.bool))
        if name == "masked_select":
            return func(args[0], torch.ones_like(args[1]))
        if name == "nms":
            return torch.arange(args[0].shape[0], device=args[0].device)
        if _has_mask(name, args):
            return func(args[0], [_all_true(index) for index in args[1]], *args[2:], **kwargs)
        if name in HEAVY:
            like = func(*with_tensors(args, _without_numbers), **with_tensors(kwargs, _without_numbers))
            return torch.zeros(like.shape, dtype=like.dtype, device=args[0].device)
        return func(*args, **kwargs)


def _without_numbers(tensor: Tensor) -> Tensor:
    return tensor.to("meta")


def _is_mask(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype in (torch.bool, torch.uint8)


def _has_mask(name: str, args: Sequence[Any]) -> bool:
    """Return True for `x[mask]`, also where it is written to."""
    return name in MASKED and any(map(_is_mask, args[1]))


def _without_writing(func: Any, name: str) -> Callable[..., Any] | None:
    """Return the operation that gives what another writes into a tensor; itself if it writes into none."""
    if not func._schema.is_mutable:
        return func  # type: ignore[no-any-return]
    packet = getattr(torch.ops.aten, name.rstrip("_"), None)
    return getattr(packet, func._overloadname, None)


def _all_true(index: Any) -> Any:
    return torch.ones_like(index) if _is_mask(index) else index


def _method(part: nn.Module) -> str:
    """Return the function of a module's own file that its `forward` is in; empty if it is in no other."""
    frame: FrameType | None = sys._getframe(2)
    inner = None
    while frame is not None:
        code = frame.f_code
        if code.co_name == "forward" and frame.f_locals.get("self") is part:
            return inner.co_name if inner is not None and inner.co_filename == code.co_filename else ""
        if code.co_name.isidentifier():
            inner = code
        frame = frame.f_back
    return ""
