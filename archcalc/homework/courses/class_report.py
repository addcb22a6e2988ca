"""A report on a class, as a page: which cells were right, and every misconception, as pictures.

The page is one file without anything from elsewhere. Students are not named in it, so that it can be shown in class.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

from archcalc.homework.courses.grades_document import points_text
from archcalc.homework.grade import GradedSheet, Verdict, mean_points, misconceptions
from archcalc.homework.questions import QUESTIONS
from archcalc.render.writers.html import escape_html
from archcalc.words import counted

_STYLE = """body{font:16px/1.4 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}th,td{padding:.2rem .6rem;text-align:right}th:first-child,td:first-child{text-align:left}
.heat td:not(:first-child){border:1px solid #fff;min-width:4.5rem}.bar{display:inline-block;height:.9em;background:#c44}
.points .bar{background:#48a}td.text{text-align:left;max-width:36rem}"""
BINS = 10


def class_report(sheets: Sequence[GradedSheet], title: str) -> str:
    """Return the page."""
    read = [sheet for sheet in sheets if sheet.problem is None]
    lines = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape_html(title)}</title><style>{_STYLE}</style></head><body><h1>{escape_html(title)}</h1>",
        f"<p>{counted(len(sheets), 'submission')}, {len(sheets) - len(read)} not read.</p>",
    ]
    if read:
        lines += [*_points(read), *_cells(read), *_mistakes(read)]
    return "\n".join([*lines, "</body></html>"]) + "\n"


def _points(sheets: Sequence[GradedSheet]) -> list[str]:
    """Return the distribution of the points."""
    most = max(sheet.max_points for sheet in sheets) or Fraction(1)
    bins = Counter(min(int(BINS * sheet.points / most), BINS - 1) for sheet in sheets)
    lines = [
        f"<h2>Points</h2><p>{mean_points(sheets)} of {points_text(most)} on average.</p>",
        '<table class="points">',
    ]
    for index in range(BINS):
        start, end = (f"{float(most * step / BINS):g}" for step in (index, index + 1))
        lines.append(f"<tr><th>{start} to {end}</th><td class=text>{_bar(bins[index], len(sheets))}</td></tr>")
    return [*lines, "</table>"]


def _cells(sheets: Sequence[GradedSheet]) -> list[str]:
    """Return the share of submissions in which each cell is right, as colors."""
    counts: dict[tuple[str, str], Counter[bool]] = defaultdict(Counter)
    for sheet in sheets:
        for row in sheet.rows:
            for cell in row.cells:
                good = cell.verdict in (Verdict.RIGHT, Verdict.CARRIED_FORWARD)
                counts[row.name, cell.column][good] += 1
    rows = list(dict.fromkeys(row for row, _ in counts))
    columns = list(dict.fromkeys(column for _, column in counts))
    headings = "".join(f"<th>{escape_html(QUESTIONS[column].heading)}</th>" for column in columns)
    lines = ['<h2>Right cells</h2><table class="heat">', f"<tr><th></th>{headings}</tr>"]
    for name in rows:
        cells = "".join(_heat(counts.get((name, column))) for column in columns)
        lines.append(f"<tr><td>{escape_html(name)}</td>{cells}</tr>")
    return [*lines, "</table>"]


def _heat(counts: Counter[bool] | None) -> str:
    if not counts:
        return "<td></td>"
    share = counts[True] / sum(counts.values())
    return f'<td style="background:hsl({round(120 * share)},60%,82%)">{share:.0%}</td>'


def _mistakes(sheets: Sequence[GradedSheet]) -> list[str]:
    """Return every misconception, with the number of submissions that have it."""
    found = misconceptions(sheets)
    if not found:
        return ["<h2>Misconceptions</h2><p>None.</p>"]
    lines = ["<h2>Misconceptions</h2><table>", "<tr><th>mistake</th><th>in</th><th>submissions</th><th></th></tr>"]
    for mistake, column, says, count in found:
        cells = f"<td>{escape_html(mistake)}</td><td>{escape_html(QUESTIONS[column].heading)}</td><td>{count}</td>"
        lines.append(f"<tr>{cells}<td class=text>{_bar(count, len(sheets))} {escape_html(says)}</td></tr>")
    return [*lines, "</table>"]


def _bar(count: int, of: int) -> str:
    return f'<span class="bar" style="width:{12 * count / of:.2f}rem"></span> {count}'
