"""archcalc: shapes, costs and receptive fields of neural networks, by formula and without running them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Analysis", "Network", "SpecError", "__version__", "analyze", "build", "load", "loads"]

if TYPE_CHECKING:
    from archcalc.analysis import Analysis, analyze
    from archcalc.network import Network
    from archcalc.runtime import build
    from archcalc.spec.errors import SpecError
    from archcalc.spec.library import load, loads

_HOMES = {
    "Analysis": "archcalc.analysis",
    "analyze": "archcalc.analysis",
    "Network": "archcalc.network",
    "SpecError": "archcalc.spec.errors",
    "load": "archcalc.spec.library",
    "loads": "archcalc.spec.library",
    "build": "archcalc.runtime",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more: `archcalc --version` needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'archcalc' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
