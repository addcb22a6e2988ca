"""`archcalc quiz`: exercises with an answer key."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options


@click.command(cls=Command, example="archcalc quiz --seed 7 --count 10 --topic conv,pool,rf")
@click.option("--seed", type=click.IntRange(0, 10**9), metavar="N", help="The same seed gives the same exercises.")
@click.option("--count", type=int, default=10, metavar="N", help="Number of exercises. [10]")
@click.option(
    "--topic",
    default="conv,pool,linear,rf,chain",
    metavar="A,B,…",
    help="Operators, their categories, rf (receptive fields), chain (a small network). [conv,pool,linear,rf,chain]",
)
@click.option("--key", is_flag=True, help="Show the answers of the same exercises, derived.")
@document_options()
def command(seed: int | None, count: int, topic: str, key: bool, output: Output) -> None:
    """Make exercises on random layers, or with --key their answers, each derived step by step."""
    from archcalc.homework.quiz import quiz
    from archcalc.homework.quiz_document import key_document, quiz_document

    if seed is None:
        import secrets

        seed = secrets.randbelow(10**6)
    exercises = quiz(seed, count, [name.strip() for name in topic.split(",")])
    ending = f"seed {seed} · {topic}"
    if key:
        document = key_document(exercises, f"Key to the exercises · {ending}")
    else:
        document = quiz_document(exercises, f"Exercises · {ending}")
    output.show(document)
