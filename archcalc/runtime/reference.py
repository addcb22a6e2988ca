"""Reference implementations that a spec is verified against: `torchvision:resnet50`, `timm:resnet200`.

Of transformers, the name is that of a class, and the keywords set its configuration:
`transformers:LlamaForCausalLM(num_hidden_layers=22)`.

Grammar::

    reference := package ":" name [ "(" keyword "=" value { "," keyword "=" value } ")" ]
    package   := "torchvision" | "timm" | "transformers"
    value     := "true" | "false" | "none" | number | word

A reference is built with random weights. Keywords that load weights are refused, so nothing is downloaded.
"""

from __future__ import annotations

import inspect
import re
from contextlib import suppress
from typing import Any

from torch import nn

from archcalc.errors import UserError
from archcalc.requirements import need, need_torchvision
from archcalc.words import help_line, quote

_REFERENCE = re.compile(r"(torchvision|timm|transformers):([\w.-]+)(?:\(([^()]*)\))?")
_CONSTANTS = {"true": True, "false": False, "none": None}
_OF_WEIGHTS = ("weights", "pretrained", "checkpoint")
"""Beginnings of keywords that load weights."""
_WITHOUT_INITIALIZATION = {"googlenet", "inception_v3"}
"""Networks whose initialization takes many seconds and can be skipped."""


def reference_module(reference: str) -> nn.Module:
    """Build a reference implementation with random weights.

    Raises:
        UserError: for an invalid reference, an unknown name or keyword, or a keyword that loads weights.
        MissingExtra: if its package is not installed.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UserError(
            f"invalid reference {quote(reference)}"
            + help_line("write torchvision:NAME, timm:NAME or transformers:CLASS, with (KEYWORD=VALUE, …) if needed")
        )
    package, name, text = match.groups()
    keywords = _keywords(text or "")
    build = {"torchvision": _torchvision, "timm": _timm, "transformers": _transformers}[package]
    try:
        module = build(name, keywords)
    except NotImplementedError:  # a limit of the device: some builders compute with tensors
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{reference} cannot be built: {str(error).strip() or type(error).__name__}") from error
    return module


def _torchvision(name: str, keywords: dict[str, Any]) -> nn.Module:
    need_torchvision()
    from torchvision.models import get_model_builder

    builder = get_model_builder(name)
    # Detectors and segmentation networks download the weights of their backbone by default.
    known = inspect.signature(builder).parameters
    without = {keyword: None for keyword in ("weights", "weights_backbone") if keyword in known}
    if name in _WITHOUT_INITIALIZATION:
        keywords = {"init_weights": False, **keywords}
    module: nn.Module = builder(**without, **keywords)
    return module


def _timm(name: str, keywords: dict[str, Any]) -> nn.Module:
    module: nn.Module = need("timm", "dev").create_model(name, pretrained=False, **keywords)
    return module


def _transformers(name: str, keywords: dict[str, Any]) -> nn.Module:
    """Build from a configuration alone, which needs neither weights nor a connection.

    `Conv1D`, a linear layer that stores its weights transposed, becomes a linear layer.
    """
    package = need("transformers", "dev")
    family: Any = getattr(package, name, None)
    if getattr(family, "config_class", None) is None:
        raise ValueError(f"transformers has no model {name}")
    module: nn.Module = family(family.config_class(use_cache=False, **keywords))
    stored_transposed = need("transformers.pytorch_utils", "dev").Conv1D
    for path, inner in list(module.named_modules()):
        if isinstance(inner, stored_transposed):
            features, width = inner.weight.shape
            linear = nn.Linear(features, width, device="meta")
            linear.weight = nn.Parameter(inner.weight.detach().T.contiguous())
            linear.bias = inner.bias
            module.set_submodule(path, linear)
    return module


def _keywords(text: str) -> dict[str, Any]:
    keywords = {}
    for part in filter(None, map(str.strip, text.split(","))):
        key, equals, value = map(str.strip, part.partition("="))
        if not equals or not key.isidentifier():
            raise UserError(f"expected KEYWORD=VALUE in a reference, got {quote(part)}")
        if key.startswith(_OF_WEIGHTS):
            raise UserError(f"unsupported keyword {quote(key)}: a reference is built without trained weights")
        keywords[key] = _value(value)
    return keywords


def _value(text: str) -> Any:
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text.strip("'\"")
