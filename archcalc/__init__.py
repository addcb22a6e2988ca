"""Shapes, costs and receptive fields of neural networks, by formula and without running them.

A network comes from a bundled spec, a file, text, or a PyTorch module; an analysis has the costs of every layer:

>>> import archcalc
>>> network = archcalc.load("alexnet")
>>> network["pool1"].output_shape
(64, 27, 27)
>>> analysis = network.analyze(batch=32)
>>> analysis.totals.params
61100840
>>> analysis["conv1"].receptive_field.size
(11, 11)
>>> analysis.memory("training", "adam").peak > analysis.memory().peak
True

`print(analysis)` shows the table, `analysis.to_latex()` writes it for a paper, and a notebook shows it as HTML.
`archcalc.build(network)` makes the same network in PyTorch. An invalid spec raises `SpecError`, which says where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc._version import __version__

if TYPE_CHECKING:
    from archcalc.analysis import Analysis
    from archcalc.changes.adapters import add_adapters
    from archcalc.changes.folding import fold_batch_norm, reparametrize
    from archcalc.changes.freezing import freeze
    from archcalc.changes.pruning import prune
    from archcalc.errors import SpecError
    from archcalc.functions import Drawing, Shown, check, compare, design_space, draw, explain, formula
    from archcalc.imports.opening import load, trace
    from archcalc.language.library import loads
    from archcalc.methods import Summary, analyze, summary
    from archcalc.network import Network
    from archcalc.runtime import build

_HOMES = {
    "analysis": "Analysis",
    "changes.adapters": "add_adapters",
    "changes.folding": "fold_batch_norm reparametrize",
    "changes.freezing": "freeze",
    "changes.pruning": "prune",
    "errors": "SpecError",
    "functions": "Drawing Shown check compare design_space draw explain formula",
    "imports.opening": "load trace",
    "language.library": "loads",
    "methods": "Summary analyze summary",
    "network": "Network",
    "runtime": "build",
}
"""The modules of the public names."""
__all__ = [
    "Analysis",
    "Drawing",
    "Network",
    "Shown",
    "SpecError",
    "Summary",
    "__version__",
    "add_adapters",
    "analyze",
    "build",
    "check",
    "compare",
    "design_space",
    "draw",
    "explain",
    "fold_batch_norm",
    "formula",
    "freeze",
    "load",
    "loads",
    "prune",
    "reparametrize",
    "summary",
    "trace",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `archcalc --version` imports none."""
    home = next((module for module, names in _HOMES.items() if name in names.split()), None)
    if home is None:
        raise AttributeError(f"module 'archcalc' has no attribute {name!r}")
    from importlib import import_module

    from archcalc.methods import attach

    attach()
    found = globals()[name] = getattr(import_module(f"archcalc.{home}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
