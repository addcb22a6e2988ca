"""Errors of the user, and diagnostics of a spec: what is wrong and where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archcalc.words import printable


@dataclass(frozen=True)
class Place:
    """A part of one line of a document. Lines and columns count from 0."""

    file: str
    lines: Sequence[str] = field(compare=False, repr=False)
    line: int
    column: int
    length: int = 1

    def shifted(self, offset: int, length: int) -> Place:
        """Return a part of this place."""
        return Place(self.file, self.lines, self.line, self.column + offset, max(length, 1))

    def __str__(self) -> str:
        return f"{printable(self.file)}:{self.line + 1}:{self.column + 1}"

    def picture(self) -> str:
        """Return the line, shortened to fit, with carets under the place."""
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
    """A use of an operator that a shape rule refused."""

    layer: str
    kind: type
    """The operator's class."""
    inputs: tuple[tuple[int, ...], ...]
    """Shapes of its inputs, per sample."""
    given: dict[str, Any]
    """Its arguments as the spec has them."""


@dataclass(frozen=True)
class Diagnostic:
    """One problem in a spec: its message and place, and the operator call if a shape rule failed."""

    message: str
    place: Place | None = None
    call: OperatorCall | None = field(default=None, compare=False, repr=False)
    is_warning: bool = False
    """True for something allowed that is probably a mistake."""

    def __str__(self) -> str:
        message = f"{'warning' if self.is_warning else 'error'}: {printable(self.message, keep=chr(10))}"
        if self.place is None:
            return message
        picture = self.place.picture()
        return f"{self.place}: {message}" + (f"\n{picture}" if picture else "")


class UserError(ValueError):
    """An error in what the user did or asked for; the message says what, where and how to fix it.

    Every other exception that reaches the command line is a fault of archcalc.
    """

    exit_code = 2

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def report(self) -> str:
        """Return what the command line prints of the error."""
        return f"error: {printable(str(self))}"


class UnknownLayer(UserError, KeyError):
    """A network has no layer of that name."""


class SpecError(UserError):
    """An invalid spec, with all its diagnostics in the order of the text.

    >>> import archcalc
    >>> try:
    ...     archcalc.loads("name: n\\ninput: [3, 8, 8]\\nlayers: [{conv: 4, kernal: 3}]")
    ... except archcalc.SpecError as error:
    ...     error.diagnostics[0].message
    "conv has no argument 'kernal'; did you mean kernel?"
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
        """Return the same error at another place, with ``reason`` before each message.

        Diagnostics that are at that place already do not change.
        """
        return SpecError(
            diagnostic
            if diagnostic.place is None or diagnostic.place == place
            else replace(
                diagnostic,
                message=f"{reason} (line {diagnostic.place.line + 1}): {diagnostic.message}",
                place=place,
            )
            for diagnostic in self.diagnostics
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.diagnostics))

    def report(self) -> str:
        """Return every diagnostic with its place and its line."""
        return str(self)


class TooMany(Exception):
    """There are so many diagnostics that more would not help."""


class Overflow(Exception):
    """A limit that ends the expansion is exceeded; holds the error."""

    def __init__(self, error: SpecError) -> None:
        super().__init__(error)
        self.error = error
