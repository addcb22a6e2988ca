"""Networks that no package has, against modules that are written out here: parameters, multiply-adds and outputs.

Weights go from one to the other in the order of the tensors of one kind and shape.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import archcalc


def matched(state, theirs):
    """A module's tensors under our names: those of one kind and shape in their order."""

    def kinds(tensors):
        found = {}
        for key, tensor in tensors.items():
            found.setdefault((key.rpartition(".")[2], tensor.shape), []).append(key)
        return found

    ours, others = kinds(state), kinds(theirs)
    assert {kind: len(names) for kind, names in ours.items()} == {kind: len(names) for kind, names in others.items()}
    pairs = (pair for kind, names in ours.items() for pair in zip(names, others[kind], strict=True))
    return {own: theirs[other] for own, other in pairs}


class Words(nn.Module):
    """Words, a recurrent layer, and a linear layer: for the last state of each direction, or for every state."""

    def __init__(self, kind, vocab, features, layers, classes, last):
        super().__init__()
        self.embedding = nn.Embedding(vocab, 100)
        self.recurrent = kind(100, features, num_layers=layers, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(2 * features, classes)
        self.last = last

    def forward(self, words):
        states, (final, _) = self.recurrent(self.embedding(words)) if self.last else (self.embedding(words), (0, 0))
        if self.last:
            return self.fc(torch.cat((final[-2], final[-1]), 1))
        return self.fc(self.recurrent(states)[0])


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.encoder = nn.Embedding(15000, 100), nn.GRU(100, 1000, batch_first=True)
        self.target, self.decoder = nn.Embedding(15000, 100), nn.GRU(1100, 1000, batch_first=True)
        self.out = nn.Linear(2100, 15000)

    def forward(self, source, target):
        context = self.encoder(self.source(source))[1][0]
        words = torch.cat((self.target(target), context[:, None].expand(-1, target.shape[1], -1)), -1)
        return self.out(torch.cat((self.decoder(words)[0], words), -1))


def double(before, after):
    return nn.Sequential(nn.Conv2d(before, after, 3), nn.ReLU(), nn.Conv2d(after, after, 3), nn.ReLU())


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [64, 128, 256, 512]
        self.down = nn.ModuleList(double(*pair) for pair in zip([1, *widths], [*widths, 1024], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, 2) for width in widths[::-1])
        self.join = nn.ModuleList(double(2 * width, width) for width in widths[::-1])
        self.head = nn.Conv2d(64, 2, 1)

    def forward(self, x):
        maps = [self.down[0](x)]
        for level in self.down[1:]:
            maps.append(level(functional.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x, skip = up(x), maps.pop()
            cut = (skip.shape[-1] - x.shape[-1]) // 2
            x = join(torch.cat((skip[:, :, cut : cut + x.shape[-2], cut : cut + x.shape[-1]], x), 1))
        return self.head(x)


def generator():
    layers = [nn.ConvTranspose2d(100, 1024, 4, bias=False)]
    for before, after in ((1024, 512), (512, 256), (256, 128), (128, 3)):
        layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, nn.Tanh())


def discriminator():
    layers = [nn.Conv2d(3, 128, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for before, after in ((128, 256), (256, 512), (512, 1024)):
        layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(1024, 1, 4, bias=False), nn.Sigmoid())


def espcn():
    first, second = nn.Conv2d(1, 64, 5, padding=2), nn.Conv2d(64, 32, 3, padding=1)
    return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), nn.Conv2d(32, 9, 3, padding=1), nn.PixelShuffle(3))


class Residual(nn.Module):
    def __init__(self, width, scaling):
        super().__init__()
        self.one, self.two = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.scaling = scaling

    def forward(self, x):
        return x + self.scaling * self.two(self.one(x).relu())


class EDSR(nn.Module):
    def __init__(self, depth, width, scaling):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        body = [Residual(width, scaling) for _ in range(depth)]
        self.body = nn.Sequential(*body, nn.Conv2d(width, width, 3, padding=1))
        ups = [nn.Sequential(nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2)) for _ in range(2)]
        self.tail = nn.Sequential(*ups, nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x):
        x = self.head(x)
        return self.tail(x + self.body(x))


