"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from archcalc.files import whole_file, whole_folder


def write(path: Path, text: str) -> None:
    with whole_file(path) as name:
        Path(name).write_text(text)


def half_of(path: Path, error: type[BaseException]) -> None:
    """Write, and be stopped."""
    path.write_text("half")
    raise error


def test_a_file_takes_its_place_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as name:
        Path(name).write_text("half")
        assert not path.exists()
        Path(name).write_text("whole")
    assert path.read_text() == "whole"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_what_goes_wrong_leaves_the_file_before(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(error), whole_file(path) as name:
        half_of(Path(name), error)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_goes_on_pointing_where_it_does(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(Path("there") / "a.txt")
    write(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "there" / "a.txt").read_text() == "new"


def test_a_pipe_and_a_device_are_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe, "through")
    reader.join()
    assert read == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write(Path("/dev/null"), "nothing")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_the_mode_is_an_ordinary_files_or_the_one_before(tmp_path):
    plain, made = tmp_path / "plain", tmp_path / "made"
    plain.touch()
    write(made, "new")
    assert made.stat().st_mode == plain.stat().st_mode
    made.chmod(0o640)
    write(made, "newer")
    assert stat.S_IMODE(made.stat().st_mode) == 0o640


@pytest.mark.parametrize("way", [whole_file, whole_folder])
def test_an_error_names_what_the_user_named(tmp_path, way):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "a"
    with pytest.raises((NotADirectoryError, FileExistsError)) as caught, way(path):
        pass
    # Of a folder's parents, the one that is a file.
    assert caught.value.filename in (str(path), str(path.parent))
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_about_another_file_names_that_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / "a"):
        (tmp_path / "other").read_text()
    assert caught.value.filename == str(tmp_path / "other")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError) as caught:
        write(tmp_path, "text")
    assert caught.value.filename == str(tmp_path)


def test_a_folder_appears_whole_with_its_parents_or_not_at_all(tmp_path):
    path = tmp_path / "one" / "two" / "three"
    with pytest.raises(KeyboardInterrupt), whole_folder(path) as folder:
        half_of(folder / "file", KeyboardInterrupt)
    assert os.listdir(tmp_path) == []
    with whole_folder(path) as folder:
        (folder / "file").write_text("whole")
        assert not path.exists()
    assert (path / "file").read_text() == "whole"
    assert os.listdir(path.parent) == ["three"]


def test_a_folder_takes_the_place_of_an_empty_one_only(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with whole_folder(tmp_path / "empty") as folder:
        (folder / "file").touch()
    with pytest.raises(OSError, match="not empty") as caught, whole_folder(tmp_path / "full") as folder:
        (folder / "file").touch()
    assert caught.value.filename == str(tmp_path / "full")
    assert sorted(os.listdir(tmp_path)) == ["empty", "full"]
    assert os.listdir(tmp_path / "empty") == ["file"]
    assert os.listdir(tmp_path / "full") == ["mine"]
