"""The results of `archcalc verify` as a document: a row for each network, then every difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from archcalc.render.document import Column, Document, Section, Table, value_column, word_column
from archcalc.units import COUNTS, in_words

if TYPE_CHECKING:
    from archcalc.runtime.verify import Verification

MEMORY = ("inference", "saved", "training")
"""The measured memory: the peak at inference, what autograd saves, the peak in training."""


def verification_document(results: Sequence[Verification], data: Callable[[], Any]) -> Document:
    """Return a table of the results with every difference and note below it; ``data`` is the document's data."""
    checks = list(dict.fromkeys(check.name for result in results for check in result.checks))
    columns = (
        word_column("network", lambda result: result.network, "network", is_name=True),
        *map(_check, checks),
        *map(_memory, MEMORY),
        _timing("time", "seconds", lambda value: f"{1000 * value:.2f} ms"),
        _timing("spread", "spread", _percent),
        _timing("images/s", "images_per_second", "{:,.0f}".format),
        _timing("FLOP/s (torch)", "flops_per_second", lambda value: in_words(int(value), COUNTS)),
        _timing("of peak", "share_of_peak", _percent),
        _timing("of reference", "ratio_to_reference", "{:.2f}".format),
        value_column("verdict", lambda result: result.passed, lambda passed: "ok" if passed else "FAILED", "passed"),
    )
    failed = sum(not result.passed for result in results)
    summary = f"{len(results)} network{'s' if len(results) != 1 else ''}, {failed} with differences or problems"
    notes = [note for result in results for note in _notes(result)]
    return Document("verify", (Table("", columns, (Section(results),), (*notes, summary)),), data)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _check(name: str) -> Column:
    """Return a column with `=` where a check passed and `≠` where it failed; empty where it did not apply."""

    def passed(result: Verification) -> bool | None:
        return next((check.passed for check in result.checks if check.name == name), None)

    return value_column(name, passed, lambda value: "=" if value else "≠", name, is_optional=True)


def _memory(quantity: str) -> Column:
    """Return a column with the ratio of measured to predicted memory."""
    return value_column(
        quantity,
        lambda result: result.memory.get(quantity, {}).get("ratio"),
        "{:.3f}".format,
        f"{quantity}_memory_ratio",
        is_optional=True,
    )


def _timing(heading: str, key: str, show: Callable[[Any], str]) -> Column:
    return value_column(heading, lambda result: result.timing.get(key), show, key, is_optional=True)


def _notes(result: Verification) -> Iterator[str]:
    if result.problem:
        yield f"{result.network}: {result.problem}"
    for check in result.checks:
        if remark := check.note if check.passed is not False else check.detail:
            yield f"{result.network}: {check.name}: {remark}"
    for quantity, figures in result.memory.items():
        if figures["within"] is False:
            predicted, measured = figures["predicted_bytes"], figures["measured_bytes"]
            yield f"{result.network}: {quantity}: predicted {predicted:,} B, measured {measured:,} B"
