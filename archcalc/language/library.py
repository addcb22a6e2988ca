"""Finding specs: a bundled network by name, or a file by path."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from archcalc.errors import SpecError
from archcalc.language.language import Spec
from archcalc.language.source import Document, read_document
from archcalc.network import Network
from archcalc.words import did_you_mean, help_line, quote

SUFFIXES = (".yaml", ".yml")


@cache
def bundled_folder() -> Path:
    """Return the folder of the bundled specs: in the installed package, or at the top of a checkout."""
    installed = Path(__file__).resolve().parent.parent / "specs"
    return installed if installed.is_dir() else installed.parent.parent / "specs"


_NAME = re.compile(r"^name: *(\S+) *$", re.MULTILINE)
_VARIANTS = re.compile(r"^variants:\n((?:(?: .*)?\n)+)", re.MULTILINE)
_VARIANT = re.compile(r"^  (\w+):", re.MULTILINE)


@cache
def bundled() -> dict[str, tuple[Path, str | None]]:
    """Return every bundled name, normalized by `plain`, with its file and variant.

    Names are found by the layout of the bundled specs, without parsing them, because every command needs this.
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
    """Return file and variant of every bundled network; the variant is None for a file without variants."""
    families = {path for path, variant in bundled().values() if variant}
    return [(path, variant) for path, variant in bundled().values() if variant or path not in families]


def plain(name: str) -> str:
    """Return a name in lower case, with `_` for `-`."""
    return name.lower().replace("-", "_")


def find(reference: str) -> tuple[Spec, str | None]:
    """Return the spec and the variant that a reference names.

    Grammar::

        reference = (bundled name | path) [ "#" variant ]

    A path that does not exist but ends with a bundled name is that bundled spec.

    Raises:
        SpecError: if there is no such spec or variant, or if the spec is not YAML.
    """
    if not reference.strip() or "\0" in reference:
        raise SpecError(f"expected the name of a network or a file, got {quote(reference)}")
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
    raise SpecError(f"there is no network {quote(base)}{hint or help_line('list the networks with: archcalc list')}")


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
    """Parse the spec in a file."""
    return Spec(read_document(path), lambda name, document: _extended(name, document, depth + 1), depth)


def _variant(spec: Spec, name: str) -> str:
    for variant in spec.variants:
        if plain(variant) == plain(name):
            return variant
    raise SpecError(f"{spec.name} has no variant {quote(name)}{did_you_mean(name, spec.variants)}")


def _extended(name: str, document: Document, depth: int) -> tuple[Spec, str | None]:
    """Return the spec that `extends` names: a bundled one, or a file in the folder of the document or below."""
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
        raise SpecError(f"extends can name only specs in the same folder or below, got {quote(base)}")
    spec = open_spec(path, depth)
    return spec, _variant(spec, variant) if variant else None


def loads(text: str, *, name: str = "spec.yaml", **settings: Any) -> Network:
    """Load a network from the text of a spec.

    Args:
        text: YAML.
        name: name of the text in messages.
        settings: values of spec parameters.

    Raises:
        SpecError: with every error in the spec.

    Examples:
        >>> import archcalc
        >>> network = archcalc.loads("input: [3, 8, 8]\\nlayers: [{conv: 16, kernel: 3}, relu]")
        >>> network["conv1"].output_shape
        (16, 6, 6)
    """
    document = Document(text, name)
    return Spec(document, lambda name, document: _extended(name, document, 1)).network(None, settings)
