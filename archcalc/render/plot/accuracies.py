"""Published accuracies on ImageNet, each with its source."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Accuracy(NamedTuple):
    """Accuracies on ImageNet's validation set with one crop, in percent."""

    network: str
    top1: float
    top5: float | None
    crop: int
    """Extent of the images, in pixels."""
    source: str


@cache
def accuracies() -> dict[str, Accuracy]:
    """Return every known accuracy by the name of its bundled network.

    Those from torchvision are of its first weights of each network, all trained by simple recipes; those from papers
    are of the authors' own training.
    """
    text = files(__package__).joinpath("accuracies.csv").read_text(encoding="utf-8")
    return {
        row["network"]: Accuracy(
            row["network"],
            float(row["top1"]),
            float(row["top5"]) if row["top5"] else None,
            int(row["crop"]),
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    }
