"""Implementations by others that a spec is verified against: `torchvision:resnet50`, `timm:resnet200`.

A reference is a package, a name, and keyword arguments in parentheses, if any::

    reference := ("torchvision" | "timm") ":" name [ "(" keyword "=" value { "," keyword "=" value } ")" ]
    value     := "true" | "false" | "none" | number | word

It is built with random weights, and nothing is ever downloaded: weights are neither asked for nor can be.
"""

from __future__ import annotations

import inspect
import re
from contextlib import suppress
from typing import Any

from torch import nn

from archcalc.errors import UserError
from archcalc.requirements import need, need_torchvision

_REFERENCE = re.compile(r"(torchvision|timm):([\w.-]+)(?:\(([^()]*)\))?")
_CONSTANTS = {"true": True, "false": False, "none": None}
_OF_WEIGHTS = ("weights", "pretrained", "checkpoint")
"""How keywords begin that load trained weights, from the network or from a file."""
_WITHOUT_INITIALIZATION = {"googlenet", "inception_v3"}
"""Networks whose own initialization takes many seconds, and can be left out."""


def reference_module(reference: str) -> nn.Module:
    """Build the implementation that a reference names.

    Raises `UserError` for a reference of another form, an unknown name or keyword, and one that asks for trained
    weights; `MissingExtra` where its package is not installed.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UserError(
            f"a reference is torchvision:NAME or timm:NAME, or either with (KEYWORD=VALUE, …), not {reference}"
        )
    package, name, text = match.groups()
    keywords = _keywords(text or "")
    try:
        module: nn.Module = _torchvision(name, keywords) if package == "torchvision" else _timm(name, keywords)
    except NotImplementedError:  # the device cannot do it, not the reference: some builders compute with tensors
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{reference} cannot be built: {str(error).strip() or type(error).__name__}") from error
    return module


def _torchvision(name: str, keywords: dict[str, Any]) -> nn.Module:
    need_torchvision()
    from torchvision.models import get_model_builder

    builder = get_model_builder(name)
    # A detector or a segmentation network would otherwise download its backbone's weights.
    known = inspect.signature(builder).parameters
    without = {keyword: None for keyword in ("weights", "weights_backbone") if keyword in known}
    if name in _WITHOUT_INITIALIZATION:
        keywords = {"init_weights": False, **keywords}
    module: nn.Module = builder(**without, **keywords)
    return module


def _timm(name: str, keywords: dict[str, Any]) -> nn.Module:
    module: nn.Module = need("timm", "dev").create_model(name, pretrained=False, **keywords)
    return module


def _keywords(text: str) -> dict[str, Any]:
    keywords = {}
    for part in filter(None, map(str.strip, text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key.isidentifier():
            raise UserError(f"a reference's keywords are written KEYWORD=VALUE, not {part}")
        if key.startswith(_OF_WEIGHTS):
            raise UserError(f"a reference is built without trained weights, so it takes no {key}")
        keywords[key] = _value(value)
    return keywords


def _value(text: str) -> Any:
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text.strip("'\"")
