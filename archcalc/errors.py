"""What is wrong with a spec, where, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archcalc.words import printable


@dataclass(frozen=True)
class Place:
    """A stretch of one line of a document. Lines and columns count from 0."""

    file: str
    lines: Sequence[str] = field(compare=False, repr=False)
    line: int
    column: int
    length: int = 1

    def shifted(self, offset: int, length: int) -> Place:
        """A stretch inside this one."""
        return Place(self.file, self.lines, self.line, self.column + offset, max(length, 1))

    def __str__(self) -> str:
        return f"{printable(self.file)}:{self.line + 1}:{self.column + 1}"

    def picture(self) -> str:
        """The line, cut to what fits, with carets under the stretch."""
        if not 0 <= self.line < len(self.lines):
            return ""
        text = self.lines[self.line].rstrip("\r\n")
        start = max(0, self.column - 60)
        shown = printable(text[start : start + 110])
        lead = len(printable(text[start : self.column]))
        marked = len(printable(text[self.column : min(self.column + self.length, start + 110)])) or 1
        number = f"{self.line + 1:>5} | "
        return f"{number}{shown}\n{' ' * (len(number) - 2)}| {' ' * lead}^{'~' * (marked - 1)}"


@dataclass(frozen=True)
class Attempt:
    """An application of an operator that a rule refused."""

    layer: str
    kind: type
    """The operator's class."""
    inputs: tuple[tuple[int, ...], ...]
    """Shapes of its inputs, per sample."""
    given: dict[str, Any]


@dataclass(frozen=True)
class Diagnostic:
    """One problem in a spec: its message and place, and the operator call if a shape rule failed."""

    message: str
    place: Place | None = None
    attempt: Attempt | None = field(default=None, compare=False, repr=False)
    """The application of an operator that a rule refused, if it is that."""
    is_warning: bool = False
    """Whether it is allowed, and only probably not what was meant."""

    def __str__(self) -> str:
        message = f"{'warning' if self.is_warning else 'error'}: {printable(self.message, keep=chr(10))}"
        if self.place is None:
            return message
        picture = self.place.picture()
        return f"{self.place}: {message}" + (f"\n{picture}" if picture else "")


class UserError(ValueError):
    """What a user did or asked for cannot be done; the message says what, where and how to mend it.

    Every other exception that reaches the command line is a fault of archcalc.
    """

    exit_code = 2

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def report(self) -> str:
        """What the command line prints of it."""
        return f"error: {printable(str(self))}"


class UnknownLayer(UserError, KeyError):
    """A network has no layer of that name."""


class SpecError(UserError):
    """A spec that is not right: all its mistakes, in the order of the text."""

    def __init__(self, mistakes: Iterable[Diagnostic] | str, place: Place | None = None) -> None:
        if isinstance(mistakes, str):
            mistakes = [Diagnostic(mistakes, place)]
        self.mistakes = tuple(mistakes)
        super().__init__(self.mistakes)

    def after(self, attempt: Attempt) -> SpecError:
        """The same error, with the application that was refused."""
        return SpecError([replace(mistake, attempt=attempt) for mistake in self.mistakes])

    def moved(self, place: Place, reason: str) -> SpecError:
        """The same error at another place, after the reason why it is there; what is there already stays as it is."""
        return SpecError(
            mistake
            if mistake.place is None or mistake.place == place
            else replace(mistake, message=f"{reason} (line {mistake.place.line + 1}): {mistake.message}", place=place)
            for mistake in self.mistakes
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.mistakes))

    def report(self) -> str:
        """Every mistake with its place and its line."""
        return str(self)


class TooMany(Exception):
    """So many mistakes that more would not help."""


class Overflow(Exception):
    """A limit is crossed that ends the expansion; holds the error."""

    def __init__(self, error: SpecError) -> None:
        super().__init__(error)
        self.error = error
