"""Reference implementations are built without trained weights, and nothing is downloaded."""

from __future__ import annotations

import re
import socket
import sys

import pytest
import torch

from archcalc.errors import UserError
from archcalc.runtime.reference import reference_module


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """No connection can be made, and no weights lie in a cache."""

    def refuse(*arguments, **keywords):
        raise AssertionError("something is downloaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))


@pytest.mark.parametrize(
    "reference",
    [
        *("torchvision:resnet18", "torchvision:googlenet", "timm:resnet18"),
        *("transformers:GPT2LMHeadModel(n_layer=1)", "transformers:DetrForObjectDetection"),
        *("torchvision:fcn_resnet50", "torchvision:deeplabv3_resnet50", "torchvision:lraspp_mobilenet_v3_large"),
        *("torchvision:r3d_18", "torchvision:s3d", "torchvision:raft_small", "torchvision:quantized_mobilenet_v2"),
        *("torchvision:fasterrcnn_resnet50_fpn", "torchvision:ssd300_vgg16", "torchvision:maskrcnn_resnet50_fpn"),
    ],
)
def test_nothing_is_downloaded(reference, no_network):
    with torch.device("meta"):
        assert any(True for _ in reference_module(reference).parameters())


def test_keywords_are_those_of_the_builder():
    with torch.device("meta"):
        with_aux = reference_module("torchvision:fcn_resnet50(aux_loss=true)").state_dict()
        without = reference_module("torchvision:fcn_resnet50(aux_loss=false, num_classes=5)").state_dict()
        narrow = reference_module("timm:resnet18(num_classes=7, in_chans=1)").state_dict()
    assert any(name.startswith("aux_classifier.") for name in with_aux)
    assert not any(name.startswith("aux_classifier.") for name in without)
    assert without["classifier.4.weight"].shape == (5, 512, 1, 1)
    assert narrow["fc.weight"].shape == (7, 512)
    assert narrow["conv1.weight"].shape == (64, 1, 7, 7)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("keras:resnet50", "help: write torchvision:NAME, timm:NAME or transformers:CLASS"),
        ("torchvision:resnet18(", "help: write torchvision:NAME, timm:NAME or transformers:CLASS"),
        ("timm:hf-hub:somebody/model", "help: write torchvision:NAME, timm:NAME or transformers:CLASS"),
        ("timm:local-dir:/tmp", "help: write torchvision:NAME, timm:NAME or transformers:CLASS"),
        ("torchvision:resnet18(5)", "expected KEYWORD=VALUE in a reference, got '5'"),
        (
            "torchvision:resnet18(weights=DEFAULT)",
            "unsupported keyword 'weights'",
        ),
        ("torchvision:fcn_resnet50(weights_backbone=DEFAULT)", "unsupported keyword 'weights_backbone'"),
        ("timm:resnet18(pretrained=true)", "unsupported keyword 'pretrained'"),
        ("timm:resnet18(checkpoint_path=model.pth)", "unsupported keyword 'checkpoint_path'"),
        ("torchvision:no_such_network", "torchvision:no_such_network cannot be built: Unknown model no_such_network"),
        ("timm:no_such_network", "timm:no_such_network cannot be built"),
        ("torchvision:resnet18(depth=5)", "torchvision:resnet18(depth=5) cannot be built"),
    ],
)
def test_other_references_are_refused(reference, said, no_network):
    with pytest.raises(ValueError, match=re.escape(said)):
        reference_module(reference)


def test_a_class_of_transformers_is_built_from_its_configuration():
    """The keywords set the configuration; GPT-2's transposed layers become linear ones with the same numbers."""
    with torch.device("meta"):
        state = reference_module("transformers:GPT2LMHeadModel(n_layer=2, n_embd=48, n_head=4)").state_dict()
    assert state["transformer.h.1.attn.c_attn.weight"].shape == (3 * 48, 48)
    with pytest.raises(UserError, match="transformers has no model GPT5"):
        reference_module("transformers:GPT5")


def test_a_missing_package_is_said_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"this needs transformers, .*\nhelp: .*archcalc\[transformers\]"):
        reference_module("transformers:BertModel")
