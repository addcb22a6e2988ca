"""`archcalc budget`: does a network keep what was asked of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import result_options
from archcalc.cli._options import Overrides, counting_options, network_options
from archcalc.cli._streams import remark, write
from archcalc.errors import SpecError

if TYPE_CHECKING:
    from archcalc.analysis import Counting
    from archcalc.budget.assertions import Budget

_COMPARES = re.compile(r"[<>=!]|\sin\s")


@click.command(
    cls=Command, example='archcalc budget my.yaml "params <= 5e6" "macs <= 600e6" "output == [10]" "rf >= 64"'
)
@click.argument("words", nargs=-1, required=True, metavar="NETWORK… [ASSERTION]…")
@click.option("--from", "file", metavar="FILE", help="Read assertions from a file too, one on each line.")
@network_options
@counting_options
@result_options("text", "json", "junit")
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    file: str | None,
    overrides: Overrides,
    counting: Counting,
    format_: str,
    output: str | None,
) -> None:
    """Check ASSERTIONs about every NETWORK; what compares something (<, <=, ==, …) is an assertion.

    They are written in the spec's expression language. Without any, the names that they may use are printed with
    their values. Exits 1 if an assertion fails, 2 if one cannot be decided or a network cannot be read.
    """
    from archcalc.analysis import analyze
    from archcalc.budget.assertions import Budget, check_budget, read_assertions
    from archcalc.budget.document import budgets_json, budgets_junit, budgets_text, facts_json, facts_text

    networks = [word for word in words if not _COMPARES.search(word)]
    assertions = read_assertions([word for word in words if _COMPARES.search(word)], file)
    if not networks:
        raise SpecError("no network to check; write: archcalc budget NETWORK ASSERTION")

    def check(reference: str) -> Budget:
        from archcalc.analysis import analyze

        try:
            network = overrides.open(reference)
            analysis = analyze(network, counting)
            return check_budget(reference, analysis, assertions)
        except SpecError as error:
            if len(networks) == 1 and format_ == "text":
                raise
            return Budget(reference, None, problem=str(error))

    if not assertions:
        opened = [overrides.open(one) for one in networks]
        analyses = [analyze(one, counting) for one in opened]
        if format_ == "junit":
            raise click.UsageError("JUnit's report is of assertions, and there are none")
        write(facts_json(analyses) if format_ == "json" else "\n".join(map(facts_text, analyses)), output)
        return
    budgets = [check(reference) for reference in networks]
    render = {"text": budgets_text, "json": budgets_json, "junit": budgets_junit}[format_]
    write(render(budgets), output)
    for budget in budgets:
        if budget.problem and (format_ != "text" or output):
            remark(budget.problem)
    if not all(budget.passed for budget in budgets):
        context.exit(2 if any(budget.problem for budget in budgets) else 1)
