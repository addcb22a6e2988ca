"""Methods of `Network`, `Analysis` and `Memory` that need packages above their own.

`network.analyze()` and `analysis.to_latex()` read well, but a network does not know costs, and an analysis does not
know LaTeX. `attach` adds such methods before `archcalc` returns its first public name.
"""

from __future__ import annotations

from typing import Any

from archcalc.analysis import Analysis, Counting
from archcalc.analysis import analyze as count
from archcalc.memory.summary import Memory, fit, memory
from archcalc.network import Network
from archcalc.quantities.contract import as_dict


def analyze(network: Network, batch: int = 1, dtype: str = "float32", convention: str = "lecture") -> Analysis:
    """Compute the costs and receptive fields of every layer of a network.

    Args:
        network: the network to count.
        batch: number of samples. Counts and bytes grow with it; parameters do not.
        dtype: element type, which bytes depend on.
        convention: name of the rule for what counts as a FLOP.

    Returns:
        Costs of every layer and totals, for the whole batch.

    Raises:
        UserError: for an unknown dtype or convention, or a batch below 1.

    Examples:
        >>> import archcalc
        >>> analysis = archcalc.analyze(archcalc.load("alexnet"), batch=2, convention="fvcore")
        >>> analysis.totals.params, analysis.totals.macs
        (61100840, 1433534464)
    """
    return count(network, Counting(batch, dtype, convention))


def _render(analysis: Analysis, format: str = "text") -> str:
    """Write the table of an analysis as text, markdown, latex, html, csv or json."""
    from archcalc.render.table import table_document
    from archcalc.render.writers import write_document

    written = write_document(table_document(analysis), format)
    assert isinstance(written, str)
    return written


def _render_as(format: str) -> Any:
    def method(self: Analysis) -> str:
        return _render(self, format)

    method.__doc__ = f"Write the table as {format}."
    return method


def _memory_dict(self: Memory) -> dict[str, Any]:
    """Return the data of `archcalc memory --format json`."""
    from archcalc.render.memory import memory_dict

    return memory_dict(self)


def _memory_text(self: Memory) -> str:
    from archcalc.render.memory import memory_document
    from archcalc.render.writers import text

    return text.write(memory_document(self))


def _html_of_network(self: Network) -> str:
    return _render(analyze(self), "html")


_ATTACHED: dict[type, dict[str, Any]] = {
    Network: {"analyze": analyze, "_repr_html_": _html_of_network},
    Analysis: {
        "memory": memory,
        "fit": fit,
        "to_dict": as_dict,
        **{f"to_{format}": _render_as(format) for format in ("json", "csv", "markdown", "latex", "html")},
        "__str__": _render_as("text"),
        "_repr_html_": _render_as("html"),
    },
    Memory: {"to_dict": _memory_dict, "__str__": _memory_text},
}


def attach() -> None:
    """Attach the methods to their classes."""
    for owner, methods in _ATTACHED.items():
        for name, method in methods.items():
            method.__name__ = name
            method.__qualname__ = f"{owner.__name__}.{name}"
            setattr(owner, name, method)
