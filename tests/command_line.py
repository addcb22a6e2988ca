"""`archcalc` run in this process."""

from __future__ import annotations

import contextlib
import io
import sys
from types import SimpleNamespace
from unittest.mock import patch

from archcalc.cli import main


def run(*arguments: str, stdout: io.TextIOWrapper | None = None) -> SimpleNamespace:
    """Run a command line and return its exit code, output and errors. The output goes to ``stdout`` if it is given."""
    printed, err = io.BytesIO(), io.StringIO()
    out = stdout or io.TextIOWrapper(printed, encoding="utf-8", write_through=True)
    code: object = 0
    with (
        patch.object(sys, "argv", ["archcalc", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return SimpleNamespace(code=code, out=printed.getvalue().decode(errors="replace"), err=err.getvalue())
