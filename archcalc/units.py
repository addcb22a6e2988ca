"""Units: numbers as people read them, with one unit per column and halves rounded up."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.structs import Struct


class Unit(Struct):
    """A unit, and the number of decimals in its column."""

    symbol: str
    size: int
    decimals: int = 0

    def text(self, value: int) -> str:
        """Return the value in this unit, with a half rounded up."""
        scaled = (value * 10**self.decimals * 2 + self.size) // (2 * self.size)
        whole, rest = divmod(scaled, 10**self.decimals)
        return f"{whole:,}" + (f".{rest:0{self.decimals}d}" if self.decimals else "")


COUNTS = tuple(Unit(symbol, 1000**power) for power, symbol in enumerate(("", "k", "M", "G", "T", "P", "E")))
BYTES = tuple(Unit(symbol, 1024**power) for power, symbol in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB")))
LECTURE_BYTES = tuple(Unit(unit.symbol.replace("i", ""), unit.size) for unit in BYTES)
"""The lectures write KB for 1024 bytes."""


def choose_unit(values: Sequence[int], units: Sequence[Unit], preferred: int) -> Unit:
    """Return the unit for a column: the preferred, a larger for long numbers, a smaller for tiny ones.

    ``preferred`` is the number of the lectures' unit: thousands of parameters, millions of operations, KB of memory.
    """
    present = sorted(value for value in values if value)
    if not present:
        return units[preferred]
    median, largest = present[(len(present) - 1) // 2], present[-1]
    chosen = preferred
    while chosen + 1 < len(units) and median >= 10_000 * units[chosen].size:
        chosen += 1
    while chosen > 0 and largest < units[chosen].size:
        chosen -= 1
    unit = units[chosen]
    if unit.size == 1 or largest >= 100 * unit.size:
        return unit
    return Unit(unit.symbol, unit.size, 1 if largest >= 10 * unit.size else 2)


def in_words(value: int, units: Sequence[Unit]) -> str:
    """Return one number with its own unit and at least three digits: `61.1 M`."""
    chosen = max((unit for unit in units if value >= unit.size), key=lambda unit: unit.size, default=units[0])
    if chosen.size == 1:
        return f"{value:,} {chosen.symbol}".strip()
    decimals = 2 if value < 10 * chosen.size else 1 if value < 100 * chosen.size else 0
    return f"{Unit(chosen.symbol, chosen.size, decimals).text(value)} {chosen.symbol}"
