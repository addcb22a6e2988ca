"""Options that the homework commands share: what is asked of which network, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archcalc.cli._options import counting_options, network_options, open_family, open_network

if TYPE_CHECKING:
    from archcalc.homework.key import AnswerKey

F = TypeVar("F", bound=Callable[..., Any])


def key_options(function: F) -> F:
    """What makes an answer key: the network, the way of counting, the questions and the rows."""
    for option in (
        click.option("--total", "with_total", is_flag=True, help="Ask for the sums of the columns too."),
        click.option(
            "--depth",
            type=click.IntRange(min=1),
            metavar="N",
            help="Join what stands deeper than N names into its group.",
        ),
        click.option(
            "--let", "lets", multiple=True, metavar="NAME=EXPR", help="Leave a number open: ask for formulas."
        ),
        click.option(
            "--ask",
            metavar="A,B,…",
            help="What is asked: output, output_c, output_hw, memory, params, weights, biases, macs, flops, rf, … "
            "[output,memory,params,flops]",
        ),
        counting_options,
        network_options,
    ):
        function = option(function)
    return function


def open_key(
    network: str,
    *,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    batch: int,
    dtype: str,
    convention: str,
    ask: str | None,
    lets: tuple[str, ...],
    depth: int | None,
    with_total: bool,
    points: str = "",
) -> AnswerKey:
    """The answer key that a command line means."""
    from archcalc.homework.key import AnswerKey, key_of
    from archcalc.homework.questions import USUAL, asked, points_of
    from archcalc.spec.family import is_piece

    questions = asked(ask if ask is not None else ",".join(USUAL))
    worth = points_of(points, questions)
    counting = {"batch": batch, "dtype": dtype, "convention": convention}
    if lets or is_piece(network):
        family = open_family(network, lets, settings, inputs)
        return key_of(family, questions, worth, **counting, depth=depth, with_total=with_total)  # type: ignore[arg-type]
    analysis = open_network(network, settings, inputs).analyze(**counting)  # type: ignore[arg-type]
    return AnswerKey(analysis, questions, worth, depth, with_total)