def unit(before, after, kernel=3):
    conv = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.LeakyReLU(0.1))


class YOLOv3Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [3, 16, 32, 64, 128, 256, 512, 1024]
        self.body = nn.ModuleList(unit(*pair) for pair in pairwise(widths))
        self.neck = unit(1024, 256, 1)
        self.coarse = nn.Sequential(unit(256, 512), nn.Conv2d(512, 255, 1))
        self.lateral = unit(256, 128, 1)
        self.fine = nn.Sequential(unit(384, 256), nn.Conv2d(256, 255, 1))

    def forward(self, x):
        for layer in self.body[:5]:
            middle = layer(x)
            x = functional.max_pool2d(middle, 2)
        x = functional.pad(self.body[5](x), (0, 1, 0, 1), value=-torch.inf)
        x = self.neck(self.body[6](functional.max_pool2d(x, 2, 1)))
        up = functional.interpolate(self.lateral(x), scale_factor=2)
        return self.coarse(x), self.fine(torch.cat((up, middle), 1))


PARTS = ((32, 2), (32, 2), (512, 1), (32, 1))
"""Channels and kernels of a layer of WaveNet: filter, gate, skip and residual."""


class WaveNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.causal = nn.Conv1d(256, 32, 2)
        self.dilations = [2**power for power in range(10)] * 3
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.Conv1d(32, width, size, dilation=d if size == 2 else 1) for width, size in PARTS)
            for d in self.dilations
        )
        del self.layers[-1][-1]  # nothing comes after the last layer
        self.post = nn.Sequential(nn.ReLU(), nn.Conv1d(512, 256, 1), nn.ReLU(), nn.Conv1d(256, 256, 1))

    def forward(self, x):
        x = self.causal(functional.pad(x, (1, 0)))
        skips = 0
        for dilation, (tanh, gate, skip, *residual) in zip(self.dilations, self.layers, strict=True):
            past = functional.pad(x, (dilation, 0))
            gated = tanh(past).tanh() * gate(past).sigmoid()
            skips = skips + skip(gated)
            for conv in residual:
                x = x + conv(gated)
        return self.post(skips)


class DDPMBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.one = nn.GroupNorm(32, 128, eps=1e-6), nn.Conv2d(128, 256, 3, padding=1)
        self.time = nn.Linear(512, 256)
        self.norm2, self.two = nn.GroupNorm(32, 256, eps=1e-6), nn.Conv2d(256, 256, 3, padding=1)
        self.shortcut = nn.Conv2d(128, 256, 1)
        self.norm3 = nn.GroupNorm(32, 256, eps=1e-6)
        self.q, self.k, self.v, self.out = (nn.Linear(256, 256) for _ in range(4))

    def forward(self, x, time):
        silu = functional.silu
        inner = self.one(silu(self.norm1(x))) + self.time(silu(time))[:, :, None, None]
        x = self.two(silu(self.norm2(inner))) + self.shortcut(x)
        positions = self.norm3(x).flatten(2).transpose(1, 2)
        weights = (self.q(positions) @ self.k(positions).transpose(1, 2) / 16).softmax(-1)
        return x + self.out(weights @ self.v(positions)).transpose(1, 2).view_as(x)


# Network: module, and the settings and inputs of a small case that is computed.
CASES = {
    "lstm_classifier": (lambda: Words(nn.LSTM, 25000, 256, 2, 2, last=True), {"input": (40,)}),
    "gru_tagger": (lambda: Words(nn.GRU, 20000, 128, 1, 17, last=False), {"input": (50,)}),
    "seq2seq": (Seq2Seq, {}),
    "unet": (UNet, {"input": (1, 188, 204)}),
    "dcgan_generator": (generator, {}),
    "dcgan_discriminator": (discriminator, {}),
    "espcn": (espcn, {}),
    "edsr": (lambda: EDSR(32, 256, 0.1), {"input": (3, 8, 8)}),
    "edsr_baseline": (lambda: EDSR(16, 64, 1), {"input": (3, 12, 10)}),
    "yolov3_tiny": (YOLOv3Tiny, {"input": (3, 96, 64)}),
    "wavenet": (WaveNet, {"input": (256, 50)}),
    "ddpm_block": (DDPMBlock, {}),
}


