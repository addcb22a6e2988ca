"""What a page asks for: a message from the browser, checked field by field before anything uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from archcalc.errors import UserError
from archcalc.words import quote

LONGEST_TEXT = 1_000_000
"""Characters of a spec in a message; the language's own limit is in bytes."""
ASKS = ("show", "complete", "download", "open", "save", "grade")
"""The kinds of messages."""
PANELS = ("drawing", "memory", "roofline", "costs", "compare", "formula", "budget", "exercise")
STYLES = ("graph", "volumes", "paper", "blocks")
DIRECTIONS = ("TB", "LR", "BT", "RL")
MOST_ENTRIES = 200
"""Settings of a view, and sizes of its inputs."""
MOST_ANSWERS = 20_000


class InvalidMessage(UserError):
    """A message that no page sends."""


def _text(longest: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= longest


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _one_of(words: tuple[str, ...]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _mapping(check: Callable[[Any], bool], most: int = MOST_ENTRIES) -> Callable[[Any], bool]:
    name = _text(200)
    return lambda value: (
        isinstance(value, dict) and len(value) <= most and all(name(key) and check(each) for key, each in value.items())
    )


_depth = _optional(_whole(1, 100))
_word = _text(100)


def _anything(value: Any) -> bool:
    return True


def _checked(check: Callable[[Any], bool], default: Any = MISSING) -> Any:
    """Declare a field with the check of its values; one without a default is required."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"check": check})
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class View:
    """What is shown of a network, and how it is counted."""

    variant: str = _checked(_word, "")
    """A variant of the spec; empty for the spec itself."""
    settings: Mapping[str, str] = _checked(_mapping(_text(1000)), {})
    """Parameters and open sizes to expressions."""
    sizes: Mapping[str, int] = _checked(_mapping(_whole(1, 1 << 20)), {})
    """Sizes of inputs in place of the spec's, such as `input.1`: the second of the input named input."""
    batch: int = _checked(_whole(1, 1 << 30), 1)
    dtype: str = _checked(_word, "float32")
    convention: str = _checked(_word, "lecture")
    columns: str = _checked(_text(1000), "")
    """Quantities, separated by commas; empty for the lecture's."""
    depth: int | None = _checked(_depth, None)
    every_layer: bool = _checked(_flag, False)
    exact: bool = _checked(_flag, False)
    panel: str = _checked(_one_of(PANELS), "drawing")
    layer: str = _checked(_text(1000), "")
    """The chosen layer; empty if none is chosen."""
    style: str = _checked(_one_of(STYLES), "graph")
    dark: bool = _checked(_flag, False)
    """True if the reader prefers dark: figures are drawn for it."""
    draw_depth: int | None = _checked(_depth, None)
    draw_all: bool = _checked(_flag, False)
    unfolded: bool = _checked(_flag, False)
    direction: str = _checked(_one_of(DIRECTIONS), "TB")
    heat: str = _checked(_word, "")
    mode: str = _checked(_word, "inference")
    optimizer: str = _checked(_word, "sgd")
    device: str = _checked(_word, "a100")
    """A bundled device profile."""
    metric: str = _checked(_word, "macs")
    other: str = _checked(_text(200), "")
    """The bundled network to compare with; empty for the kept point."""
    lets: str = _checked(_text(1000), "")
    """Numbers left open in formulas, separated by commas: `H=32*h, width`."""
    assertions: str = _checked(_text(20_000), "")
    """Assertions of a budget, one per line."""
    exercise: str = _checked(_one_of(("quiz", "worksheet")), "quiz")
    seed: int = _checked(_whole(0, 10**9), 1)
    """The same seed gives the same quiz."""
    topic: str = _checked(_text(200), "conv,pool,linear,rf,chain")
    level: str = _checked(_one_of(("easy", "medium", "hard")), "medium")
    asked: str = _checked(_text(200), "")
    """Questions of the worksheet, separated by commas; empty for the usual."""


@dataclass(frozen=True)
class Message:
    """A question of a page."""

    ask: str = _checked(_one_of(ASKS))
    number: int = _checked(_whole(0, 1 << 53))
    """Its number within its page; the answers have it too."""
    text: str = _checked(_text(LONGEST_TEXT), "")
    """The text of the spec."""
    view: View = field(default_factory=View, metadata={"check": _anything})
    kept: tuple[str, View] | None = _checked(_anything, None)
    """The text and the view of the point that the page keeps."""
    shared: bool = _checked(_flag, False)
    """True if the text came by a link: it is not a text of this user."""
    line: int = _checked(_whole(0, 1_000_000), 0)
    """For complete: the cursor's line and column, from 0."""
    column: int = _checked(_whole(0, 1_000_000), 0)
    name: str = _checked(_text(200), "")
    """For open: a bundled network. For download: a format."""
    answers: Mapping[str, str] = _checked(_mapping(_text(1000), MOST_ANSWERS), {})
    """For grade: fields of the exercise to what was written there."""


def read_message(raw: str) -> Message:
    """Return the message of a text from a browser.

    Raises `InvalidMessage` for anything that a page does not send.
    """
    try:
        data = json.loads(raw, parse_int=_integer, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidMessage("expected a message in JSON") from None
    return message_of(data)


def message_of(data: Any) -> Message:
    """Return the message of plain data; see `read_message`."""
    values = _fields(data, _checks(Message), "a message")
    if "ask" not in values or "number" not in values:
        raise InvalidMessage("a message has an ask and a number")
    values["view"] = view_of(values.get("view", {}))
    kept = values.get("kept")
    if kept is not None:
        checks = _checks(Message)
        parts = _fields(kept, {name: checks[name] for name in ("text", "view")}, "a kept point")
        values["kept"] = (parts.get("text", ""), view_of(parts.get("view", {})))
    return Message(**values)


def view_of(data: Any) -> View:
    """Return the view of plain data. Raises `InvalidMessage` for an unknown field or value."""
    return View(**_fields(data, _checks(View), "a view"))


def _checks(kind: type[View] | type[Message]) -> dict[str, Callable[[Any], bool]]:
    """Return the check of each field."""
    return {each.name: each.metadata["check"] for each in fields(kind)}


def _fields(data: Any, known: Mapping[str, Callable[[Any], bool]], what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InvalidMessage(f"expected {what}, with names and values")
    for name, value in data.items():
        if name not in known:
            raise InvalidMessage(f"{what} has no field {quote(name[:100])}")
        if not known[name](value):
            raise InvalidMessage(f"invalid value of {name} in {what}")
    return dict(data)


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        raise ValueError(text)
    return int(text)


def _refuse(text: str) -> Any:
    raise ValueError(text)
