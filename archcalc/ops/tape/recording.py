"""Runs of programs on a tape: what autograd saves, and what is live at every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from archcalc.arithmetic import product
from archcalc.ops.layout import InputTensors
from archcalc.ops.tape.tape import AFTERWARDS, Tape
from archcalc.ops.tape.tensors import Point, TapeTensor
from archcalc.ops.vocabulary import EarlyGradient, GradientKind, InputGradient, SavedTensors, Workspace, Workspaces
from archcalc.structs import replace


class TapedMemory(NamedTuple):
    """The memory of an operator that ran on a tape."""

    saved: SavedTensors
    forward: tuple[Point, ...]
    afterwards: tuple[Point, ...]
    """Forward, after the module has returned, beside what is saved and the output."""
    backward: tuple[Point, ...]
    """Beside what is saved and the gradient of the output."""
    gives: tuple[tuple[int, int, Point], ...]
    """The numbers of inputs, each with the first point of `backward` after its gradient, and what is live before that
    point."""
    gradients: tuple[InputGradient | None, ...] = ()
    """Where the gradient of each input is; None without one, or if it is a part of another's."""


Recorded = Callable[[InputTensors, bool], TapedMemory]
"""From inputs, and whether it is training, to the memory of a run."""


def record(
    program: Callable[[Tape, Sequence[TapeTensor]], TapeTensor], tensors: InputTensors, training: bool
) -> TapedMemory:
    """Run a program on a tape, forward and, in training, backward."""
    tape = Tape(training)
    known: dict[str, TapeTensor] = {}
    for number, (name, layout, needs) in enumerate(
        zip(tensors.names, tensors.layouts, tensors.needs_gradient, strict=True)
    ):
        if name not in known:
            known[name] = tape.given(product(layout.sizes), number, needs, layout)
    inputs = [
        known.pop(name) if name not in tensors.names[number + 1 :] else known[name]
        for number, name in enumerate(tensors.names)
    ]
    output = program(tape, inputs)
    del inputs
    forward = tuple(point for point in tape.points if point.label != AFTERWARDS)
    left = (tape.elements, tape.bytes, tape.precise)
    afterwards = tuple(_beside(point, *left) for point in tape.points if point.label == AFTERWARDS)
    saved_inputs = tape.saved_inputs()
    tape.hand_over(output)
    saved = SavedTensors(
        inputs=tuple(number in saved_inputs for number in range(len(tensors.layouts))),
        output=tape.saves(output),
        shared=tape.elements,
        shared_bytes=tape.bytes,
        shared_precise=tape.precise,
    )
    tape.backward(output, tensors.gradient)
    backward = tuple(_beside(point, saved.shared, saved.shared_bytes, saved.shared_precise) for point in tape.points)
    gives = tuple(
        (key, number, _beside(point, saved.shared, saved.shared_bytes, saved.shared_precise))
        for key, (number, point) in tape.given_on.items()
    )
    gradients = tuple(
        InputGradient(GradientKind.NEW, leaf.layout, leaf.is_view) if leaf is not None and leaf.is_laid_out else None
        for leaf in map(tape.complete.get, range(len(tensors.layouts)))
    )
    return TapedMemory(saved, forward, afterwards, backward, gives, gradients)


def _beside(point: Point, elements: Any, size: Any, precise: Any) -> Point:
    return point._replace(elements=point.elements - elements, bytes=point.bytes - size, precise=point.precise - precise)


def extended(few: TapedMemory, more: TapedMemory, further: Any) -> TapedMemory:
    """Return the memory of a run with more repetitions, from one with some and one with one more.

    Everything grows by as much with each. Points are the same by their labels; others are those of a repetition in the
    middle, between its neighbors'.
    """

    def grown(left: Any, right: Any) -> Any:
        return left + further * (right - left)

    def points(left: Sequence[Point], right: Sequence[Point]) -> tuple[Point, ...]:
        labels = {point.label for point in left}
        pairs = zip(left, (point for point in right if point.label in labels), strict=True)
        return tuple(
            less._replace(elements=grown(less.elements, greater.elements), bytes=grown(less.bytes, greater.bytes))
            for less, greater in pairs
        )

    saved = replace(few.saved, shared=grown(few.saved.shared, more.saved.shared))
    return TapedMemory(
        saved,
        points(few.forward, more.forward),
        points(few.afterwards, more.afterwards),
        points(few.backward, more.backward),
        (),
    )


def run_once(recorded: Recorded, tensors: InputTensors, training: bool) -> TapedMemory:
    """Return the memory of a run; that of the same operator with tensors alike is known."""
    return _known(
        recorded, tensors._replace(names=tuple(str(tensors.names.index(name)) for name in tensors.names)), training
    )


@lru_cache(maxsize=256)
def _known(recorded: Recorded, tensors: InputTensors, training: bool) -> TapedMemory:
    return recorded(tensors, training)


def workspaces_on_tape(recorded: Recorded, tensors: InputTensors) -> Workspaces:
    """Return the memory that is used at every step."""
    if not any(tensors.needs_gradient) and not (tensors.training and tensors.trains_weights):
        # some kernels ask only whether gradients are enabled
        found = run_once(recorded, tensors, tensors.training)
        forward = _workspaces(found.forward)
        return Workspaces(forward, forward, afterwards=_workspaces(found.afterwards))
    found = run_once(recorded, tensors, True)
    frees: dict[int, int] = {}
    for number, point in enumerate(found.backward):
        for key in point.released:
            frees.setdefault(key, number)
    return Workspaces(
        _workspaces(run_once(recorded, tensors, False).forward),
        _workspaces(found.forward),
        _workspaces(found.backward),
        tuple(frees.items()),
        _workspaces(found.afterwards),
        tuple(EarlyGradient(key, number, _workspace(point), point.released) for key, number, point in found.gives),
    )


def _workspaces(points: Sequence[Point]) -> tuple[Workspace, ...]:
    return tuple(map(_workspace, points))


def _workspace(point: Point) -> Workspace:
    return Workspace(shared=point.elements, shared_bytes=point.bytes, shared_precise=point.precise)
