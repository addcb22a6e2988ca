"""The number of pooling windows against PyTorch."""

from __future__ import annotations

import itertools

import pytest
import torch

import archcalc
from archcalc import SpecError
from archcalc.analysis import Counting
from archcalc.arithmetic import ShapeError
from archcalc.language.family import SpecFamily
from archcalc.language.language import Spec
from archcalc.language.source import SpecDocument
from archcalc.ops import registry
from archcalc.symbolic.formulas import formulas

SIZES, KERNELS, STRIDES, PADDINGS, DILATIONS = range(1, 9), (1, 2, 3, 5), (1, 2, 3, 4), (0, 1, 2), (1, 2, 3)


def torchs(name: str, shape: tuple[int, ...], **arguments) -> tuple[int, ...] | None:
    """PyTorch's output shape; None if it raises an error."""
    try:
        return tuple(getattr(torch.nn, name)(**arguments)(torch.zeros(1, *shape)).shape[1:])
    except RuntimeError:
        return None


def ours(kind: str, shape: tuple[int, ...], **arguments) -> tuple[int, ...] | None:
    try:
        return registry()[kind]([shape], **arguments).output
    except ShapeError:
        return None


@pytest.mark.parametrize(("kind", "name"), [("max_pool", "MaxPool"), ("avg_pool", "AvgPool")])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_window_that_pytorch_has(kind, name, rank):
    dilations = DILATIONS if kind == "max_pool" else (1,)
    different = []
    for size, k, s, p, d, up in itertools.product(SIZES, KERNELS, STRIDES, PADDINGS, dilations, (False, True)):
        shape, dilated = (1,) + (size,) * rank, {"dilation": d} if d > 1 else {}
        theirs = torchs(f"{name}{rank}d", shape, kernel_size=k, stride=s, padding=p, ceil_mode=up, **dilated)
        if ours(kind, shape, kernel=k, stride=s, padding=p, ceil_mode=up, **dilated) != theirs:
            different.append((size, k, s, p, d, up, theirs))
    assert different == []


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_squeezenet_of_images_as_small_as_they_can_be(name):
    from torchvision import models

    features = getattr(models, name)(weights=None).eval().features.to("meta")
    for side in range(7, 40):
        try:
            theirs = tuple(features(torch.zeros(1, 3, side, side, device="meta")).shape[1:])
        except RuntimeError:
            with pytest.raises(SpecError):
                archcalc.load(name, input=(3, side, side))
            continue
        network = archcalc.load(name, input=(3, side, side))
        last = [layer for layer in network if layer.name.startswith("features")][-1]
        assert last.output_shape == theirs, side


def test_the_closed_form_of_a_rounded_up_pooling():
    text = "input: [1, 9, 9]\nlayers: [{avg_pool: 3, stride: 2, padding: 1, ceil_mode: true}]\n"
    spec = Spec(SpecDocument(text, "t.yaml"), lambda *_: None)
    found = formulas(SpecFamily(spec, None, {}, None, {"H": "H"}), ("memory",), Counting(convention="full"))
    for side in range(1, 30):
        shape = torchs("AvgPool2d", (1, side, side), kernel_size=3, stride=2, padding=1, ceil_mode=True)
        assert (shape is not None) == found.holds(H=side)
        if shape is not None:
            assert found.evaluate("memory", H=side) == 4 * shape[1] * shape[2]
