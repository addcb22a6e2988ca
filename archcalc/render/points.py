"""Points of a sweep: as a document, or written to CSV and Parquet as they are computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from operator import itemgetter
from pathlib import Path
from typing import Any

from archcalc.errors import UserError
from archcalc.files import whole_file
from archcalc.quantities.quantity import plain_number
from archcalc.render.document import Document, Section, Table, value_column
from archcalc.sweep.space import SweepAxis
from archcalc.words import printable

PointColumns = dict[str, Any]


def shown(columns: PointColumns, axes: Sequence[SweepAxis]) -> dict[str, list[Any]]:
    """Return the columns with the axes' own values."""
    by_name = {axis.name: axis for axis in axes}
    found = {}
    for name, values in columns.items():
        axis = by_name.get(name)
        if axis is None:
            found[name] = values.tolist()
        elif axis.numeric:
            found[name] = [plain_number(Fraction(value, axis.scale)) for value in values.tolist()]
        else:
            found[name] = [_word(axis.values[index]) for index in values.tolist()]
    return found


def _word(value: Any) -> str:
    return printable(str(value).lower() if isinstance(value, bool) else str(value))


def points_document(name: str, parts: Iterable[PointColumns], axes: Sequence[SweepAxis]) -> Document:
    """Return the points of a network as a table."""
    found: dict[str, list[Any]] = {}
    for part in parts:
        for key, values in shown(part, axes).items():
            found.setdefault(key, []).extend(values)
    columns = tuple(value_column(key, itemgetter(index), key=key) for index, key in enumerate(found))
    return Document(name, (Table("", columns, (Section(list(zip(*found.values(), strict=True))),)),))


def csv_lines(parts: Iterable[PointColumns], axes: Sequence[SweepAxis]) -> Iterator[str]:
    """Yield CSV, a string for each part, with the headings in the first."""
    import csv
    import io

    for number, part in enumerate(parts):
        rows = shown(part, axes)
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        if number == 0:
            writer.writerow(rows)
        writer.writerows(zip(*rows.values(), strict=True))
        yield stream.getvalue()


def write_csv(path: Path, parts: Iterable[PointColumns], axes: Sequence[SweepAxis]) -> None:
    """Write a CSV file, which appears whole or not at all."""
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        stream.writelines(csv_lines(parts, axes))


def write_parquet(path: Path, parts: Iterable[PointColumns], axes: Sequence[SweepAxis]) -> None:
    """Write a Parquet file, which appears whole or not at all.

    Raises `UserError` if a number does not fit 64 bits.
    """
    from archcalc.requirements import need

    pyarrow = need("pyarrow", "sweep")
    parquet = need("pyarrow.parquet", "sweep")
    by_name = {axis.name: axis for axis in axes}

    def kind(name: str) -> Any:
        axis = by_name.get(name)
        if axis is None or (axis.numeric and axis.scale == 1):
            return pyarrow.int64()
        return pyarrow.float64() if axis.numeric else pyarrow.string()

    writer = None
    with whole_file(path) as temporary:
        try:
            for part in parts:
                schema = pyarrow.schema([(name, kind(name)) for name in part])
                writer = writer or parquet.ParquetWriter(temporary, schema)
                try:
                    table = pyarrow.table(_arrow_columns(part, by_name), schema=schema)
                except OverflowError:
                    raise UserError("a number does not fit Parquet's 64 bits; write CSV instead") from None
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def _arrow_columns(part: PointColumns, axes: dict[str, SweepAxis]) -> dict[str, Any]:
    """Return columns for pyarrow, without a loop over points."""
    found = {}
    for name, values in part.items():
        axis = axes.get(name)
        if axis is None:
            found[name] = values.tolist() if values.dtype == object else values
        elif axis.numeric:
            found[name] = values if axis.scale == 1 else values / axis.scale
        else:
            found[name] = [_word(axis.values[index]) for index in values.tolist()]
    return found
