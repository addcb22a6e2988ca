"""`archcalc quiz`: exercises with an answer key."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options


@click.command(
    cls=Command,
    topic="teach",
    short_help="Make exercises with worked answers.",
    example="archcalc quiz --seed 7 --count 10 --topic conv,pool,rf",
)
@click.option("--seed", type=click.IntRange(0, 10**9), metavar="N", help="The same seed gives the same exercises.")
@click.option("--count", type=int, default=10, metavar="N", help="Number of exercises. [10]")
@click.option(
    "--topic",
    default="conv,pool,linear,rf,chain",
    metavar="A,B,…",
    help="Operators, their categories, rf (receptive fields), chain (a small network). [conv,pool,linear,rf,chain]",
)
@click.option("--key", is_flag=True, help="Show the answers of the same exercises, derived.")
@click.option(
    "--difficulty", type=click.Choice(["easy", "medium", "hard"]), default="medium", help="Sizes and options. [medium]"
)
@click.option("--choices", is_flag=True, help="With canvas: multiple choice, with usual mistakes.")
@document_options("moodle", "canvas")
def command(
    seed: int | None, count: int, topic: str, key: bool, difficulty: str, choices: bool, output: Output
) -> None:
    """Make exercises on random layers, or with --key their answers, each derived step by step."""
    from archcalc.homework.exercises.canvas import canvas_package
    from archcalc.homework.exercises.moodle import moodle_xml
    from archcalc.homework.exercises.quiz import quiz
    from archcalc.homework.exercises.quiz_document import key_document, quiz_document

    if seed is None:
        import secrets

        seed = secrets.randbelow(10**6)
    exercises = quiz(seed, count, [name.strip() for name in topic.split(",")], difficulty)
    ending = f"seed {seed} · {topic}" + (f" · {difficulty}" if difficulty != "medium" else "")
    if choices and output.format != "canvas":
        raise click.UsageError("--choices needs --format canvas")
    if output.format == "moodle":
        output.write(moodle_xml(exercises, f"Exercises · {ending}"))
        return
    if output.format == "canvas":
        output.write(canvas_package(exercises, f"Exercises · {ending}", choices))
        return
    if key:
        document = key_document(exercises, f"Key to the exercises · {ending}")
    else:
        document = quiz_document(exercises, f"Exercises · {ending}")
    output.show(document)
