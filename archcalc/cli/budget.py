"""`archcalc budget`: assertions about networks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import CountingOpener, counting_options, lower_bounds, network_options, strict_option
from archcalc.cli._streams import remark
from archcalc.errors import SpecError
from archcalc.words import help_line, quote

if TYPE_CHECKING:
    from archcalc.budget.assertions import Budget

_COMPARES = re.compile(r"[<>=!]|\sin\s")


@click.command(
    cls=Command,
    topic="check",
    short_help="Check assertions about networks, such as params <= 5e6.",
    example='archcalc budget my.yaml "params <= 5e6" "macs <= 600e6" "output == [10]" "rf >= 64"',
)
@click.argument("words", nargs=-1, required=True, metavar="NETWORK… [ASSERTION]…")
@click.option("--from", "file", metavar="FILE", help="Read assertions from a file too, one on each line.")
@network_options
@counting_options
@strict_option
@document_options("junit")
def command(
    words: tuple[str, ...],
    file: str | None,
    opener: CountingOpener,
    strict: bool,
    output: Output,
) -> int:
    """Check ASSERTIONs about every NETWORK; a word that compares (<, <=, ==, …) is an assertion.

    Assertions are written in the spec's expression language. Without any, print the names that they may use, with their
    values. Exits 1 if an assertion fails, 2 if one cannot be evaluated or a network cannot be read.
    """
    from archcalc.budget.assertions import Budget, check_budget, read_assertions
    from archcalc.budget.document import budgets_document, budgets_junit, facts_document
    from archcalc.imports.references import names_model
    from archcalc.quantities.table import FACTS

    networks = [word for word in words if names_model(word) or not _COMPARES.search(word)]
    assertions = read_assertions([word for word in words if word not in networks], file)
    for word in networks:
        if word in FACTS and len(networks) > 1:
            raise SpecError(
                f"{quote(word)} is not an assertion" + help_line(f"compare it with a value: '{word} <= 5e6'")
            )
    if not networks:
        raise SpecError("no network to check" + help_line("write: archcalc budget NETWORK ASSERTION"))

    if not assertions:
        if output.format == "junit":
            raise click.UsageError("a JUnit report needs assertions")
        analyses = [opener.analyze(network) for network in networks]
        output.show(facts_document(analyses))
        return 0

    def check(reference: str) -> Budget:
        try:
            return check_budget(reference, opener.analyze(reference), assertions)
        except SpecError as error:
            if len(networks) == 1 and output.format == "text":
                raise
            return Budget(reference, None, problem=str(error))

    budgets = [check(reference) for reference in networks]
    if output.format == "junit":
        output.write(budgets_junit(budgets))
    else:
        output.show(budgets_document(budgets))
    for budget in budgets:
        if budget.problem:
            remark(budget.problem)
    bounds = lower_bounds(budget.analysis for budget in budgets if budget.analysis is not None)
    for bound in bounds:
        remark(bound)
    if any(budget.problem for budget in budgets):
        return 2
    return 1 if (strict and bounds) or not all(budget.passed for budget in budgets) else 0
