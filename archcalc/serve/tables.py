"""The table of an opened spec, as its view wants it."""

from __future__ import annotations

from archcalc.quantities.table import COLUMNS, choose
from archcalc.render.document import Document
from archcalc.render.table import TableOptions, table_document
from archcalc.serve.opened import Opened


def table_of(opened: Opened) -> Document:
    """Return the table. Raises `UserError` for a mistake in the spec or the view."""
    view = opened.view
    columns = choose([key.strip() for key in view.columns.split(",")], COLUMNS) if view.columns.strip() else ()
    options = TableOptions(columns, (), view.every_layer, view.depth, view.exact)
    return table_document(opened.analysis, options)
