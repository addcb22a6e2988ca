"""Layout of DOT: by the system's Graphviz, or else by the `graphviz-pure` that archcalc brings with it."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from archcalc.errors import UserError

PURE = "graphviz-pure"
PURE_FORMATS = ("svg", "png")


def lay_out(dot: str, format: str) -> bytes:
    """Return the drawing as ``svg``, ``png`` or ``pdf``.

    Raises `UserError` if no engine is installed that can write the format.
    """
    program = shutil.which("dot")
    if program is None:
        if format not in PURE_FORMATS:
            raise UserError(
                f"{format} needs Graphviz itself (its program dot: https://graphviz.org/download), which is not "
                f"installed; svg and png need nothing more"
            )
        program = str(pure_program())
    ran = subprocess.run([program, f"-T{format}"], input=dot.encode(), capture_output=True, check=False)
    if ran.returncode != 0 or not ran.stdout:
        words = ran.stderr.decode(errors="replace").strip() or f"it ended with code {ran.returncode}"
        raise UserError(f"{Path(program).name} could not lay out the drawing: {words[:300]}")
    return ran.stdout


@cache
def pure_program() -> Path:
    """Return the path of the `graphviz-pure` program.

    Raises `UserError` if it is not installed.
    """
    try:
        files = metadata.files(PURE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.stem == PURE and path.is_file() and ".dist-info" not in str(file):
            return path.resolve()
    found = shutil.which(PURE)
    if found is None:
        raise UserError(f"a drawing needs Graphviz's program dot, or the package {PURE}: pip install {PURE}")
    return Path(found)
