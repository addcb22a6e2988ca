"""Finding specs: a bundled network by name, or a file by path."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from archcalc.arithmetic import as_python
from archcalc.errors import SpecError
from archcalc.language.language import Spec
from archcalc.language.limits import limit
from archcalc.language.source import SpecDocument, decode, read_document
from archcalc.network import Network
from archcalc.words import bare, did_you_mean, help_line, quote

SUFFIXES = (".yaml", ".yml")


STANDARD_INPUT = "-"
"""The reference of the spec that is read from standard input."""


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

    A path that does not exist but ends with a bundled name is that bundled spec. `ResNet-50` and `resnet 50` are
    `resnet50`. `-` is the spec on standard input.

    Raises:
        SpecError: if there is no such spec or variant, or if the spec is not YAML.
    """
    if not reference.strip() or "\0" in reference:
        raise SpecError(f"expected the name of a network or a file, got {quote(reference)}")
    base, _, variant = reference.partition("#")
    if plain(base) in bundled():  # none of these names looks like a path
        return _bundled(plain(base), variant)
    if base == STANDARD_INPUT:
        return _with_variant(open_document(standard_input()), variant, None)
    path = Path(base)
    if bare(base) in _bare_names() and not _exists(path):
        return _bundled(_bare_names()[bare(base)], variant)
    looks_like_path = path.suffix in SUFFIXES or len(path.parts) > 1
    if _exists(path) or (looks_like_path and plain(path.stem) not in bundled()):
        return _with_variant(open_spec(path), variant, None)
    if looks_like_path:
        return _bundled(plain(path.stem), variant)
    hint = did_you_mean(base, bundled())
    raise SpecError(f"there is no network {quote(base)}{hint or help_line('list the networks with: archcalc list')}")


def bundled_file(name: str) -> Path | None:
    """Return the file of a bundled network, as people write its name; None if there is no such network."""
    own = _bare_names().get(bare(name))
    return bundled()[own][0] if own is not None else None


@cache
def _bare_names() -> dict[str, str]:
    return {bare(name): name for name in bundled()}


@cache
def standard_input() -> SpecDocument:
    """Return the text on standard input, which is read once."""
    return SpecDocument(decode(sys.stdin.buffer.read(limit("bytes") + 1), "<stdin>"), "<stdin>")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _bundled(name: str, variant: str) -> tuple[Spec, str | None]:
    path, own = bundled()[name]
    return _with_variant(_bundled_spec(path), variant, own)


def open_spec(path: Path, depth: int = 0) -> Spec:
    """Parse the spec in a file."""
    return open_document(read_document(path), depth)


_bundled_spec = cache(open_spec)


def open_document(document: SpecDocument, depth: int = 0) -> Spec:
    """Parse the spec of a document."""
    return Spec(document, lambda name, document: _extended(name, document, depth + 1), depth)


def _with_variant(spec: Spec, name: str, default: str | None) -> tuple[Spec, str | None]:
    """Return a spec with the variant of a name, or the default one if it is empty."""
    if not name:
        return spec, default
    for variant in spec.variants:
        if bare(variant) == bare(name):
            return spec, variant
    raise SpecError(f"{spec.name} has no variant {quote(name)}{did_you_mean(name, spec.variants)}")


def _extended(name: str, document: SpecDocument, depth: int) -> tuple[Spec, str | None]:
    """Return the spec that `extends` names: a bundled one, or a file in the folder of the document or below."""
    base, _, variant = name.partition("#")
    if base.endswith(SUFFIXES):
        folder = (document.path.parent if document.path else Path()).resolve()
        path, own = (folder / base).resolve(), None
        if not path.is_relative_to(folder):
            raise SpecError(f"extends can name only specs in the same folder or below, got {quote(base)}")
    elif plain(base) in bundled():
        path, own = bundled()[plain(base)]
    else:
        raise SpecError(f"there is no network {quote(base)}{did_you_mean(base, bundled())}")
    return _with_variant(open_spec(path, depth), variant, own)


def spec_of_text(text: str, path: Path | None, name: str = "spec.yaml") -> Spec:
    """Parse the text of a spec that is being edited.

    With the ``path`` of its file, `extends` may name files beside it. Without one, only bundled networks: no file of
    the user is read.
    """

    def extended(base: str, document: SpecDocument) -> tuple[Spec, str | None]:
        if path is None and base.partition("#")[0].endswith(SUFFIXES):
            raise SpecError(f"extends can name only bundled networks here, got {quote(base)}")
        return _extended(base, document, 1)

    return Spec(SpecDocument(text, name, path), extended)


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
    if not isinstance(text, str):
        raise SpecError(f"expected the text of a spec, got {type(text).__name__}")
    return open_document(SpecDocument(text, name)).network(None, as_python(settings))
