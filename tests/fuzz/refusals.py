"""What archcalc refuses, PyTorch refuses too; but for what is listed here, with its reason."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from hypothesis import strategies as st

from archcalc.arithmetic import Shape, ShapeError
from archcalc.network import Layer, Network
from archcalc.ops.arguments import BadArgument
from archcalc.ops.operator import Operator
from archcalc.runtime.building import build_module
from tests.fuzz.drawing import Draw, Drawing, plain

BATCH = 2
ON_PURPOSE = {
    "max_unpool takes what was pooled": "numbers would be put at other places than they were taken from",
    "unfold needs [C, H, W]": "PyTorch takes the batch for channels",
    "are not the": "Python's slices are cut at the end of an axis",
    "rotary turns pairs": "the module is archcalc's, and leaves a number out",
    "rotary needs": "of inputs with one axis, PyTorch takes the batch for positions",
    "swiglu halves an axis": "the module is archcalc's, and repeats an axis of size 1",
    "einsum's axis": "PyTorch repeats an axis of size 1",
    "blur_pool needs": "PyTorch takes the batch for channels",
    "matmul cannot multiply": "PyTorch takes the batch for rows",
    "the interval is empty": "torch.clamp then gives the upper end everywhere",
    "sizes must be above 0": "a tensor without axes is not a step's output",
    "are not inside an axis": "Python's slices are cut there, or empty",
    "there is no chunk": "Python counts from the end",
    "there is no part": "Python counts from the end",
    "divide an axis of": "torch.chunk makes a last part that is smaller",
    "needs indices [L]": "a table of tables is no sequence",
    "attention needs queries": "of inputs with one axis, PyTorch takes the batch for tokens",
    "circular cannot cut": "PyTorch cuts first, and wraps what is left",
    "is over one axis or more": "PyTorch takes no axis for all of them, the batch too",
    "padding same needs stride 1": "PyTorch says so, but has it already been made numbers",
}
"""A part of the message, and why it is refused though PyTorch might run it."""


NOT_ASKED = (
    *("is not one of", "has no"),  # counted around, without the check
    "needs either scale or size",  # one is then left out
)
"""Where an operator without its checks would ask PyTorch for something else than it was given."""


@contextmanager
def unchecked() -> Iterator[None]:
    """Operators that can be made with inputs and arguments that they refuse."""
    modules = [module for name, module in sys.modules.items() if name.startswith("archcalc.ops")]
    patches = [patch.object(module, "require", lambda *_: None) for module in modules if hasattr(module, "require")]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


Application = tuple[type[Operator], list[Shape], dict[str, Any]]


@st.composite
def applications(draw: Draw) -> Application:
    """Any operator with arguments that may not fit, at one of its examples' inputs or at random ones."""
    drawing = Drawing(draw)
    kind = drawing.operators[drawing.pick(drawing.operators)]
    shapes = [tuple(min(size, 12) for size in shape) for shape in drawing.pick(kind.examples).inputs]
    if drawing.chance(2):
        rank = drawing.number(0, 4)
        shapes = [tuple(drawing.number(1, 7) for _ in range(rank)) for _ in range(max(kind.least_inputs, 1))]
    return kind, shapes, {name: plain(value) for name, value in drawing.arguments(kind, shapes[0]).items()}


def refusal_of(kind: type[Operator], shapes: Sequence[Shape], given: dict[str, Any]) -> ShapeError | None:
    """Why archcalc refuses an application; None where it takes it."""
    try:
        kind(shapes, **given)
    except ShapeError as refusal:
        return refusal
    return None


def runs_in_torch(kind: type[Operator], shapes: Sequence[Shape], given: dict[str, Any]) -> bool | None:
    """Whether PyTorch runs an application that archcalc refuses; None where there is none to run."""
    names = tuple(f"x{number}" for number in range(len(shapes)))
    try:
        with unchecked():
            op = kind(shapes, **given)
            network = Network("refused", dict(zip(names, shapes, strict=True)), (Layer("it", op, names),), ("it",))
            module = build_module(network).eval()
    except Exception:  # no application: a size that is none, an argument of no meaning
        return None
    dtype = torch.long if op.takes_indices else torch.float32
    try:
        with torch.no_grad():
            inputs = (torch.zeros(BATCH, *shape, dtype=dtype) for shape in shapes)
            output = type(module).forward(module, *inputs)  # not by its call, which prints what fails
    except Exception:
        return False
    return output.numel() > 0


def check_refused(application: Application) -> bool | None:
    """`AssertionError` if PyTorch runs what archcalc refuses, and not on purpose.

    Else whether PyTorch refused it too; None where archcalc takes it, or PyTorch could not be asked.
    """
    kind, shapes, given = application
    refusal = refusal_of(kind, shapes, given)
    if refusal is None or isinstance(refusal, BadArgument):
        return None
    if any(part in str(refusal) for part in (*ON_PURPOSE, *NOT_ASKED)):
        return None
    runs = runs_in_torch(kind, shapes, given)
    assert not runs, f"{kind.kind} {shapes} {given}: refused ({refusal}), but PyTorch runs it"
    return None if runs is None else True
