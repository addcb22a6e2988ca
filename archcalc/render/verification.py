"""What `archcalc verify` found, as text: a line for each network, and every difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archcalc.render.text import cells_wide, pad
from archcalc.units import COUNTS, in_words
from archcalc.words import printable

if TYPE_CHECKING:
    from archcalc.runtime.checks import Check
    from archcalc.runtime.verify import Verification

NOT_RUN = "·"
MEASURES = ("inference", "saved", "training")
"""Of memory: two peaks, and what autograd keeps."""


def verification_text(results: Sequence[Verification]) -> str:
    """The table of all results, then every difference and note."""
    names = list(dict.fromkeys(check.name for result in results for check in result.checks))
    headings = [
        "network",
        *names,
        *MEASURES,
        "time",
        "spread",
        "images/s",
        "FLOP/s (torch)",
        "of peak",
        "of reference",
        "verdict",
    ]
    rows = [headings, *(_row(result, names) for result in results)]
    widths = [max(cells_wide(row[at]) for row in rows) for at in range(len(headings))]
    lines = [
        "  ".join(pad(cell, width, at > 0) for at, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
    lines.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    for result in results:
        if result.problem:
            lines.append(f"{result.network}: {printable(result.problem)}")
        for check in result.checks:
            said = check.note if check.passed is not False else check.detail
            if said:
                lines.append(f"{result.network}: {check.name}: {printable(said)}")
        for quantity, figures in result.memory.items():
            if figures["within"] is False:
                predicted, measured = figures["predicted_bytes"], figures["measured_bytes"]
                lines.append(f"{result.network}: {quantity}: predicted {predicted:,} B, measured {measured:,} B")
    failed = sum(not result.passed for result in results)
    lines.append(f"{len(results)} network{'s' if len(results) != 1 else ''}, {failed} with differences or problems")
    return "\n".join(lines) + "\n"


def _row(result: Verification, names: Sequence[str]) -> list[str]:
    checks = {check.name: check for check in result.checks}
    timing, memory = result.timing, result.memory
    beside = timing.get("ratio_to_reference")
    return [
        printable(result.network),
        *(_mark(checks.get(name)) for name in names),
        *(f"{ratio:.3f}" if (ratio := memory.get(key, {}).get("ratio")) else NOT_RUN for key in MEASURES),
        f"{1000 * timing['seconds']:.2f} ms" if timing else NOT_RUN,
        f"{100 * timing['spread']:.0f} %" if timing else NOT_RUN,
        f"{timing['images_per_second']:,.0f}" if timing else NOT_RUN,
        in_words(int(timing["flops_per_second"]), COUNTS) if timing else NOT_RUN,
        f"{100 * timing['share_of_peak']:.0f} %" if timing else NOT_RUN,
        f"{beside:.2f}" if beside else NOT_RUN,
        "ok" if result.passed else "FAILED",
    ]


def _mark(check: Check | None) -> str:
    if check is None or check.passed is None:
        return NOT_RUN
    return "=" if check.passed else "≠"
