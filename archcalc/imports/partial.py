"""A module that PyTorch cannot export whole, exported without the code that its numbers decide.

The module is run once. Where numbers decide what the own code of a module in it does, that code is left out of the
export: the modules that it calls are called as they were in the run, and a tensor between them is the result of a
stand-in, which becomes an opaque layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from archcalc.errors import UserError
from archcalc.imports.batch import BATCH
from archcalc.imports.exporting import export
from archcalc.imports.quiet import quiet
from archcalc.imports.recording import Forward, Made, Recording, Run, in_mode, record, tensors_of, with_tensors, wrapped
from archcalc.network import Network

MOST_TRIES = 6
"""Exports after which it is given up: each leaves out one module more."""


@dataclass
class OmittedCode:
    """Code that an export leaves out, and what it makes."""

    name: str
    """Of its layer."""
    parameters: list[str] = field(default_factory=list)
    """Those of its module that no called module has."""


@dataclass
class Partial:
    """An export with stand-ins."""

    program: Any
    unknown: Mapping[str, OmittedCode]
    """The last argument of a stand-in to what it stands for."""
    reasons: Mapping[str, str]
    """Path of each module whose own code is left out, to the reason."""


@torch.library.custom_op("archcalc::unknown", mutates_args=())
def unknown(tensors: Sequence[Tensor], sizes: Sequence[int], dtype: torch.dtype, key: str) -> Tensor:
    """Stand for code that is left out."""
    raise NotImplementedError


@unknown.register_fake
def _(tensors: Sequence[Tensor], sizes: Sequence[int], dtype: torch.dtype, key: str) -> Tensor:
    return torch.empty(list(sizes), dtype=dtype, device=tensors[0].device)


RESHAPING = frozenset([torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default, torch.ops.aten.expand.default])
"""Operations whose arguments are the sizes of what they give."""
STAND_IN = torch.ops.archcalc.unknown.default


def export_partially(
    module: nn.Module, inputs: Sequence[Any], keywords: Mapping[str, Any], keeps_all: bool = False
) -> Partial | None:
    """Return the export of what can be exported; None if that is nothing.

    Args:
        module: it is run once, in evaluation mode, on these numbers.
        inputs: with a batch.
        keywords: inputs by name.
        keeps_all: as `record`.

    Raises:
        UserError: if it cannot be run, and ``keeps_all`` is true.
    """
    try:
        with in_mode(module, training=False), quiet():
            positional, named = tree_map_only(Tensor, lambda tensor: tensor[:1], (list(inputs), dict(keywords)))
            recording = record(module, positional, named, keeps_all)
    except (Exception, SystemExit) as error:  # the module's own code: it may be on the meta device
        if keeps_all:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise UserError(f"{type(module).__name__} cannot be run once: {reason[:300]}") from error
        return None
    broken = dict(recording.reasons)
    for _ in range(MOST_TRIES):
        without = _Without(module, recording, broken)
        try:
            with wrapped(module, without.around):
                program = export(module, inputs, keywords)
        except UserError as error:
            path = without.failed
            if path is None or path in broken:
                return None
            broken[path] = str(error).partition(": ")[2]
            continue
        return Partial(program, without.unknown, broken)
    return None


class _Without:
    """Runs modules for an export, some of them without their own code."""

    def __init__(self, module: nn.Module, recording: Recording, broken: Mapping[str, str]) -> None:
        self.modules = dict(module.named_modules(remove_duplicate=False))
        self.stored = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
        self.recording = recording
        self.broken = broken
        self.unknown: dict[str, OmittedCode] = {}
        self.calls: Counter[str] = Counter()
        self.failed: str | None = None
        """Path of the innermost module in which the export failed."""

    def around(self, path: str, part: nn.Module, forward: Forward) -> Forward:
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                if path in self.broken:
                    call = self.recording.runs[path][self.calls[path]]
                    self.calls[path] += 1
                    return self._again(call, args, kwargs)
                return forward(*args, **kwargs)
            except (Exception, SystemExit):
                self.failed = path if self.failed is None else self.failed
                raise

        return run

    def _again(self, call: Run, args: Any, kwargs: Any) -> Any:
        """Call what a call called, and return what it returned, with the tensors of the export."""
        now: dict[int, Tensor] = dict(_pairs((call.args, call.kwargs), (args, kwargs)))
        stand_in = _StandIns(self, call, now)
        for child in call.children:
            stand_in.origins = child.origins
            given, named = with_tensors((child.args, child.kwargs), stand_in)
            now.update(_pairs(child.result, self.modules[child.path](*given, **named)))
        stand_in.origins = call.returned
        # The largest comes first: its layer stands for all that is made together.
        largest = sorted(tensors_of(call.result), key=lambda tensor: -tensor.numel())
        for tensor in largest:
            stand_in(tensor)
        if largest and not stand_in.has_parameters:  # nothing else shows that numbers decide what it calls
            stand_in.decide(largest[0])
        return with_tensors(call.result, stand_in)

    def parameters(self, call: Run) -> list[str]:
        """Return the parameters of a module without those of the modules that it calls; of its first call alone."""
        if self.calls[call.path] > 1:
            return []
        called = tuple(f"{child.path}." for run in self.recording.runs[call.path] for child in run.children)
        start = f"{call.path}." if call.path else ""
        names = [f"{start}{name}" for name, _ in self.modules[call.path].named_parameters()]
        return [name for name in names if not name.startswith(called)]


class _StandIns:
    """Returns, in the place of a tensor of the run, that of the export."""

    def __init__(self, export: _Without, call: Run, now: dict[int, Tensor]) -> None:
        self.export = export
        self.call = call
        self.now = now
        self.origins: Mapping[int, Made] = {}
        self.done: dict[tuple[int, int], Tensor] = {}
        self.has_parameters = False
        """True once a stand-in has the parameters of the module."""

    def __call__(self, tensor: Tensor) -> Tensor:
        made = self.origins.get(id(tensor))
        return self._of(tensor, made)

    def _of(self, tensor: Tensor, made: Made | None) -> Tensor:
        if made is None:
            return self.now.get(id(tensor), tensor)
        if tensor.dim() == 0:
            return tensor
        key = id(tensor), id(made)
        if key not in self.done:
            again = None if self.export.recording.keeps_all or not self.call.children else self._called(tensor, made)
            self.done[key] = self.unknown(tensor, made) if again is None else again
        return self.done[key]

    def _called(self, tensor: Tensor, made: Made) -> Tensor | None:
        """Return what an operation gives in the export; None if it cannot be called as it was in the run."""
        if made.operation is None or not made.sources:
            return None
        sizes = [tensor.shape[0] * BATCH, *tensor.shape[1:]]
        args, kwargs = with_tensors(
            (made.args, made.kwargs), lambda source: self._of(source, made.origins.get(id(source)))
        )
        if made.operation in RESHAPING:
            args = (args[0], sizes)
        try:
            results = list(tensors_of(made.operation(*args, **kwargs)))
        except Exception:  # sizes of one sample among its arguments
            return None
        result = results[made.item]
        return result if list(result.shape) == sizes and result.dtype == tensor.dtype else None

    def decide(self, tensor: Tensor) -> None:
        """Put a stand-in behind what a module returns."""
        now = self(tensor)
        if tensor.dim():
            result = self.unknown(tensor, Made("", {0: tensor}, None, (), {}, 0, {}), [now])
            self.now[id(tensor)] = result
            self.origins = {key: made for key, made in self.origins.items() if key != id(tensor)}

    def unknown(self, tensor: Tensor, made: Made, sources: Sequence[Tensor] = ()) -> Tensor:
        """Return what stands for a tensor, and has the sizes that it has in the run."""
        call, found = self.call, self.export.unknown
        name = ".".join(filter(None, (call.path, made.method if call.children else "")))
        if call.children and not made.method:
            name = f"{name}.decided".lstrip(".")
        key = f"{name}#{self.export.calls[call.path]}"
        if key not in found:
            found[key] = OmittedCode(name, [] if self.has_parameters else self.export.parameters(call))
            self.has_parameters = True
        sources = (
            sources or [self.now[source] for source in made.sources if source in self.now] or list(self.now.values())
        )
        sizes = [tensor.shape[0] * BATCH, *tensor.shape[1:]]
        result: Tensor = unknown(sources, sizes, tensor.dtype, key)
        return result


def notes_of(network: Network, partial: Partial, keeps_all: bool) -> str:
    """Return what a reader of a network must know that was exported partially."""
    why = ", ".join(f"{path or network.name} ({reason})" for path, reason in partial.reasons.items())
    notes = [
        f"PyTorch cannot export all of {network.name}. What these do outside of the modules in them is opaque: {why}."
    ]
    if not keeps_all:
        return f"{notes[0]} Which modules they call, and all sizes, are those of one run."
    notes.append("The input is the scaled image: scaling and normalizing are left out.")
    left_out = {found.name for found in partial.unknown.values()}
    taken = {source for layer in network for source in layer.inputs}
    kept: dict[int, str] = {}
    for layer in network:
        if layer.name in left_out & taken:
            kept.setdefault(layer.output_shape[0], layer.name)
    if kept:
        boxes = ", ".join(f"{count:,} from {name}" for count, name in kept.items())
        notes.append(f"Layers behind boxes are counted for as many as may be kept: {boxes}.")
    return " ".join(notes)


def _pairs(before: Any, now: Any) -> Iterator[tuple[int, Tensor]]:
    """Yield the tensors of an export by those of the run in the same places."""
    yield from zip(map(id, tensors_of(before)), tensors_of(now), strict=False)
