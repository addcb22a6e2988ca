"""DenseNet against the figures of its paper: Huang, Liu, van der Maaten, Weinberger, CVPR 2017."""

import pytest

import archcalc


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        # Table 1: the names are the numbers of convolutions and linear layers; the blocks given for 264 make one more.
        ("densenet121", 121),
        ("densenet169", 169),
        ("densenet201", 201),
        ("densenet264", 265),
        # Table 2, column "Depth"
        ("densenet40_k12", 40),
        ("densenet100_k12", 100),
        ("densenet100_k24", 100),
        ("densenet_bc100_k12", 100),
        ("densenet_bc250_k24", 250),
        ("densenet_bc190_k40", 190),
    ],
)
def test_depth(name, layers):
    kinds = [layer.op.kind for layer in archcalc.load(name).layers]
    assert kinds.count("conv") + kinds.count("linear") == layers


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        # Table 2, column "Params", for CIFAR-10
        ("densenet40_k12", 1.0),
        ("densenet100_k12", 7.0),
        ("densenet100_k24", 27.2),
        ("densenet_bc100_k12", 0.8),
        ("densenet_bc250_k24", 15.3),
        ("densenet_bc190_k40", 25.6),
    ],
)
def test_parameters_on_cifar(name, millions):
    assert round(archcalc.load(name).analyze().totals.params / 1e6, 1) == millions


def test_parameters_to_the_unit():
    # lectures, recomputed
    assert archcalc.load("densenet_bc100_k12").analyze().totals.params == 769_162
    # Section 4.4: "DenseNet-201 with 20M parameters"
    assert round(archcalc.load("densenet201").analyze().totals.params / 1e6) == 20


@pytest.mark.parametrize("name", ["densenet121", "densenet264"])
def test_maps_are_those_of_table_1(name):
    network = archcalc.load(name)
    # Table 1, column "Output Size"
    sizes = {"conv0": 112, "pool0": 56, "transition1.pool": 28, "transition2.pool": 14, "transition3.pool": 7}
    for layer, side in sizes.items():
        assert network[f"features.{layer}"].output_shape[1:] == (side, side)
    # Section 3, equation 2 and "Growth rate": layer l has k0 + k(l - 1) channels at its input; a transition halves them
    channels = 64
    for stage, depth in enumerate(network.parameters["depths"], start=1):
        channels = channels // 2 if stage > 1 else channels
        assert network[f"features.denseblock{stage}.denselayer1.norm1"].op.x[0] == channels
        channels += 32 * depth
    assert network["classifier"].op.x == (channels,)
