"""Models of torchvision, timm and transformers as PyTorch modules with random weights, and their usual inputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from archcalc.arithmetic import Shape
from archcalc.errors import UserError
from archcalc.imports.detectors import image_shape, is_detector
from archcalc.imports.model_ids import known_ids
from archcalc.imports.references import PackageModel
from archcalc.requirements import need, need_torchvision
from archcalc.words import did_you_mean, help_line, nearest, quote

_WITHOUT_INITIALIZATION = {"googlenet", "inception_v3"}
"""Networks whose initialization takes many seconds and can be skipped."""
USUAL_FRAMES = 16
"""Frames of a video, unless a model needs more."""
USUAL_TOKENS = 128
"""Tokens of a text."""


def package_module(model: PackageModel) -> nn.Module:
    """Build a model with random weights; nothing is downloaded.

    Raises:
        UserError: for an unknown name or keyword.
        MissingExtra: if its package is not installed.
    """
    build = {"torchvision": _torchvision, "timm": _timm, "transformers": _transformers}[model.package]
    try:
        return build(model.name, model.keywords)
    except (NotImplementedError, UserError):  # a limit of the device: some builders compute with tensors
        raise
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{model.text} cannot be built: {str(error).strip() or type(error).__name__}") from error


def usual_inputs(model: PackageModel, module: nn.Module) -> Mapping[str, Shape]:
    """Return the shapes, per sample, of the inputs that a model is usually given; empty if it is not known."""
    if model.package == "torchvision":
        return _inputs_of_torchvision(model, module)
    if model.package == "timm":
        return _inputs_of_timm(model, module)
    return _inputs_of_transformers(module)


def _torchvision(name: str, keywords: Mapping[str, Any]) -> nn.Module:
    need_torchvision()
    from torchvision.models import get_model_builder, list_models

    try:
        builder = get_model_builder(name)
    except ValueError as error:
        raise ValueError(f"{error}{did_you_mean(name, list_models())}") from None
    # Detectors and segmentation networks download the weights of their backbone by default.
    known = inspect.signature(builder).parameters
    without = {keyword: None for keyword in ("weights", "weights_backbone") if keyword in known}
    if name in _WITHOUT_INITIALIZATION:
        keywords = {"init_weights": False, **keywords}
    module: nn.Module = builder(**without, **keywords)
    return module


def _inputs_of_torchvision(model: PackageModel, module: nn.Module) -> Mapping[str, Shape]:
    """As the transforms of the trained weights make them."""
    from torchvision.models import get_model_weights

    if is_detector(module):
        return {"images": image_shape(module)}
    weights = next(iter(get_model_weights(model.name)), None)
    if weights is None:
        return {}
    maker = getattr(weights.transforms, "func", weights.transforms).__name__
    sizes = getattr(weights.transforms, "keywords", {})
    size = getattr(module, "image_size", None) or sizes.get("crop_size") or sizes.get("resize_size")
    height, width = (size, size) if isinstance(size, int) else size or (0, 0)
    channels, image = 3, next(iter(inspect.signature(module.forward).parameters))
    if maker == "VideoClassification":
        frames = max(USUAL_FRAMES, weights.meta.get("min_temporal_size", 0))
        return {image: (channels, frames, height, width)}
    if maker == "OpticalFlow":
        return {"image1": (channels, 520, 960), "image2": (channels, 520, 960)}
    return {image: (channels, height, width)} if height else {}


def _timm(name: str, keywords: Mapping[str, Any]) -> nn.Module:
    timm = need("timm", "timm")
    try:
        module: nn.Module = timm.create_model(name, pretrained=False, **keywords)
    except NotImplementedError:
        raise
    except RuntimeError as error:
        base = name.partition(".")[0]
        raise RuntimeError(f"{error}{did_you_mean(base, timm.list_models())}") from None
    return module


def _inputs_of_timm(model: PackageModel, module: nn.Module) -> Mapping[str, Shape]:
    config: Mapping[str, Any] = getattr(module, "pretrained_cfg", None) or {}
    channels, height, width = config.get("input_size") or (3, 224, 224)
    size = model.keywords.get("img_size", (height, width))
    height, width = (size, size) if isinstance(size, int) else size
    return {"x": (model.keywords.get("in_chans", channels), height, width)}


def _transformers(name: str, keywords: Mapping[str, Any]) -> nn.Module:
    """Build from a configuration alone, which needs neither weights nor a connection.

    `Conv1D`, a linear layer that stores its weights transposed, becomes a linear layer.
    """
    package = need("transformers", "transformers")
    name, own = known_ids().get(name, (name, {}))
    family: Any = getattr(package, name, None) if name.isidentifier() else None
    if getattr(family, "config_class", None) is None:
        raise ValueError(f"transformers has no model {name}{help_line(_classes_hint(package, name))}")
    module: nn.Module = family(family.config_class(use_cache=False, **own, **keywords))
    stored_transposed = need("transformers.pytorch_utils", "transformers").Conv1D
    for path, inner in list(module.named_modules()):
        if isinstance(inner, stored_transposed):
            features, width = inner.weight.shape
            linear = nn.Linear(features, width, device="meta")
            linear.weight = nn.Parameter(inner.weight.detach().T.contiguous())
            linear.bias = inner.bias
            module.set_submodule(path, linear)
    return module


def _classes_hint(package: Any, name: str) -> str:
    if not name.isidentifier():
        return (
            f"the configuration of {name} is on the internet; name its class with the keywords that differ from the "
            "class's defaults: transformers:BertModel(num_hidden_layers=24, …)"
        )
    found = nearest(
        name, [member for member in dir(package) if (member[0].isupper() and "Model" in member) or "For" in member]
    )
    return f"did you mean {quote(found)}?" if found else "name a class of models, such as transformers:BertModel"


def _inputs_of_transformers(module: Any) -> Mapping[str, Shape]:
    config = module.config
    main = getattr(module, "main_input_name", "input_ids")
    parts = [config, *(getattr(config, name, None) for name in ("vision_config", "text_config", "audio_config"))]
    if main == "input_features":
        mels = getattr(config, "num_mel_bins", None)
        length = 2 * getattr(config, "max_source_positions", 0)
        inputs: dict[str, Shape] = {main: (mels, length)} if mels and length else {}
    elif main == "input_values":
        inputs = {main: (16000,)}
    elif main == "pixel_values":
        inputs = _image(parts)
    else:
        inputs = {main: (_tokens(parts),)}
        if "pixel_values" in inspect.signature(module.forward).parameters:
            inputs |= _image(parts)
    if inputs and getattr(config, "is_encoder_decoder", False):
        inputs["decoder_input_ids"] = (USUAL_TOKENS,)
    return inputs


def _tokens(configs: list[Any]) -> int:
    """Return the usual number of tokens, or all that a text model takes if these are fewer."""
    limits = [getattr(config, "max_position_embeddings", None) for config in configs]
    return min([USUAL_TOKENS, *(limit for limit in limits if isinstance(limit, int) and limit > 0)])


def _image(configs: list[Any]) -> dict[str, Shape]:
    for config in configs:
        size = getattr(config, "image_size", None)
        if size:
            height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
            return {"pixel_values": (getattr(config, "num_channels", 3), height, width)}
    return {}
