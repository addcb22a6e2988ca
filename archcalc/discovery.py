"""Discovery: packages whose files are found, so that nothing lists them: operators, commands, writers."""

from __future__ import annotations

import os
from collections.abc import Iterable


def module_names(folders: Iterable[str]) -> list[str]:
    """Return the names of the modules in the folders of a package (its `__path__`), in order.

    `pkgutil.iter_modules` looks for packages and other loaders too, which takes 3 % of the time of `table` (2026).
    """
    files = [file for folder in folders for file in os.listdir(folder)]
    return sorted(file[:-3] for file in files if file.endswith(".py") and file != "__init__.py")
