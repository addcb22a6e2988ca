"""The difference of two networks as a document, for a terminal and for review of a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from archcalc.quantities.compare import ComparisonRow
from archcalc.quantities.difference import Difference, LayerChange
from archcalc.render.document import Block, Document, Paragraph, Section, Table, value_column, word_column

MARKS = {"added": "+", "removed": "−", "changed": "~"}
COSTS = {"params": "params", "macs": "MACs"}


def difference_document(difference: Difference, title: str) -> Document:
    """Return the change of each total, and the layers that were added, removed or changed."""
    blocks: list[Block] = [_totals(difference, title)]
    if difference.layers:
        blocks.append(_layers(difference.layers))
    else:
        blocks.append(Paragraph("The layers are the same."))
    return Document(
        "difference", tuple(blocks), lambda: _data(difference), lambda: _layers(difference.layers).records()
    )


def signed(change: int) -> str:
    """Return a change with its sign; 0 without one."""
    return f"{'+' if change > 0 else '−' if change < 0 else ''}{abs(change):,}"


def _totals(difference: Difference, title: str) -> Table:
    columns = (
        word_column("", lambda row: row.quantity.headed(), is_name=True),
        value_column("before", lambda row: row.values[0]),
        value_column("after", lambda row: row.values[1]),
        value_column("change", _change, signed),
        value_column("%", lambda row: row, _percent),
    )
    return Table(title, columns, (Section(difference.totals),))


def _change(row: ComparisonRow) -> int | None:
    before, after = row.values
    return None if before is None or after is None else after - before


def _percent(row: ComparisonRow) -> str:
    change = _change(row)
    if change is None or not row.values[0]:
        return ""
    return "0" if change == 0 else f"{'+' if change > 0 else '−'}{abs(100 * change / row.values[0]):.1f}"


def _layers(layers: Sequence[LayerChange]) -> Table:
    columns = (
        word_column("", lambda layer: MARKS[layer.what]),
        word_column("layer", lambda layer: layer.name, key="layer", is_name=True),
        word_column("", lambda layer: layer.what, key="what"),
        word_column("change", _in_words, key="change", is_prose=True),
        *(
            value_column(heading, partial(LayerChange.change, cost=cost), signed, cost)
            for cost, heading in COSTS.items()
        ),
    )
    return Table("", columns, (Section(layers),))


def _in_words(layer: LayerChange) -> str:
    """Return what changed; of a layer that is new or gone, its operator and output."""
    if layer.changes:
        return "; ".join(layer.changes)
    row = layer.after or layer.before
    assert row is not None
    return f"{row.layer.op.kind}, output {'×'.join(map(str, row.output_shape))}"


def _data(difference: Difference) -> dict[str, Any]:
    return {
        "before": difference.before.network.name,
        "after": difference.after.network.name,
        "totals": {row.quantity.key: {"before": row.values[0], "after": row.values[1]} for row in difference.totals},
        "layers": [
            {
                "name": layer.name,
                "what": layer.what,
                "changes": list(layer.changes),
                **{key: layer.change(key) for key in COSTS},
            }
            for layer in difference.layers
        ],
    }
