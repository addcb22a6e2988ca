"""Ways to train a batch as a document: a row for each, with the command that shows it in full."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.precision import RECIPES
from archcalc.memory.estimating import estimated
from archcalc.memory.optimizers import TrainingStep
from archcalc.memory.ways import Way
from archcalc.render.document import Document, Section, Table, data_column, value_column, word_column
from archcalc.render.memory import estimate_notes
from archcalc.render.table import inputs_text
from archcalc.units import BYTES, choose_unit


def ways_document(
    analysis: Analysis, budget: int, step: TrainingStep, found: Sequence[Way], command: Sequence[str]
) -> Document:
    """Return the ways, best first. ``command`` are the words that all their commands have."""
    least = min((way.work for way in found), default=1)
    unit = choose_unit([way.bytes for way in found] or [budget], BYTES, 3)
    commands = {way: _command(command, way, budget) for way in found}

    def data() -> dict[str, Any]:
        rows = [{**way._asdict(), "command": commands[way]} for way in found]
        return {
            "network": analysis.network.name,
            "batch": analysis.batch,
            "budget_bytes": budget,
            "optimizer": step.optimizer,
            "estimated": list(estimated(analysis.network)),
            "ways": rows,
        }

    columns = (
        word_column("precision", lambda way: way.precision, "precision", is_name=True),
        value_column("passes", lambda way: way.passes, key="passes"),
        value_column("batch", lambda way: way.batch, key="batch"),
        value_column("recomputed blocks", lambda way: way.recomputed, key="recomputed"),
        value_column(f"peak ({unit.symbol})", lambda way: way.bytes, unit.text),
        data_column("bytes", lambda way: way.bytes),
        value_column("work", lambda way: way.work, lambda work: f"{100 * work / least:.1f} %"),
        data_column("macs", lambda way: way.work),
    )
    title = (
        f"{analysis.network.name} · input {inputs_text(analysis.network)} · training of batch {analysis.batch} with "
        f"{step.optimizer} in {budget:,} B"
    )
    notes = [f"{number}. {commands[way]}" for number, way in enumerate(found, 1)]
    if not found:
        notes = ["No way fits. Divide among more devices, train fewer layers, or use an optimizer with less state."]
    notes.append("Best first: the least work, then the fewest passes. Work is that of a step, as a share of the least.")
    notes += estimate_notes(analysis.network)
    return Document(analysis.network.name, (Table(title, columns, (Section(found),), tuple(notes)),), data)


def _command(words: Sequence[str], way: Way, budget: int) -> str:
    """Return the command that shows a way in full."""
    kind = "--precision" if way.precision in RECIPES or "=" in way.precision else "--dtype"
    own = ["archcalc", *words, "--batch", str(way.batch), kind, way.precision]
    if way.passes > 1:
        own += ["--accumulate", str(way.passes)]
    if way.recomputed:
        own += ["--checkpoint", f"{budget}B"]
    return shlex.join(own)
