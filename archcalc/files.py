"""Atomic output: files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_unfinished: set[str] = set()


def remove_unfinished() -> None:
    """Remove unfinished output, before the process ends."""
    for path in _unfinished:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[str]:
    """Yield the name of a temporary file, which replaces ``path`` at the end if no error occurs.

    If ``path`` is a link, the file that it points to is replaced. A pipe or device is written directly.

    Raises `OSError`, which names ``path``; also for a file that is write-protected.
    """
    target = Path(os.path.realpath(path))
    with _named(path, target):
        if path.exists():
            if not path.is_file():
                yield str(path)
                return
            os.close(os.open(target, os.O_WRONLY))
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=_beside(target), suffix=".part")
        os.close(handle)
        _unfinished.add(temporary)
        try:
            yield temporary
            # mkstemp makes a private file; the result has the mode of the old file, or that of any new file.
            os.chmod(temporary, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            _unfinished.discard(temporary)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder, which replaces ``path`` (new or empty) at the end if no error occurs.

    Raises `OSError`, which names ``path``.
    """
    target = Path(os.path.realpath(path))
    with _named(path, target):
        made = [parent for parent in target.parents if not parent.exists()]
        temporary = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=_beside(target)))
            _unfinished.add(str(temporary))
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            if target.exists():
                target.rmdir()
            os.replace(temporary, target)
        except BaseException:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)
            for parent in made:
                with contextlib.suppress(OSError):
                    parent.rmdir()
            raise
        finally:
            _unfinished.discard(str(temporary))


@contextlib.contextmanager
def _named(path: Path, target: Path) -> Iterator[None]:
    """Put ``path`` into an error that names the temporary file beside ``target``, or no file."""
    try:
        yield
    except OSError as error:
        beside = os.path.join(target.parent, _beside(target))
        named = str(error.filename or target)
        if error.errno is None or not (named == str(target) or named.startswith(beside)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def _beside(target: Path) -> str:
    """Return the start of the temporary name for ``target``."""
    return f".{target.name[:50]}."


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
