"""References to networks that are not specs: a model of a package, a class in a Python file, an ONNX file.

Grammar::

    reference := package ":" name [ keywords ] | FILE ".py:" name [ keywords ] | FILE ".onnx"
    package   := "torchvision" | "timm" | "transformers"
    keywords  := "(" [ keyword "=" value { "," keyword "=" value } ] ")"
    value     := "true" | "false" | "none" | number | word | a string, list, tuple or dictionary of Python

Nothing is opened or imported here. Keywords that load weights are refused, so nothing is downloaded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archcalc.errors import UserError
from archcalc.structs import Struct
from archcalc.words import help_line, quote

PACKAGES = ("torchvision", "timm", "transformers")
_MODEL = re.compile(r"(torchvision|timm|transformers):([\w./-]+)(?:\((.*)\))?", re.DOTALL)
_CALLED = re.compile(r"([\w.]+)(?:\((.*)\))?", re.DOTALL)
_CONSTANTS = {"true": True, "false": False, "none": None}
_OF_WEIGHTS = ("weights", "pretrained", "checkpoint")
"""Beginnings of keywords that load weights."""
_LONGEST = 4000
_OPENING, _CLOSING = "([{", ")]}"

_PICKLES = "may run code when it is opened, so archcalc never opens it"
_WEIGHTS = "holds weights and no network"
REFUSED = {
    **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".pt2"), _PICKLES),
    **dict.fromkeys((".safetensors", ".npz"), _WEIGHTS),
    **dict.fromkeys(
        (".h5", ".hdf5", ".keras", ".pb", ".tflite"), "is a file of TensorFlow, which archcalc cannot read"
    ),
}
"""Suffixes of files that hold models and are not read, with the reason."""


class PackageModel(Struct):
    """A model of torchvision, timm or transformers."""

    package: str
    name: str
    keywords: Mapping[str, Any] = {}
    text: str = ""
    """The reference as it was written."""


class ScriptModel(Struct):
    """A class of modules, or a function that returns one, in a Python file."""

    path: Path
    name: str
    keywords: Mapping[str, Any] = {}
    text: str = ""


class OnnxModel(Struct):
    """An ONNX file."""

    path: Path
    text: str = ""


Source = PackageModel | ScriptModel | OnnxModel


def names_model(text: str) -> bool:
    """Return True for a text that begins as a reference of this grammar does: it may hold `=` and is no assertion."""
    return text.partition(":")[0] in PACKAGES or ".py:" in text


def parse_source(reference: str) -> Source | None:
    """Return what a reference names; None for a spec, by its name or file.

    Raises:
        UserError: for an invalid reference, a keyword that loads weights, or a file that is not read.
    """
    suffix = Path(reference).suffix.lower()
    if reference.partition(":")[0] in PACKAGES and ":" in reference:
        return parse_model(reference)
    if suffix == ".onnx":
        return OnnxModel(Path(reference), reference)
    if suffix in REFUSED:
        raise UserError(f"{quote(reference)} {REFUSED[suffix]}{help_line(_INSTEAD)}")
    return _script(reference)


_INSTEAD = (
    "name what makes the model: archcalc table FILE.py:CLASS --input C,H,W, or timm:NAME, torchvision:NAME, "
    "transformers:NAME; or write it as an ONNX file"
)


def parse_model(reference: str) -> PackageModel:
    """Return the model of a package that a reference names. Raises `UserError` for any other reference."""
    match = _MODEL.fullmatch(reference) if len(reference) <= _LONGEST else None
    if match is None or ("/" in match[2] and match[1] != "transformers"):  # timm would take it for a file, or a page
        raise UserError(
            f"invalid reference {quote(reference)}"
            + help_line("write torchvision:NAME, timm:NAME or transformers:CLASS, with (KEYWORD=VALUE, …) if needed")
        )
    package, name, text = match.groups()
    keywords = parse_keywords(text or "")
    for key in keywords:
        if key.startswith(_OF_WEIGHTS):
            raise UserError(f"unsupported keyword {quote(key)}: a reference is built without trained weights")
    return PackageModel(package, name, keywords, reference)


def _script(reference: str) -> ScriptModel | None:
    file, colon, called = reference.partition(".py:")
    if not colon:
        if reference.lower().endswith(".py"):
            path = Path(reference)
            model = next(iter(class_names(path)), "CLASS")
            raise UserError(f"{quote(reference)} is a Python file{help_line(f'name its model: {path}:{model}')}")
        return None
    match = _CALLED.fullmatch(called.strip()) if len(reference) <= _LONGEST else None
    if match is None:
        fix = help_line("write FILE.py:CLASS, or FILE.py:CLASS(KEYWORD=VALUE, …)")
        raise UserError(f"invalid reference {quote(reference)}{fix}")
    return ScriptModel(Path(file + ".py"), match[1], parse_keywords(match[2] or ""), reference)


def class_names(path: Path) -> list[str]:
    """Return the classes in a Python file, without running it: first the modules that no other class names."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    parts = {name.id for node in classes for name in ast.walk(node) if isinstance(name, ast.Name)}
    classes.sort(
        key=lambda node: (not any(ast.unparse(base).endswith("Module") for base in node.bases), node.name in parts)
    )
    return [node.name for node in classes]


def parse_keywords(text: str) -> dict[str, Any]:
    """Return the keywords of a call: `width=32, kernel=(3, 3), act=relu`."""
    keywords = {}
    for part in filter(None, map(str.strip, _parts(text))):
        key, equals, value = map(str.strip, part.partition("="))
        if not equals or not key.isidentifier():
            raise UserError(f"expected KEYWORD=VALUE in a reference, got {quote(part)}")
        keywords[key] = _value(value)
    return keywords


def _parts(text: str) -> Iterator[str]:
    """Split at the commas that are outside brackets and quotes."""
    depth, quoted, start = 0, "", 0
    for position, character in enumerate(text):
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "'\"":
            quoted = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]


def _value(text: str) -> Any:
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text.strip("'\"")
