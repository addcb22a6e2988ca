"""What a worksheet says above its table: a title, a place for the name, and the rules of counting."""

from __future__ import annotations

from archcalc.homework.answers.kinds import COUNT, MEMORY
from archcalc.homework.key import AnswerKey
from archcalc.structs import Struct

NAME_LINE = "Name: …………………………   Number: …………………………"


class Notes(Struct):
    """The text above a table."""

    title: str
    rules: tuple[str, ...]
    """Sentences: what to count, the units, and when a number is right."""


def notes_of(key: AnswerKey, title: str = "", layout: str = "chw") -> Notes:
    """Return the notes of a worksheet."""
    counting = key.analysis.counting
    asked = {question.key: question for question in key.questions}
    kinds = {question.kind for question in key.questions}
    samples = "one sample" if counting.batch == 1 else f"{counting.batch} samples"
    rules = [f"Count for {samples}, with {counting.dtype} numbers."]
    if "output" in asked:
        order = "height×width×channels" if layout == "hwc" else "channels×height×width"
        rules.append(f"Write a shape as {order}, without the batch.")
    if {"params", "connections"} & set(asked):
        has_bias = any(costs.layer.op.weights().keys() & {"bias"} for costs in key.analysis.rows)
        rules.append("Count weights and biases." if has_bias else "Count weights only; there are no biases.")
    if "flops" in asked:
        rules.append(f"FLOPs are those of the convention {counting.convention}: {key.analysis.convention.says}.")
    if MEMORY in kinds:
        rules.append("1 KB is 1,024 bytes." if counting.convention == "lecture" else "1 kB is 1,000 bytes.")
    if MEMORY in kinds or COUNT in kinds:
        rules.append("You may round: a number is right if the true number rounds to its digits.")
    if not key.every_layer and any(len(row.layers) > 1 and not row.of_group for row in key.layers):
        rules.append("Activations, normalization and dropout belong to the row of the layer before them.")
    rules.append("Fill in the empty cells only. – marks a cell without a question.")
    return Notes(title or f"Worksheet: {key.network.about.title or key.network.name}", tuple(rules))
