"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_unfinished: set[str] = set()


def remove_unfinished() -> None:
    """Remove what is not whole yet: for a process that is about to end."""
    for path in _unfinished:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[str]:
    """The name to write to: of a file that takes the place of ``path`` at the end, if nothing goes wrong.

    A link goes on pointing where it does. What is no ordinary file, such as a pipe, is written to itself.

    Raises `OSError` that names ``path``, for a file that is write-protected too.
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
            # mkstemp makes a private file; the result is as open as the one before, or as an ordinary new one.
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
    """A folder to fill that takes the place of ``path``, which is new or empty, if nothing goes wrong.

    Raises `OSError` that names ``path``.
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
    """Say ``path`` where an error names what is written beside ``target``, or nothing, as a failed write does."""
    try:
        yield
    except OSError as error:
        beside = os.path.join(target.parent, _beside(target))
        named = str(error.filename or target)
        if error.errno is None or not (named == str(target) or named.startswith(beside)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def _beside(target: Path) -> str:
    """How the name of what is written in place of ``target`` begins."""
    return f".{target.name[:50]}."


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
