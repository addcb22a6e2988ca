"""Wheels of archcalc and of what grading needs, made from what is installed: an autograder needs no network.

They are pure Python, so they fit any machine: compiled parts of PyYAML, which it can do without, are left out.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from archcalc._version import __version__
from archcalc.errors import SpecError
from archcalc.language.library import bundled_folder
from archcalc.requirements import need

NEEDED = ("click", "PyYAML", "openpyxl", "et_xmlfile")
"""The packages that `archcalc check` imports."""
COMPILED = (".so", ".pyd", ".dylib", ".dll", ".pyc")
MADE = frozenset({"RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json"})
"""Files that describe an installation."""
TIME = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a wheel, so that the same version gives the same hash."""


def write_wheels(folder: Path) -> None:
    """Write the wheels, and `requirements.txt` with their versions and hashes.

    Raises `SpecError` if archcalc is not installed as a package.
    """
    need("openpyxl", "homework")
    (folder / "wheels").mkdir()
    lines = [_pin("archcalc", __version__, _write(folder, "archcalc", __version__, _own_files()))]
    for name in NEEDED:
        found = metadata.distribution(name)
        inside = f"{name.replace('-', '_')}-{found.version}.dist-info"
        files = {
            _place(path, inside): Path(str(path.locate())).read_bytes() for path in found.files or () if _is_kept(path)
        }
        lines.append(_pin(name, found.version, _write(folder / "wheels", name, found.version, files)))
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _is_kept(path: metadata.PackagePath) -> bool:
    """True for the files of a package that a wheel has too."""
    outside = ".." in path.parts or path.is_absolute()
    return not outside and path.name not in MADE and path.suffix not in COMPILED


def _place(path: metadata.PackagePath, about: str) -> str:
    """Return the place of a file in the wheel, whose folder of metadata has the name that pip expects."""
    is_about = path.parts[0].endswith(".dist-info")
    return "/".join((about, *path.parts[1:])) if is_about else path.as_posix()


def _own_files() -> dict[str, bytes]:
    """Return the files of this installation of archcalc."""
    try:
        about = metadata.distribution("archcalc").read_text("METADATA")
    except metadata.PackageNotFoundError:
        about = None
    if about is None:
        raise SpecError("archcalc is not installed as a package; to make an autograder, install it with pip")
    package, specs = Path(__file__).resolve().parents[2], bundled_folder().resolve()
    files = {f"archcalc/{path.relative_to(package).as_posix()}": path.read_bytes() for path in _files(package)}
    files |= {f"archcalc/specs/{path.relative_to(specs).as_posix()}": path.read_bytes() for path in _files(specs)}
    return {**files, f"archcalc-{__version__}.dist-info/METADATA": about.encode()}


def _write(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> str:
    """Write a wheel with the minimum that pip needs, and return its SHA-256."""
    base = f"{name.replace('-', '_')}-{version}"
    wheel = b"Wheel-Version: 1.0\nGenerator: archcalc\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {**files, f"{base}.dist-info/WHEEL": wheel}
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in whole.items()]
    whole[f"{base}.dist-info/RECORD"] = "\n".join([*record, f"{base}.dist-info/RECORD,,"]).encode() + b"\n"
    path = folder / f"{base}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in whole.items():
            archive.writestr(zipfile.ZipInfo(name, TIME), content, zipfile.ZIP_DEFLATED)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pin(name: str, version: str, digest: str) -> str:
    return f"{name}=={version} --hash=sha256:{digest}"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _digest(content: bytes) -> str:
    """Return a hash in the wheel format: SHA-256, base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