def inputs(network, batch, **kind):
    for name, shape in network.inputs.items():
        if name in network.indices:
            yield torch.randint(1000, (batch, *shape), device=kind["device"])
        else:
            yield torch.randn(batch, *shape, **kind)


@pytest.mark.parametrize("name", CASES)
def test_parameters_and_multiply_adds(name):
    """By torch's counter; on the meta device, recurrent layers are products that it knows."""
    make, settings = CASES[name]
    network = archcalc.load(name, **settings)
    with torch.device("meta"):
        module = make().eval()
    counted = network.analyze(batch=2, convention="torch")
    assert counted.totals.params == sum(parameter.numel() for parameter in module.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs(network, 2, device="meta"))
    assert counted.totals.flops == counter.get_total_flops()


@pytest.mark.parametrize("name", CASES)
def test_outputs(name):
    torch.manual_seed(0)
    make, settings = CASES[name]
    theirs = make().eval().double()
    network = archcalc.load(name, **settings)
    ours = archcalc.build(network).eval().double()
    ours.load_state_dict(matched(ours.state_dict(), theirs.state_dict()))
    images = tuple(inputs(network, 2, device="cpu", dtype=torch.float64))
    with torch.no_grad():
        for mine, expected in zip(tree_leaves(ours(*images)), tree_leaves(theirs(*images)), strict=True):
            torch.testing.assert_close(mine, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


def test_unet_has_the_maps_of_its_figure():
    """Ronneberger et al., figure 1: sizes after each convolution; section 2: 23 convolutional layers."""
    network = archcalc.load("unet")
    sizes = {"down1": 568, "down2": 280, "down3": 136, "down4": 64, "bottom": 28}
    for name, size in sizes.items():
        assert network[f"{name}.conv2"].output_shape[1:] == (size, size)
    for name, size in {"up4": 52, "up3": 100, "up2": 196, "up1": 388}.items():
        assert network[f"{name}.convs.conv2"].output_shape[1:] == (size, size)
    assert network["head"].output_shape == (2, 388, 388)
    kinds = [layer.op.kind for layer in network.layers]
    assert kinds.count("conv") + kinds.count("conv_transpose") == 23


def test_dcgan_has_the_parameters_of_pytorchs_example():
    """examples/dcgan of PyTorch at its default of 64 channels: 3,576,704 and 2,765,568, counted by hand here."""
    maps = [64, 128, 256, 512]
    inner = sum(16 * small * large for small, large in pairwise(maps))
    norms = 2 * sum(maps)
    generator, discriminator = (
        archcalc.load("dcgan_generator", width=64),
        archcalc.load("dcgan_discriminator", width=64),
    )
    assert generator.analyze().totals.params == 16 * 100 * 512 + inner + 16 * 64 * 3 + norms == 3_576_704
    assert discriminator.analyze().totals.params == 16 * 3 * 64 + inner + 16 * 512 + norms - 128 == 2_765_568


def test_edsr_has_the_parameters_of_its_table():
    """Lim et al., table 1: 1.5 M and 43 M."""
    params = [archcalc.load(name).analyze().totals.params for name in ("edsr_baseline", "edsr")]
    assert [round(count / 1e6, 1) for count in params] == [1.5, 43.1]


def test_yolov3_tiny_is_as_published():
    """The page of the paper: 5.56 billion FLOPs. yolov3-tiny.weights: 35,434,956 bytes, of which 20 are a header."""
    totals = archcalc.load("yolov3_tiny").analyze().totals
    assert int(2 * totals.macs / 1e7) == 556
    counters = sum(layer.op.kind == "batch_norm" for layer in archcalc.load("yolov3_tiny").layers)
    assert 4 * (totals.params + totals.buffers - counters) == 35_434_956 - 20


def test_wavenet_sees_what_its_paper_says():
    """Section 2.1: a block of dilations 1, 2, 4, …, 512 sees 1,024 samples; the causal convolution before adds one."""
    field = archcalc.load("wavenet", stacks=1).analyze()["layer.9.skip"].receptive_field
    assert field.size == (1024 + 1,)
