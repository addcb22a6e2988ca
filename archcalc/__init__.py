"""archcalc: shapes, costs and receptive fields of neural networks, by formula and without running them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc._version import __version__

__all__ = ["Analysis", "Network", "SpecError", "__version__", "analyze", "build", "load", "loads"]

if TYPE_CHECKING:
    from archcalc.analysis import Analysis, analyze
    from archcalc.errors import SpecError
    from archcalc.language.library import load, loads
    from archcalc.network import Network
    from archcalc.runtime import build

_HOMES = {
    "Analysis": "archcalc.analysis",
    "analyze": "archcalc.analysis",
    "Network": "archcalc.network",
    "SpecError": "archcalc.errors",
    "load": "archcalc.language.library",
    "loads": "archcalc.language.library",
    "build": "archcalc.runtime",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more: `archcalc --version` needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'archcalc' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
