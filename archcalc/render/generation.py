"""Generation as a document: the cache of keys and values, and the costs of the prompt and of each token after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from archcalc.memory.generation import Generation, Phase
from archcalc.render.document import Document, Section, Table, data_column, value_column, word_column
from archcalc.render.memory import AmountRow, amount_columns
from archcalc.runtime.device_profile import DeviceProfile
from archcalc.units import BYTES, COUNTS, choose_unit


def generation_document(found: Generation, profile: DeviceProfile | None) -> Document:
    """Return the memory of weights and cache, and a row for each phase; with a profile, its bounds."""
    analysis = found.analysis
    dtype = analysis.counting.roles.computing
    rates = {} if profile is None else {phase: _bound(phase, profile, dtype) for phase in (found.prompt, found.token)}

    def data() -> dict[str, Any]:
        return {
            "network": analysis.network.name,
            "batch": analysis.batch,
            "dtype": analysis.dtype,
            "context": found.context,
            "weights_bytes": found.weights,
            "cache_bytes": found.cache,
            "cache_elements_per_token": found.cached,
            "memory_bytes": found.memory,
            "device": profile.name if profile else None,
            **{name: _phase_dict(phase, rates.get(phase)) for name, phase in _phases(found)},
        }

    return Document(analysis.network.name, (_memory(found), _costs(found, profile, rates)), data)


class _Bound(NamedTuple):
    """The time that a device needs at least, and what decides."""

    seconds: float
    by: str


def _bound(phase: Phase, profile: DeviceProfile, dtype: str) -> _Bound:
    """Return the larger of the times of the work and of the bytes."""
    times = {"compute": phase.flops / profile.peak(dtype), "memory": phase.bytes / profile.bandwidth}
    by = max(times, key=lambda name: times[name])
    return _Bound(times[by], by)


def _phases(found: Generation) -> tuple[tuple[str, Phase], ...]:
    return ("prompt", found.prompt), ("token", found.token)


def _phase_dict(phase: Phase, bound: _Bound | None) -> dict[str, Any]:
    sizes = {f"{name}_bytes": getattr(phase, name) for name in ("weights_read", "cache_read", "cache_written")}
    return {
        "tokens": phase.tokens,
        "macs": phase.macs,
        "flops_full": phase.flops,
        **sizes,
        "moved_bytes": phase.bytes,
        "seconds_at_least": bound.seconds if bound else None,
        "bound": bound.by if bound else None,
    }


def _memory(found: Generation) -> Table:
    batch, roles = found.analysis.batch, found.analysis.counting.roles
    of_token = f"{found.cached:,} numbers in {roles.cache or roles.activations} for each of {found.context:,} tokens"
    parts = [
        AmountRow("weights", found.weights, f"{found.analysis.totals.params:,} parameters"),
        AmountRow("keys and values", found.cache, f"{of_token}, {batch:,} sequence{'s' if batch > 1 else ''}"),
    ]
    unit = choose_unit([part.bytes for part in parts], BYTES, 3)
    about = found.analysis.network.about.title
    title = f"{found.analysis.network.name}{f' · {about}' if about else ''} · generation · batch {batch} · "
    whole = AmountRow("sum", found.memory, "without activations")
    return Table(f"{title}{found.analysis.dtype}", amount_columns(unit), (Section(parts, whole),))


def _costs(found: Generation, profile: DeviceProfile | None, rates: dict[Phase, _Bound]) -> Table:
    """Return the work and bytes of the prompt and of the token after it."""
    phases = _phases(found)
    work = choose_unit([found.token.macs], COUNTS, 3)
    size = choose_unit([found.token.bytes], BYTES, 3)
    names = {"prompt": f"prompt of {found.context:,}", "token": "each token after it"}

    def of(attribute: str) -> Callable[[tuple[str, Phase]], Any]:
        return lambda row: getattr(row[1], attribute)

    columns = [
        word_column("run", lambda row: names[row[0]], "run", is_name=True),
        value_column(f"MACs ({work.symbol})", of("macs"), work.text),
        data_column("macs", of("macs")),
        value_column(f"moved ({size.symbol})", of("bytes"), size.text),
        data_column("bytes", of("bytes")),
    ]
    notes = ["Moved: weights once, keys and values of the tokens before and of this one; no activations."]
    if profile is not None:

        def tokens_per_second(row: tuple[str, Phase]) -> float:
            return row[1].tokens * found.analysis.batch / rates[row[1]].seconds

        columns += [
            value_column("at least (ms)", lambda row: 1000 * rates[row[1]].seconds, lambda value: f"{value:,.2f}"),
            word_column("bound by", lambda row: rates[row[1]].by),
            value_column("tokens/s at most", tokens_per_second, lambda value: f"{value:,.0f}"),
        ]
        notes.append(f"By the roofline of {profile.name}: the larger of the times of the work and of the bytes.")
    return Table("", tuple(columns), (Section(phases),), tuple(notes))
