"""Options that the homework commands share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli._formats import Run
from archcalc.cli._options import (
    JOIN,
    CountingOpener,
    counting_options,
    depth_option,
    network_options,
    option_words,
    with_options,
)
from archcalc.errors import UserError
from archcalc.structs import Struct
from archcalc.words import quote

if TYPE_CHECKING:
    from archcalc.homework.answers.numbers import AnswerTolerance
    from archcalc.homework.key import AnswerKey


def key_options(function: Run) -> Run:
    """Add the options of an answer key: network, counting, questions and rows."""
    return with_options(
        function,
        click.option("--total", "with_total", is_flag=True, help="Ask for the columns' sums too."),
        click.option("--with-input", is_flag=True, help="Count the input in totals of memory and neurons."),
        click.option("--without", "without", type=click.Choice(["bias"]), help="Leave out the biases of all layers."),
        click.option("--all", "every_layer", is_flag=True, help="A row for each activation and normalization too."),
        click.option("--seed", metavar="STUDENT", help="Draw a student's own network; name, email or number: of each."),
        depth_option(JOIN),
        click.option(
            "--let", "lets", multiple=True, metavar="NAME=EXPR", help="Leave a number open, and ask for formulas."
        ),
        click.option(
            "--ask",
            metavar="A,B,…",
            help="Questions; `--ask help` lists them. [output,memory,params,flops]",
        ),
        counting_options,
        network_options,
    )


class GradingOptions(Struct):
    """The values of `grading_options`."""

    points: str
    maps: tuple[str, ...]
    tolerance: AnswerTolerance
    per_mistake: bool
    reveal: bool | None
    """None if it is not said."""


def grading_options(function: Run) -> Run:
    """Add the options of grading; the command receives `grading`, a `GradingOptions`."""

    @wraps(function)
    def given(
        *args: Any,
        points: str,
        maps: tuple[str, ...],
        tolerance: str,
        digits: int,
        per_mistake: bool,
        reveal: bool | None,
        **values: Any,
    ) -> int | None:
        from archcalc.homework.answers.numbers import AnswerTolerance

        rule = AnswerTolerance.parse(tolerance, digits)
        return function(*args, grading=GradingOptions(points, maps, rule, per_mistake, reveal), **values)

    return with_options(
        given,
        click.option(
            "--reveal/--no-reveal", default=None, help="Show the right answers, or only hints. [hints in an autograder]"
        ),
        click.option("--tolerance", default="digits", metavar="RULE", help="digits, cut, exact, or 2%. [digits]"),
        click.option(
            "--digits", type=click.IntRange(1, 15), default=1, metavar="N", help="Least digits of a rounded number. [1]"
        ),
        click.option(
            "--per-mistake/--per-cell", default=True, help="Deduct a repeated mistake once, or each time. [once]"
        ),
        click.option(
            "--map", "maps", multiple=True, metavar="HEADING=KEY", help='A heading of theirs: "Num W=params".'
        ),
        click.option("--points", default="", metavar="A=N,…", help="Points of a cell: params=2,flops=1. [1]"),
    )


def gradescope_options(function: Run) -> Run:
    """Add the options of what Gradescope shows; the command receives `style`, a `GradescopeOptions`."""

    @wraps(function)
    def given(*args: Any, per: str, visibility: str, out_of: str | None, **values: Any) -> int | None:
        from fractions import Fraction

        from archcalc.homework.courses.gradescope import GradescopeOptions

        if out_of is not None and (not re.fullmatch(r"\d{1,4}(\.\d{1,2})?", out_of, re.ASCII) or not float(out_of)):
            raise UserError(f"--out-of takes points above 0 with at most two decimals, got {quote(out_of)}")
        points = None if out_of is None else Fraction(out_of)
        return function(*args, style=GradescopeOptions(per == "cell", visibility, points), **values)

    return with_options(
        given,
        click.option(
            "--visibility",
            type=click.Choice(["visible", "after_due_date", "after_published", "hidden"]),
            default="visible",
            help="When Gradescope shows the tests. [visible]",
        ),
        click.option(
            "--out-of", metavar="N", help="Points of the whole assignment in Gradescope. [the sum of the cells' points]"
        ),
        click.option("--per", type=click.Choice(["row", "cell"]), default="row", help="Tests in Gradescope. [row]"),
    )


RENAMED = {
    "with_total": "total",
    "settings": "set",
    "inputs": "input",
    "lets": "let",
    "every_layer": "all",
    "maps": "map",
    "per_mistake": "per_cell",
}
"""Parameters that are called otherwise than their options; `--per-cell` says the opposite."""


def as_options(values: Mapping[str, Any]) -> list[str]:
    """Write values of parameters as words of a command line; leave out those that are None, empty or not set."""
    given = {name: not value if name == "per_mistake" else value for name, value in values.items()}
    return option_words({RENAMED.get(name, name): value for name, value in given.items()})


def open_key(
    network: str,
    *,
    opener: CountingOpener,
    ask: str | None,
    lets: tuple[str, ...],
    depth: int | None,
    with_total: bool,
    with_input: bool = False,
    without: str | None = None,
    every_layer: bool = False,
    seed: str | None = None,
    points: str = "",
    maps: tuple[str, ...] = (),
) -> AnswerKey:
    """Return the answer key of a command line."""
    from archcalc.analysis import analyze
    from archcalc.homework.key import AnswerKey, key_of
    from archcalc.homework.questions import USUAL, asked, points_of
    from archcalc.homework.submissions.headings import mapped_headings
    from archcalc.homework.variants import variant
    from archcalc.homework.without_bias import without_bias
    from archcalc.language.family import is_inline_spec

    questions = asked(ask if ask is not None else ",".join(USUAL))
    worth = points_of(points, questions)
    settings: dict[str, Any] = {"depth": depth, "with_total": with_total, "with_input": with_input}
    settings |= {"every_layer": every_layer, "headings": mapped_headings(maps)}
    if lets or is_inline_spec(network):
        if seed is not None:
            raise UserError("--seed draws numbers, so it does not go with numbers that are left open")
        family = opener.open_family(network, lets)
        return key_of(family, questions, worth, opener.counting, has_bias=without is None, **settings)
    opened = opener.open(network)
    if seed is not None:
        opened = variant(opened, seed)
    if without is not None:
        opened = without_bias(opened)
    return AnswerKey(analyze(opened, opener.counting), questions, worth, **settings)
