"""BN-Inception against its paper's Figure 5 and the released model's multiply-adds.

Ioffe, Szegedy, *Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift*, 2015.
"""

import pytest

import archcalc

# Figure 5, column output size
OUTPUTS = {
    "conv1": (64, 112, 112),
    "pool1": (64, 56, 56),
    "conv2": (192, 56, 56),
    "pool2": (192, 28, 28),
    "inception3a": (256, 28, 28),
    "inception3b": (320, 28, 28),
    "inception4a": (576, 14, 14),
    "inception4b": (576, 14, 14),
    "inception4c": (576, 14, 14),
    "inception4d": (576, 14, 14),
    "inception5a": (1024, 7, 7),
    "inception5b": (1024, 7, 7),
    "global_pool": (1024, 1, 1),
}


@pytest.fixture(scope="module")
def published():
    """With the pool projections that the column of output sizes needs in 4c and 4d; the figure's own 128 make 608."""
    assert archcalc.load("bn_inception")["inception4c.concat1"].output_shape == (608, 14, 14)
    return archcalc.load("bn_inception", pool_proj_4cd=96)


@pytest.mark.parametrize("module", OUTPUTS)
def test_outputs_of_the_paper(published, module):
    last = [layer for layer in published if f"{layer.name}.".startswith(f"{module}.")][-1]
    assert last.output_shape == OUTPUTS[module]


def test_reductions_of_the_paper(published):
    """Figure 5: 576 and 1024 channels; the maps are halved by the stride 2 that the text gives both modules."""
    assert published["inception3c.concat1"].output_shape == (576, 14, 14)
    assert published["inception4e.concat1"].output_shape == (1024, 7, 7)


@pytest.mark.parametrize(
    ("pool_proj", "macs"),
    # convolutions and fc at 224×224, summed apart from archcalc over the widths of Figure 5, where 4c and 4d have 128
    [(128, 2_032_600_064), (96, 2_018_851_840)],
)
def test_multiply_adds(pool_proj, macs):
    assert archcalc.load("bn_inception", pool_proj_4cd=pool_proj).analyze().totals.macs == macs
