"""Implementations by others that a spec is proved against: `torchvision:resnet50`, `timm:resnet200`."""

from __future__ import annotations

from typing import Any

from torch import nn

from archcalc.runtime.requirements import need, need_torchvision

WITHOUT_INITIALIZATION = {"googlenet", "inception_v3"}
"""Networks whose own initialization takes many seconds, and can be left out."""


def reference_module(reference: str) -> nn.Module:
    """The implementation, with random weights; nothing is downloaded.

    Raises `MissingExtra` where its package is not installed, and `ValueError` for a reference of another form.
    """
    package, _, name = reference.partition(":")
    module: nn.Module
    if package == "torchvision":
        need_torchvision()
        from torchvision.models import get_model

        settings: dict[str, Any] = {"init_weights": False} if name in WITHOUT_INITIALIZATION else {}
        module = get_model(name, weights=None, **settings)
    elif package == "timm":
        module = need("timm", "dev").create_model(name, pretrained=False)
    else:
        raise ValueError(f"a reference is torchvision:NAME or timm:NAME, not {reference}")
    return module
