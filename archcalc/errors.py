"""Errors of the user, and where in a document they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from archcalc.structs import Struct, replace
from archcalc.words import help_line, printable, split_help


class Place(Struct):
    """Part of one line of a document. Lines and columns count from 0."""

    file: str
    lines: Sequence[str]
    line: int
    column: int
    length: int = 1

    ignored = ("lines",)

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


class RefusedCall(Struct):
    """An operator call that a shape rule refused."""

    layer: str
    kind: type
    """The operator's class."""
    inputs: tuple[tuple[int, ...], ...]
    """Shapes of its inputs, per sample."""
    given: dict[str, Any]
    """Its arguments by name."""


class Fix(Struct):
    """A change of one line of a spec: what to write in place of a part of it. Lines and columns count from 0."""

    line: int
    column: int
    length: int
    """Characters that are replaced; 0 inserts."""
    text: str


class Diagnostic(Struct):
    """One problem in a spec: its message and place, and the operator call if a shape rule failed."""

    message: str
    place: Place | None = None
    call: RefusedCall | None = None
    """The operator call that was refused; None for every other problem."""
    is_warning: bool = False
    """True if the spec is valid, but probably not what was meant."""
    code: str = ""
    """The code of its rule, such as `A101`; empty until lint gives it one."""
    fixes: tuple[Fix, ...] = ()
    """The changes that correct it, if only one correction is possible; else empty."""

    ignored = ("call", "fixes")

    def coded(self) -> Diagnostic:
        """Return the same with a code: by the shape rule that failed, else by its message."""
        return self if self.code else replace(self, code="A003" if self.call else code_of(self.message, self.place))

    def __str__(self) -> str:
        statement, fix = split_help(self.message)
        level = f"{'warning' if self.is_warning else 'error'}{f'[{self.code}]' if self.code else ''}"
        message = f"{level}: {printable(statement, keep=chr(10))}"
        if self.place is None:
            return message + help_line(printable(fix))
        picture = self.place.picture()
        return f"{self.place}: {message}" + (f"\n{picture}" if picture else "") + help_line(printable(fix))


_CODES_BY_WORDS = {
    "A001": ("invalid YAML",),
    "A002": (
        *("unknown ", "there is no network", "no bundled network"),
        *(" has no argument ", " has no key ", " has no parameter ", " has no layer "),
    ),
    "A202": ("there is no file", "No such file"),
    "A204": ("invalid expression", " is not an assertion", "takes one comparison"),
}


def code_of(message: str, place: Place | None = None) -> str:
    """Return the code that the words of a message have: of an invalid spec if there is a place in it."""
    statement, _ = split_help(message)
    found = (code for code, words in _CODES_BY_WORDS.items() if any(word in statement for word in words))
    return next(found, "A004" if place else UserError.code)


class UserError(ValueError):
    """An error of the user. The message says what, where, why, and on a `help:` line how to fix it.

    Every other exception that reaches the command line is a fault of archcalc.
    """

    exit_code = 2
    """What the command line exits with."""
    code = "A200"
    """The code of its kind, which `archcalc help CODE` explains; a message may say more than the class."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def report(self) -> str:
        """Return what the command line prints."""
        statement, fix = split_help(str(self))
        code = code_of(statement) if type(self).code == UserError.code else self.code
        return f"error[{code}]: {printable(statement)}{help_line(printable(fix))}"


class UnknownLayer(UserError, KeyError):
    """The network has no layer with that name."""

    code = "A002"


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

    def with_call(self, call: RefusedCall) -> SpecError:
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
        """Return every diagnostic with its code, its place and its line."""
        return "\n".join(str(diagnostic.coded()) for diagnostic in self.diagnostics)


class TooMany(Exception):
    """Expansion stops: there are so many errors that more would not help."""


class Overflow(Exception):
    """Expansion stops because a limit is crossed; ``error`` says which."""

    def __init__(self, error: SpecError) -> None:
        super().__init__(error)
        self.error = error
