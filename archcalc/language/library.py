"""Finding a spec: a bundled network by its name, or a file by its path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.errors import SpecError
from archcalc.language.language import Spec
from archcalc.language.source import Document, read_document
from archcalc.network import Network
from archcalc.words import did_you_mean, quote

SUFFIXES = (".yaml", ".yml")


@cache
def bundled_folder() -> Path:
    """The folder of the bundled specs: inside the installed package, or at the top of a checkout."""
    installed = Path(__file__).resolve().parent.parent / "specs"
    return installed if installed.is_dir() else installed.parent.parent / "specs"


_NAME = re.compile(r"^name: *(\S+) *$", re.MULTILINE)
_VARIANTS = re.compile(r"^variants:\n((?:(?: .*)?\n)+)", re.MULTILINE)
_VARIANT = re.compile(r"^  (\w+):", re.MULTILINE)


@cache
def bundled() -> dict[str, tuple[Path, str | None]]:
    """Every bundled name, as people may write it, to its file and variant.

    Found by the layout that all bundled specs keep, without parsing them: this is on the way of every command.
    """
    found: dict[str, tuple[Path, str | None]] = {}
    for path in sorted(bundled_folder().glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        name = _NAME.search(text)
        found[plain(name.group(1) if name else path.stem)] = (path, None)
        variants = _VARIANTS.search(text + "\n")
        for variant in _VARIANT.findall(variants.group(1)) if variants else ():
            found[plain(variant)] = (path, variant)
    return found


def bundled_networks() -> list[tuple[Path, str | None]]:
    """File and variant of every bundled network: the variants of a family, or the file itself if it has none."""
    families = {path for path, variant in bundled().values() if variant}
    return [(path, variant) for path, variant in bundled().values() if variant or path not in families]


def plain(name: str) -> str:
    """A name without what people write differently: case, and `-` for `_`."""
    return name.lower().replace("-", "_")


def find(reference: str) -> tuple[Spec, str | None]:
    """The spec and variant that a user means: a bundled name, a path, or either with `#variant`.

    A path that does not exist but names a bundled spec is that spec.
    """
    if not reference.strip() or "\0" in reference:
        raise SpecError(f"{quote(reference)} names no network")
    base, _, variant = reference.partition("#")
    if plain(base) in bundled():  # none of these names looks like a path
        return _bundled(plain(base), variant)
    path = Path(base)
    looks_like_path = path.suffix in SUFFIXES or len(path.parts) > 1
    if _exists(path) or (looks_like_path and plain(path.stem) not in bundled()):
        spec = open_spec(path)
        return spec, _variant(spec, variant) if variant else None
    if looks_like_path:
        return _bundled(plain(path.stem), variant)
    hint = did_you_mean(base, bundled())
    raise SpecError(f"there is no network {quote(base)}{hint or '; see archcalc list'}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _bundled(name: str, variant: str) -> tuple[Spec, str | None]:
    path, own = bundled()[name]
    spec = _bundled_spec(path)
    return spec, _variant(spec, variant) if variant else own


@cache
def _bundled_spec(path: Path) -> Spec:
    return open_spec(path)


def open_spec(path: Path, depth: int = 0) -> Spec:
    """The spec in a file."""
    return Spec(read_document(path), lambda name, document: _extended(name, document, depth + 1), depth)


def _variant(spec: Spec, name: str) -> str:
    for variant in spec.variants:
        if plain(variant) == plain(name):
            return variant
    raise SpecError(f"{spec.name} has no variant {quote(name)}{did_you_mean(name, spec.variants)}")


def _extended(name: str, document: Document, depth: int) -> tuple[Spec, str | None]:
    """The spec that `extends` names: a bundled one, or a file in the folder of the spec that says so, or below it."""
    base, _, variant = name.partition("#")
    if plain(base) in bundled() and not base.endswith(SUFFIXES):
        path, own = bundled()[plain(base)]
        spec = open_spec(path, depth)
        return spec, _variant(spec, variant) if variant else own
    if not base.endswith(SUFFIXES):
        raise SpecError(f"there is no network {quote(base)}{did_you_mean(base, bundled())}")
    folder = (document.path.parent if document.path else Path()).resolve()
    path = (folder / base).resolve()
    if not path.is_relative_to(folder):
        raise SpecError(f"extends may name only specs beside this one or below it, not {quote(base)}")
    spec = open_spec(path, depth)
    return spec, _variant(spec, variant) if variant else None


def load(
    reference: str | Path,
    *,
    input: Shape | Mapping[str, Shape] | None = None,
    **settings: Any,
) -> Network:
    """The network that a name or a path means.

    ``input`` replaces the spec's input shape, without the batch; other keywords set its parameters.

    >>> load("resnet50", classes=10).outputs
    ('fc',)

    Raises `SpecError` with every mistake in the spec.
    """
    spec, variant = find(str(reference))
    inputs = input if isinstance(input, Mapping) or input is None else {"input": tuple(input)}
    return spec.network(variant, settings, inputs)


def loads(text: str, *, name: str = "spec.yaml", **settings: Any) -> Network:
    """The network that a text describes.

    >>> loads("name: n\\ninput: [3, 8, 8]\\nlayers: [{conv: 4, kernel: 3}]")["conv1"].output_shape
    (4, 6, 6)
    """
    document = Document(text, name)
    return Spec(document, lambda name, document: _extended(name, document, 1)).network(None, settings)
