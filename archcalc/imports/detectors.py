"""Detection models of torchvision: they take lists of images, and scale them first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from archcalc.arithmetic import Shape
from archcalc.imports.recording import replaced

FAMILIES = frozenset(["GeneralizedRCNN", "RetinaNet", "FCOS", "SSD"])


def is_detector(module: nn.Module) -> bool:
    """Return True for a detection model of torchvision, or of a class that inherits from one."""
    return any(
        base.__module__.startswith("torchvision.models.detection.") and base.__name__ in FAMILIES
        for base in type(module).__mro__
    )


def image_shape(module: Any) -> Shape:
    """Return a square image of the size that a detection model scales images to."""
    transform = module.transform
    if getattr(transform, "fixed_size", None):
        width, height = transform.fixed_size
        return 3, height, width
    size = transform.min_size[-1]
    return 3, size, size


@contextmanager
def as_module_of_a_tensor(module: Any) -> Iterator[None]:
    """Let a detection model take, for a while, a batch of images that are scaled already; others stay as they are."""
    if not is_detector(module):
        yield
        return
    from torchvision.models.detection.image_list import ImageList

    forward = module.forward

    def images(x: Tensor) -> Any:
        return forward([x])

    def scaled(images: Sequence[Tensor], targets: Any = None) -> Any:
        (x,) = images
        height, width = x.shape[-2:]
        return ImageList(x, [(height, width)]), targets

    def not_scaled_back(result: Any, *sizes: Any) -> Any:
        return result

    with (
        replaced(module, "forward", images),
        replaced(module.transform, "forward", scaled),
        replaced(module.transform, "postprocess", not_scaled_back),
    ):
        yield
