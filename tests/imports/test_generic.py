"""Operations without an operator: their multiply-adds by hand, or a mark that they are not known."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

import archcalc
from archcalc.render.folding import folded_spec


class _Calls(nn.Module):
    def __init__(self, function, *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(torch.randn(shape) for shape in shapes)

    def forward(self, *tensors):
        return self.function(*tensors, *self.weights)


def _boxes_of_first(x, boxes):
    """Samples between pixels, which multiplies nothing by weights."""
    numbered = torch.cat([torch.zeros(5, 1), boxes.reshape(-1, 4)[:5]], dim=1)
    return torchvision.ops.roi_align(x, numbered, 7)


@pytest.mark.parametrize(
    ("module", "shapes", "macs"),
    [
        (nn.Bilinear(8, 6, 5), [(8,), (6,)], 5 * 8 * 6),
        (_Calls(torch.cdist), [(7, 3), (5, 3)], 7 * 5 * 3),
        (_Calls(_boxes_of_first), [(3, 32, 32), (5, 4)], 0),
        (torchvision.ops.DeformConv2d(3, 4, 3, padding=1), [(3, 8, 8), (18, 8, 8)], 64 * 4 * 3 * 9),
    ],
)
def test_multiply_adds(module, shapes, macs):
    analysis = archcalc.trace(module, *(torch.randn(1, *shape) for shape in shapes)).analyze()
    assert analysis.totals.macs == macs
    assert analysis.unknown_work == ()


@pytest.mark.parametrize(
    ("module", "shape", "least"),
    [
        (_Calls(torch.linalg.inv), (4, 4), 0),
        (_Calls(lambda x, a, b: torch.linalg.multi_dot([x, a, b]), (6, 5), (5, 3)), (6,), 6 * 3),
    ],
)
def test_what_is_not_known_is_a_lower_bound(module, shape, least):
    """PyTorch chooses the order of a chain of products by the batch."""
    network = archcalc.trace(module, torch.randn(1, *shape))
    analysis = network.analyze()
    assert analysis.totals.macs == least
    assert len(analysis.unknown_work) == 1
    assert "≥" in str(analysis)
    assert archcalc.loads(folded_spec(network)).analyze().unknown_work == analysis.unknown_work
