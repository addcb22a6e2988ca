"""The built module: the spec's names, the spec's function."""

from __future__ import annotations

import pytest
import torch

import archcalc
from tests.bundled import every_network


def test_torchvisions_weights_load_strictly():
    import torchvision

    module = archcalc.build("resnet18")
    module.load_state_dict(torchvision.models.resnet18(weights=None).state_dict(), strict=True)


def test_it_trains():
    torch.manual_seed(0)
    module = archcalc.build("lenet5_relu")
    images, labels = torch.randn(16, 1, 28, 28), torch.randint(0, 10, (16,))
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_it_exports():
    module = archcalc.build("squeezenet1_1", input=(3, 64, 64)).eval()
    image = (torch.randn(2, 3, 64, 64),)
    exported = torch.export.export(module, image).module()
    assert torch.equal(exported(*image), module(*image))


def test_shared_layers_are_one_module():
    text = "input: [8, 16]\nlayers: [{conv: 8, kernel: 3, padding: 1, name: a}, {share: a, name: b}]\n"
    module = archcalc.build(archcalc.loads(text))
    assert set(module.state_dict()) == {"a.weight", "a.bias"}
    x = torch.randn(1, 8, 16)
    assert torch.equal(module(x), module.a(module.a(x)))


def test_tied_weights_are_one_parameter_under_both_names():
    """As a tied head of transformers: both names in the state dict, and one parameter."""
    text = "input: [5]\nlayers: [{embedding: 4, entries: 9, name: wte}, {linear: 9, name: head, weight: wte}]\n"
    module = archcalc.build(archcalc.loads(text))
    assert list(module.state_dict()) == ["wte.weight", "head.weight", "head.bias"]
    assert [name for name, _ in module.named_parameters()] == ["wte.weight", "head.bias"]
    other = archcalc.build(archcalc.loads(text))
    other.load_state_dict(module.state_dict(), strict=True)
    indices = torch.randint(9, (2, 5))
    assert torch.equal(other(indices), module(indices))
    table = module.wte.weight
    assert torch.allclose(module(indices), table[indices] @ table.T + module.head.bias)


def test_several_inputs_and_outputs():
    text = (
        "inputs: {image: [3, 8, 8], depth: [1, 8, 8]}\noutputs: [both, one]\nlayers:\n"
        "  - {concat, from: [image, depth], name: both}\n  - {conv: 2, kernel: 1, name: one}\n"
    )
    module = archcalc.build(archcalc.loads(text))
    both, one = module(torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8))
    assert (both.shape, one.shape) == ((2, 4, 8, 8), (2, 2, 8, 8))


def test_what_exists_only_in_training_is_left_out():
    text = "input: [8]\nlayers: [{linear: 8, name: a}, {linear: 8, train: true, name: extra}, {linear: 4, name: b}]\n"
    module = archcalc.build(archcalc.loads(text))
    assert set(module.state_dict()) == {"a.weight", "a.bias", "b.weight", "b.bias"}
    x = torch.randn(3, 8)
    assert torch.equal(module(x), module.b(module.a(x)))


def test_a_training_step_cannot_change_the_main_paths_shape():
    text = "input: [8]\nlayers: [{linear: 9, train: true}, {linear: 4}]\n"
    with pytest.raises(archcalc.SpecError, match="exists only in training must keep the shape"):
        archcalc.loads(text)


def test_stochastic_depth_keeps_the_mean():
    module = archcalc.build(archcalc.loads("input: [1]\nlayers: [{stochastic_depth: 0.25}]\n")).train()
    torch.manual_seed(0)
    assert module(torch.ones(20000, 1)).mean().item() == pytest.approx(1, abs=0.02)


def test_names_that_python_has_no_identifiers_for():
    text = 'input: [4]\nlayers: [{linear: 4, name: "<script>"}, {linear: 4, name: 0}, {linear: 4, name: "a b"}]\n'
    module = archcalc.build(archcalc.loads(text))
    assert set(dict(module.named_children())) == {"<script>", "0", "a b"}
    assert module(torch.zeros(1, 4)).shape == (1, 4)


def test_a_name_that_pytorch_has_taken_is_said():
    network = archcalc.loads("input: [4]\nlayers: [{linear: 4, name: double}]\n")
    with pytest.raises(ValueError, match="cannot have a module called double"):
        archcalc.build(network)


@pytest.mark.slow
def test_every_bundled_network_can_be_built():
    for _, network in every_network():
        with torch.device("meta"):
            module = archcalc.build(network)
        totals = network.analyze().totals
        assert sum(tensor.numel() for tensor in module.parameters()) == totals.params


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_a_convolution_whose_sides_differ_pads_by_its_mode(mode):
    """One position before and two after, against padding and convolution by themselves."""
    network = archcalc.loads(
        f"input: [2, 9]\nlayers: [{{conv: 3, kernel: 4, padding: [[1, 2]], padding_mode: {mode}, name: it}}]\n"
    )
    module, x = archcalc.build(network), torch.randn(2, 2, 9)
    padded = torch.nn.functional.pad(x, (1, 2), "constant" if mode == "zeros" else mode)
    assert torch.equal(module(x), torch.nn.functional.conv1d(padded, module.it.weight, module.it.bias))
