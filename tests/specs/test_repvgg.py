"""RepVGG as it is deployed."""

import timm
import torch
from timm.utils.model import reparameterize_model
from torch.utils.flop_counter import FlopCounterMode

import archcalc


def test_the_deployed_form_is_the_trained_one_with_fewer_layers():
    """timm joins the branches of each block; the outputs stay, and are those of archcalc's network."""
    torch.manual_seed(0)
    trained = timm.create_model("repvgg_a0").eval().double()
    deployed = reparameterize_model(trained).eval()
    network = archcalc.load("repvgg_a0_deployed", input=(3, 64, 64))
    module = archcalc.build(network).eval().double()
    module.load_state_dict(deployed.state_dict())
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        expected = deployed(images)
    torch.testing.assert_close(module(images), expected, rtol=0, atol=1e-9 * float(expected.abs().max()))
    assert network.analyze(batch=2, convention="torch").totals.flops == counter.get_total_flops()
    torch.testing.assert_close(expected, trained(images), rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_parameters():
    """Ding et al., table 4: 8.30 M, which is not rounded but cut."""
    assert archcalc.load("repvgg_a0_deployed").analyze().totals.params // 10_000 == 830
