"""Modules of a Python file. The file is run, so only a user names one: on a command line, or in a call."""

from __future__ import annotations

import contextlib
import importlib.util
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from archcalc.errors import UserError
from archcalc.imports.references import ScriptModel, class_names
from archcalc.words import did_you_mean, quote


def script_module(model: ScriptModel) -> tuple[nn.Module, list[Path]]:
    """Run a Python file, make the module that is named, and return it with the files of the user's own that ran.

    What the file prints goes to standard error. It runs under its own name, so what stands under
    `if __name__ == "__main__":` does not run.

    Raises:
        UserError: if there is no such name, if the code fails, or if it gives no module.
    """
    path = model.path.resolve()
    before = set(sys.modules)
    with _running(path):
        found = _attribute(_imported(path), model)
        made = found if isinstance(found, nn.Module) and not model.keywords else _called(found, model)
    if not isinstance(made, nn.Module):
        raise UserError(f"{model.text} makes an object of {type(made).__name__}, expected a torch.nn.Module")
    return made, [path, *(file for file in _own_files(set(sys.modules) - before) if file != path)]


@contextlib.contextmanager
def _running(path: Path) -> Iterator[None]:
    """Let a file import its neighbours, keep standard output for results, and say what went wrong and where."""
    sys.path.insert(0, str(path.parent))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(Path(frame.filename))]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else f"{path.name}: "
        if isinstance(error, SyntaxError) and error.filename == str(path):
            place = f"{path.name}:{error.lineno}: "
        raise UserError(f"{place}{type(error).__name__}: {error}") from error
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(path.parent))


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    kept = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # dataclasses and pickles look a class's module up there
    try:
        spec.loader.exec_module(module)
    finally:
        if kept is not None:
            sys.modules[path.stem] = kept
    return module


def _attribute(module: ModuleType, model: ScriptModel) -> Any:
    found: Any = module
    for name in model.name.split("."):
        if not hasattr(found, name):
            known = class_names(model.path) if found is module else dir(found)
            raise UserError(f"{model.path} has no {quote(model.name)}{did_you_mean(name, known)}")
        found = getattr(found, name)
    return found


def _called(found: Any, model: ScriptModel) -> Any:
    if not callable(found):
        raise UserError(
            f"{model.text} is an object of {type(found).__name__}, expected a class or function that makes a module"
        )
    return found(**model.keywords)


def _own_files(names: set[str]) -> list[Path]:
    """Return the files of imported modules that are not of an installed package."""
    files = (getattr(sys.modules.get(name), "__file__", None) for name in sorted(names))
    return [Path(file) for file in files if file and file.endswith(".py") and _is_own(Path(file))]


def _is_own(file: Path) -> bool:
    installed = [*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages(), _ARCHCALC]
    return file.is_file() and not any(file.is_relative_to(folder) for folder in installed)


_ARCHCALC = str(Path(__file__).resolve().parents[1])
