"""Imported networks, kept in the user's cache folder as JSON: following a module again would take seconds.

`ARCHCALC_CACHE` names another folder, or is `off`. An entry that is damaged, or that another program wrote, counts as
absent. Nothing is ever run from the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from archcalc._version import __version__
from archcalc.files import whole_file
from archcalc.imports.saved import NotSaved, network_data, network_of
from archcalc.network import Network
from archcalc.requirements import installed

MOST_BYTES = 64 * 2**20
"""Size of all entries together; the least recently used ones go."""
LARGEST_ENTRY = 32 * 2**20
PACKAGES = ("torch", "torchvision", "timm", "transformers", "onnx")
"""Packages whose versions may change an imported network."""


def cache_folder() -> Path | None:
    """Return the folder of the entries, which may not exist; None if there is no cache."""
    named = os.environ.get("ARCHCALC_CACHE", "").strip()
    if named:
        return None if named.lower() == "off" else Path(named)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "archcalc" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "archcalc"
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if os.path.isabs(named) else home / ".cache") / "archcalc"


def versions() -> dict[str, str]:
    """Return what an imported network depends on besides its source. No package is imported."""
    return {"archcalc": __version__, "code": _own_code(), "python": platform.python_version(), **installed(PACKAGES)}


def _own_code() -> str:
    """Return a fingerprint of the files that import networks: a checkout changes without its version."""
    package = Path(__file__).resolve().parents[1]
    files = sorted([package / "network.py", *(package / "imports").glob("*.py"), *(package / "ops").glob("*.py")])
    return _digest(repr([(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return a hash of a file's content; empty if it is not an ordinary file that can be read."""
    digest = hashlib.sha256()
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as file:
            while piece := file.read(2**20):
                digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()


class Cache:
    """The entries of a folder.

    An entry is a network with the files of the user's own that made it: if one has changed, it counts as absent.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def find(self, key: Mapping[str, Any]) -> Network | None:
        """Return the network that is kept for a source; None if there is none."""
        path = self._path(key)
        if path is None:
            return None
        try:
            if path.stat().st_size > LARGEST_ENTRY:
                return None
            entry = json.loads(path.read_bytes())
            if any(file_digest(Path(file)) != digest for file, digest in entry["files"].items()):
                return None
            network = network_of(entry["network"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, NotSaved):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the least recently used entries go first
        return network

    def keep(self, key: Mapping[str, Any], network: Network, files: Iterable[Path] = ()) -> None:
        """Keep a network, unless it or the folder does not allow it."""
        path = self._path(key)
        if path is None:
            return
        try:
            entry = {"network": network_data(network), "files": {str(file): file_digest(file) for file in files}}
            content = json.dumps(entry, separators=(",", ":"), ensure_ascii=True)
            if len(content) > LARGEST_ENTRY:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._make_room(len(content))
            with whole_file(path) as temporary:
                Path(temporary).write_text(content, encoding="ascii")
        except (OSError, TypeError):  # a full disk, a read-only home: the next call takes as long as this one
            return

    def _path(self, key: Mapping[str, Any]) -> Path | None:
        if self.folder is None:
            return None
        name = _digest(json.dumps([key, versions()], sort_keys=True, default=str).encode())
        return self.folder / "networks" / f"{name[:40]}.json"

    def _make_room(self, size: int) -> None:
        assert self.folder is not None
        entries = []
        for path in (self.folder / "networks").glob("*.json"):
            with contextlib.suppress(OSError):
                found = path.stat()
                entries.append((found.st_mtime, found.st_size, path))
        total = size + sum(entry[1] for entry in entries)
        for _, length, path in sorted(entries):
            if total <= MOST_BYTES:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                total -= length
