"""Methods of `Network`, `Analysis` and `Memory` that need packages above their own.

`network.analyze()` and `analysis.to_latex()` read well, but a network does not know costs, and an analysis does not
know LaTeX. `attach` adds such methods before `archcalc` returns its first public name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archcalc.analysis import Analysis, Counting
from archcalc.analysis import analyze as count
from archcalc.memory.summary import Memory, fit, memory
from archcalc.network import Network
from archcalc.quantities.contract import as_dict
from archcalc.structs import Struct, replace
from archcalc.words import listed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archcalc.arithmetic import Shape
    from archcalc.render.table import TableOptions


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


class Summary(Struct):
    """The analysis of a module: a table in a terminal and in a notebook.

    Examples:
        >>> import archcalc, torch
        >>> found = archcalc.summary(torch.nn.Linear(784, 10), (784,))
        >>> found.analysis.totals.params
        7850
    """

    analysis: Analysis
    """The numbers."""
    view: TableOptions
    """Which rows and columns the table has."""

    @property
    def network(self) -> Network:
        """The network that was read from the module."""
        return self.analysis.network

    def __str__(self) -> str:
        return _render(self.analysis, "text", self.view).rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return _render(self.analysis, "html", self.view)


def summary(
    module: nn.Module,
    *inputs: Shape | Tensor,
    batch: int = 1,
    dtype: str = "float32",
    convention: str = "lecture",
    depth: int | None = None,
    columns: str | Sequence[str] = (),
    keywords: Mapping[str, Shape | Tensor] | None = None,
) -> Summary:
    """Follow a PyTorch module and count it, without computing anything.

    Args:
        module: it is followed in evaluation mode, and left as it was.
        inputs: for each input, its shape without the batch, or an example tensor with it.
        batch: number of samples that are counted.
        dtype: element type, which bytes depend on.
        convention: name of the rule for what counts as a FLOP.
        depth: number of names in a layer's path at which deeper layers are joined into a row of their group.
        columns: keys of the quantities to show; empty for the usual ones. `archcalc table --columns help` lists them.
        keywords: shapes or tensors of inputs that are given by name.

    Returns:
        A summary, which prints as a table; `summary.analysis` has the numbers, `summary.network` the network.

    Raises:
        MissingExtra: if torch is not installed.
        UserError: if the module cannot be followed, or for an unknown name.

    Examples:
        >>> import archcalc, torch
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
        >>> print(archcalc.summary(module, (3, 32, 32), columns=["name", "output", "params", "macs"]))
        Sequential · input 3×32×32 · batch 1 · float32
                                MACs
        layer   output  params   (k)
        ────────────────────────────
        0      8×30×30     224   194
        ────────────────────────────
        total              224   194
        params: weights and biases.
    """
    from archcalc.imports.opening import follow_inputs
    from archcalc.quantities.table import COLUMNS, choose
    from archcalc.render.table import TableOptions

    view = TableOptions(choose(listed(columns), COLUMNS), depth=depth)
    network = follow_inputs(module, inputs, keywords or {})
    return Summary(count(network, Counting(batch, dtype, convention)), view)


def _render(analysis: Analysis, format: str = "text", view: TableOptions | None = None) -> str:
    """Write the table of an analysis as text, markdown, latex, html, csv or json."""
    from archcalc.render.table import LECTURE_TABLE, table_document
    from archcalc.render.writers import write_document

    written = write_document(table_document(analysis, view or LECTURE_TABLE), format)
    assert isinstance(written, str)
    return written


def _render_as(format: str) -> Any:
    def method(self: Analysis) -> str:
        return _render(self, format)

    method.__doc__ = f"Write the table as {format}."
    return method


def _dataframe(self: Analysis, columns: Sequence[str] = ()) -> Any:
    """Return a row for each layer as a DataFrame of pandas, or of polars where pandas is not installed.

    There are no totals and no auxiliary layers, so that the sum of a column is the network's.

    Args:
        columns: keys of columns, such as `name` and `macs`; those of the table if empty.

    Raises:
        UserError: for an unknown column, or if neither library is installed.
    """
    from archcalc.functions import Shown
    from archcalc.quantities.table import COLUMNS, choose
    from archcalc.render.table import LECTURE_TABLE, TableOptions, table_document

    view = TableOptions(choose(columns, COLUMNS)) if columns else LECTURE_TABLE
    document = table_document(self, view)
    [table] = document.tables
    layers = replace(table, sections=(replace(table.sections[0], total=None),))
    return Shown(replace(document, blocks=(layers,), sheet=None)).to_dataframe()


def _memory_dict(self: Memory) -> dict[str, Any]:
    """Return the data of `archcalc memory --format json`."""
    from archcalc.render.memory import memory_dict

    return memory_dict(self)


def _memory_text(self: Memory) -> str:
    from archcalc.render.memory import memory_document
    from archcalc.render.writers import text

    return text.write(memory_document(self))


_ATTACHED: dict[type, dict[str, Any]] = {
    Network: {"analyze": analyze, "_repr_html_": lambda network: _render(analyze(network), "html")},
    Analysis: {
        "memory": memory,
        "fit": fit,
        "to_dict": as_dict,
        "to_dataframe": _dataframe,
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
