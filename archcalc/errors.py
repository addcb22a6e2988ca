"""Errors of the user, and where in a document they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archcalc.words import help_line, printable, split_help


@dataclass(frozen=True)
class Place:
    """Part of one line of a document. Lines and columns count from 0."""

    file: str
    lines: Sequence[str] = field(compare=False, repr=False)
    line: int
    column: int
    length: int = 1

    def shifted(self, offset: int, length: int) -> Place:
        """Return a part of this one."""
        return Place(self.file, self.lines, self.line, self.column + offset, max(length, 1))

    def __str__(self) -> str:
        return f"{printable(self.file)}:{self.line + 1}:{self.column + 1}"

    def picture(self) -> str:
        """Return the line, cut to 110 characters, with a caret and tildes under the place."""
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
class OperatorCall:
    """An operator call that a shape rule refused."""

    layer: str
    kind: type
    """The operator's class."""
    inputs: tuple[tuple[int, ...], ...]
    """Shapes of its inputs, per sample."""
    given: dict[str, Any]
    """Its arguments by name."""


@dataclass(frozen=True)
class Diagnostic:
    """One problem in a spec: its message and place, and the operator call if a shape rule failed."""

    message: str
    place: Place | None = None
    call: OperatorCall | None = field(default=None, compare=False, repr=False)
    """The operator call that was refused; None for every other problem."""
    is_warning: bool = False
    """True if the spec is valid, but probably not what was meant."""

    def __str__(self) -> str:
        statement, fix = split_help(self.message)
        message = f"{'warning' if self.is_warning else 'error'}: {printable(statement, keep=chr(10))}"
        if self.place is None:
            return message + help_line(printable(fix))
        picture = self.place.picture()
        return f"{self.place}: {message}" + (f"\n{picture}" if picture else "") + help_line(printable(fix))


class UserError(ValueError):
    """An error of the user. The message says what, where, why, and on a `help:` line how to fix it.

    Every other exception that reaches the command line is a fault of archcalc.
    """

    exit_code = 2
    """What the command line exits with."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def report(self) -> str:
        """Return what the command line prints."""
        statement, fix = split_help(str(self))
        return f"error: {printable(statement)}{help_line(printable(fix))}"


class UnknownLayer(UserError, KeyError):
    """The network has no layer with that name."""


class SpecError(UserError):
    """An invalid spec: all its errors, in the order of the text.

    Examples:
        >>> import archcalc
        >>> try:
        ...     archcalc.loads("input: [3, 8, 8]\\nlayers: [{conv: 8, kernal: 3}]")
        ... except archcalc.SpecError as error:
        ...     print(error)
        spec.yaml:2:20: error: conv has no argument 'kernal'
            2 | layers: [{conv: 8, kernal: 3}]
              |                    ^~~~~~
        help: did you mean 'kernel'?
    """

    def __init__(self, diagnostics: Iterable[Diagnostic] | str, place: Place | None = None) -> None:
        if isinstance(diagnostics, str):
            diagnostics = [Diagnostic(diagnostics, place)]
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def with_call(self, call: OperatorCall) -> SpecError:
        """Return the same error with the operator call that was refused."""
        return SpecError([replace(diagnostic, call=call) for diagnostic in self.diagnostics])

    def moved(self, place: Place, reason: str) -> SpecError:
        """Return the same error at another place, with the reason; diagnostics already at that place are unchanged."""
        return SpecError(
            diagnostic
            if diagnostic.place is None or diagnostic.place == place
            else replace(
                diagnostic, message=f"{reason} (line {diagnostic.place.line + 1}): {diagnostic.message}", place=place
            )
            for diagnostic in self.diagnostics
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.diagnostics))

    def report(self) -> str:
        """Return every diagnostic with its place and its line."""
        return str(self)


class TooMany(Exception):
    """Expansion stops: there are so many errors that more would not help."""


class Overflow(Exception):
    """Expansion stops because a limit is crossed; ``error`` says which."""

    def __init__(self, error: SpecError) -> None:
        super().__init__(error)
        self.error = error
