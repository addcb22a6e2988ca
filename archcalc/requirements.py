"""Whether what PyTorch's commands need is installed, and what to do where it is not."""

from __future__ import annotations

import warnings
from importlib import import_module
from types import ModuleType

from archcalc.errors import UserError

MENDING = (
    "torch and torchvision are not of the same build (the CPU build of torch with torchvision from PyPI fails so). "
    "Install both from one place: pip install --force-reinstall torch torchvision, "
    "or both with --index-url of PyTorch's CPU packages"
)


class MissingExtra(UserError):
    """A command needs a package that is not installed, or not in a form that works."""

    def __init__(self, package: str, extra: str, why: str = "which is not installed") -> None:
        super().__init__(f"this needs {package}, {why}: pip install 'archcalc[{extra}]'")


def need(package: str, extra: str) -> ModuleType:
    """The package; `MissingExtra` names the extra that brings it."""
    try:
        with warnings.catch_warnings():
            # fvcore writes a script when it is imported, of which torch warns; a user can do nothing about it.
            warnings.filterwarnings("ignore", r"`torch\.jit\.script` is deprecated", FutureWarning)
            return import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtra(package.partition(".")[0], extra) from error


def need_torch() -> ModuleType:
    """PyTorch."""
    return need("torch", "torch")


def need_torchvision() -> ModuleType:
    """torchvision; where it does not fit torch, `MissingExtra` says how to mend it."""
    need_torch()
    try:
        return need("torchvision", "torch")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        missing = MissingExtra("torchvision", "torch")
        missing.args = (MENDING,)
        raise missing from error
