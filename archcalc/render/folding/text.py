"""Texts of a spec: its first lines, values, names and references, as YAML reads them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from archcalc.network import Network

WIDTH = 116
_WORD = re.compile(r"[A-Za-z_][\w/-]*|[0-9]+", re.ASCII)
_PHRASE = re.compile(r"[A-Za-z_][\w.]*( [\w.]+)*", re.ASCII)
_REFERENCE = re.compile(r"\.?\w[\w/.-]*", re.ASCII)
_TEXT = re.compile(r"[A-Za-z0-9][^\r\n]*")
_NULLS = ("null", "~")


class SpecText(str):
    """An expression."""

    __slots__ = ()


def head_lines(network: Network) -> Iterator[str]:
    """Yield the lines before `layers`: what the network is, and its inputs and outputs."""
    about = network.about
    texts = {"name": network.name, "title": about.title, "source": about.source}
    texts |= {"year": str(about.year or ""), "reference": about.reference, "notes": about.notes}
    for key, text in texts.items():
        if text:
            yield from _text(key, text)
    shapes = {name: value_text(_named(network, name)) for name in network.inputs}
    if list(shapes) == ["input"]:
        yield f"input: {shapes['input']}"
    else:
        yield f"inputs: {{{', '.join(f'{name_text(name)}: {shape}' for name, shape in shapes.items())}}}"
    if network.renames:
        pairs = (f"{_path(own)}: {_path(meant)}" for own, meant in network.renames.items())
        yield f"rename: {{{', '.join(pairs)}}}"
    if network.outputs != (_last(network),):
        yield f"outputs: [{', '.join(map(reference_text, network.outputs))}]"


def _named(network: Network, name: str) -> Any:
    """Return an input's sizes, as a mapping where its axes have names of their own."""
    shape, axes = network.inputs[name], network.input_axes.get(name)
    return dict(zip(axes, shape, strict=True)) if axes else shape


def _last(network: Network) -> str:
    """Return the output of the main path by default."""
    return next((layer.name for layer in reversed(network.layers) if not layer.side), next(iter(network.inputs)))


def _text(key: str, text: str) -> list[str]:
    """Return a key with a text: on its line, folded if it is long, quoted if YAML would read it otherwise."""
    if not text.isprintable() or text in _NULLS:
        return [f"{key}: {_quoted(text)}"]
    if len(key) + len(text) + 2 > WIDTH:
        lines = textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
        return [f"{key}: >-", *(f"  {line}" for line in lines)]
    plain = _TEXT.fullmatch(text) and not re.search(r": | #|:$", text)
    return [f"{key}: {text if plain else _quoted(text)}"]


def argument_text(value: Any) -> str:
    """Return a value beside others in braces: in quotes if YAML would end it too early, or read it otherwise."""
    text = value_text(value)
    if isinstance(value, SpecText):
        return f'"{text}"' if any(mark in text for mark in ",[]{}") else text
    return text if not isinstance(value, str) or (_PHRASE.fullmatch(text) and text not in _NULLS) else _quoted(text)


def value_text(value: Any) -> str:
    """Return an argument as an expression."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_path(name)}: {value_text(item)}' for name, item in value.items())}}}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (float, Fraction)):
        return _number(Fraction(repr(value)) if isinstance(value, float) else value)
    return str(value)


def _number(value: Fraction) -> str:
    """Return an exact number: a decimal if it ends, else a quotient."""
    twos, fives, rest = 0, 0, value.denominator
    while rest % 2 == 0:
        twos, rest = twos + 1, rest // 2
    while rest % 5 == 0:
        fives, rest = fives + 1, rest // 5
    places = max(twos, fives)
    if rest != 1 or places > 20:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + whole + (f".{part}" if part else "")


def name_text(name: str) -> str:
    """Return a name for a step; braces, which would be expressions, are written as expressions."""
    escaped = re.sub(r"[{}]", lambda brace: f"{{'\\x{ord(brace[0]):02x}'}}", name)
    return escaped if _WORD.fullmatch(escaped) and escaped not in _NULLS else _quoted(escaped)


def reference_text(name: str) -> str:
    """Return a name for `from`, with dots."""
    return name if _REFERENCE.fullmatch(name) and name not in _NULLS else name_text(name)


def _path(path: str) -> str:
    """Return a key or path in which braces are not expressions."""
    return path if _REFERENCE.fullmatch(path) and path not in _NULLS else _quoted(path)


def _quoted(text: str) -> str:
    """Return a text in double quotes, with YAML's escapes for characters that do not print."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return (
        f"\\x{ord(character):02x}"
        if ord(character) < 256
        else f"\\u{ord(character):04x}"
        if ord(character) < 65536
        else f"\\U{ord(character):08x}"
    )
