"""Optional packages: import them, or say how to install them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from archcalc.errors import UserError
from archcalc.words import help_line

MISMATCH = (
    "torch and torchvision are from different builds, such as torch for CPU with torchvision from PyPI"
    + help_line(
        "install both from one source: pip install --force-reinstall torch torchvision, or both with --index-url of "
        "PyTorch's CPU packages"
    )
)


class MissingExtra(UserError):
    """A command needs a package that is not installed, or does not work."""

    code = "A203"

    def __init__(self, package: str, extra: str, why: str = "which is not installed") -> None:
        super().__init__(f"this needs {package}, {why}" + help_line(f"pip install 'archcalc[{extra}]'"))


def need(package: str, extra: str) -> ModuleType:
    """Import and return a package. Raises `MissingExtra` with the extra that has it if it is missing."""
    try:
        with warnings.catch_warnings():
            # fvcore scripts a function when it is imported; the user can do nothing about this warning of torch.
            warnings.filterwarnings("ignore", r"`torch\.jit\.script` is deprecated", FutureWarning)
            return import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtra(package.partition(".")[0], extra) from error


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed, by name. None is imported."""
    from importlib import metadata  # takes 20 ms

    found = {}
    for package in packages:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def need_torch() -> ModuleType:
    """Import and return PyTorch."""
    return need("torch", "torch")


def need_torchvision() -> ModuleType:
    """Import and return torchvision. Raises `MissingExtra`, with the remedy, if it does not fit torch."""
    need_torch()
    try:
        return need("torchvision", "torch")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        missing = MissingExtra("torchvision", "torch")
        missing.args = (MISMATCH,)
        raise missing from error
