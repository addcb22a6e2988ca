"""The submissions of a course: files, folders, and the archives that Canvas, Moodle, Blackboard and Gradescope export.

The name of a student is read from the file's name or folder, by the patterns that these systems write. Of several
attempts of one student, the newest counts.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from archcalc.errors import UserError
from archcalc.homework.submissions.tables import MOST_BYTES
from archcalc.structs import Struct, replace
from archcalc.words import help_line, quote

TABLES = (".csv", ".tsv", ".xlsx", ".md", ".markdown", ".json", ".txt")
MOST_FILES = 5_000
MOST_UNPACKED = 500_000_000
"""Bytes of all files of an archive."""
PART = 1 << 16
MOST_METADATA = 4_000_000
SEEDS = ("name", "email", "number")
"""What draws a student's own network."""

_GRADESCOPE = re.compile(r"submission_(?P<number>\d+)")
_MOODLE = re.compile(
    r"(?P<name>[^/]{1,200}?)_(?P<number>\d{1,12})_assignsubmission_(?:file|onlinetext)_?(?P<title>.*)", re.DOTALL
)
_BLACKBOARD = re.compile(r"[^/]{1,200}?_(?P<name>[^_/]{1,100})_attempt_(?P<order>[\d-]{10,25})(?P<title>_.*|\.txt)")
_BLACKBOARD_TEXT = re.compile(r"[^/]{1,300}_attempt_[\d-]{10,25}\.txt")
_ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<name>anon_[A-Za-z0-9]+)_(?P<order>\d+)_(?P<title>.+)")
_CANVAS = re.compile(r"(?P<name>[^_/]{1,200})(?P<late>_LATE)?_(?P<number>\d+)_(?P<order>\d+)_(?P<title>.+)")
_PATTERNS = (("Moodle", _MOODLE), ("Blackboard", _BLACKBOARD), ("Canvas", _ANONYMOUS), ("Canvas", _CANVAS))


class Handed(Struct):
    """One submission."""

    path: Path
    student: str = ""
    """The student's name, as the system writes it; empty if no pattern fits."""
    number: str = ""
    """The student's number in the system; in Gradescope's archives, that of the submission."""
    system: str = ""
    """The system whose pattern fits: Canvas, Moodle, Blackboard or Gradescope; empty if none does."""
    email: str = ""
    is_late: bool = False
    problem: str = ""
    """The reason why there is nothing to grade."""
    order: tuple[int, str] = (0, "")
    """The order of attempts."""

    source: str = ""
    """What it is called instead of its path."""

    @property
    def label(self) -> str:
        """The student's name, or the file's."""
        return self.student or self.source or str(self.path)

    def seed(self, by: str) -> str:
        """Return what draws the student's own network; ``by`` is one of `SEEDS`.

        Without a name it is the file's, without its suffix. Raises `UserError` for an unknown address or number.
        """
        known = {"name": self.student or self.path.stem, "email": self.email, "number": self.number}[by]
        if not known:
            raise UserError(f"the student's {by} is unknown, so their network is unknown too")
        return known


def collect(paths: Sequence[Path], scratch: Path) -> list[Handed]:
    """Return the submissions in files, folders and zip archives.

    Args:
        paths: a zip archive is unpacked if it is not a workbook; `-` is standard input.
        scratch: an empty folder for what is unpacked.
    """
    found: list[Handed] = []
    for index, path in enumerate(paths):
        if str(path) == "-":
            found.append(of_stdin(scratch))
        elif path.is_dir() and not path.is_symlink():
            found += in_folder(path)
        elif path.suffix.lower() == ".zip":
            target = scratch / str(index)
            unpack(path, target)
            found += in_folder(target)
        else:
            found.append(_named(Handed(path), path.name))
    return found


def check_numbers(found: Sequence[Handed], system: str) -> None:
    """Raise `UserError` unless the submissions have the numbers by which a system finds its students.

    A file that is not there is said first.
    """
    missing = next((handed.path for handed in found if not os.path.lexists(handed.path)), None)
    if missing is not None:
        raise UserError(f"there is no file {quote(str(missing))}")
    others = sorted({handed.system for handed in found} - {system, ""})
    if others:
        own = " Gradescope posts grades itself: Review Grades, Post Grades." if "Gradescope" in others else ""
        raise UserError(
            f"{system} finds students by its own numbers, and these submissions come from {' and '.join(others)}"
            f"{help_line(f'use --summary for a table of all grades.{own}')}"
        )
    if not any(handed.number for handed in found):
        fix = help_line(f"grade the archive as {system} exports it, or use --summary for a table of all grades")
        raise UserError(f"{system} finds students by its own numbers, and no file's name has one{fix}")
    files: dict[str, Path] = {}
    for handed in found:
        first = files.setdefault(handed.number, handed.path)
        if handed.number and first != handed.path:
            names = f"{quote(first.name)} and {quote(handed.path.name)}"
            fix = help_line("name the folder that has both, of which the newest counts")
            raise UserError(f"{names} have the same student's number {handed.number}{fix}")


def of_stdin(scratch: Path) -> Handed:
    """Return what is on standard input as a submission; it is kept in a scratch folder."""
    path = scratch / "stdin"
    path.write_bytes(sys.stdin.buffer.read(MOST_BYTES + 1))
    return Handed(path, source="<stdin>")


def in_gradescope(submission: Path) -> Handed:
    """Return a submission on Gradescope, whose `submission_metadata.json` is beside its folder.

    Of a group, the student counts whose name is first in the alphabet.
    """
    path = submission.absolute().parent / "submission_metadata.json"
    handed = Handed(submission)
    try:
        data = json.loads(path.read_bytes()[:MOST_METADATA])
        users = [user for user in data["users"] if isinstance(user, dict)]
        user = min(users, key=lambda user: str(user.get("name") or "").casefold())
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return handed
    name, email, number = (str(user.get(key) or "")[:200] for key in ("name", "email", "id"))
    return replace(handed, student=name, email=email, number=number)


def in_folder(folder: Path) -> list[Handed]:
    """Return the submissions in a folder, by student; one with several tables or none has a problem."""
    people = _gradescope_people(folder)
    groups: dict[str, list[Handed]] = {}
    found = files_in(folder, MOST_FILES)
    if len(found) > MOST_FILES:
        raise UserError(f"{quote(str(folder))} has more than {MOST_FILES:,} files")
    for path in found:
        inside = path.relative_to(folder).parts
        handed = _of_path(Handed(path), inside, people)
        if _BLACKBOARD_TEXT.fullmatch(path.name):
            continue
        if len(inside) > 1 and not handed.student:
            handed = replace(handed, student=inside[0])
        group = f"{handed.number} {handed.student}".strip()
        groups.setdefault(group or path.name, []).append(handed)
    return [_one_of(group) for _, group in sorted(groups.items())]


def _one_of(group: Sequence[Handed]) -> Handed:
    """Return the newest table of a student."""
    tables = [handed for handed in group if handed.path.suffix.lower() in TABLES]
    if not tables:
        names = ", ".join(quote(handed.path.name) for handed in group[:3])
        return replace(group[0], problem=f"hand in one table: there is only {names}")
    newest = max(handed.order for handed in tables)
    latest = [handed for handed in tables if handed.order == newest]
    if len(latest) > 1:
        names = ", ".join(quote(handed.path.name) for handed in latest[:5])
        return replace(latest[0], problem=f"hand in one table: there are {len(latest)}, {names}")
    return latest[0]


def files_in(folder: Path, most: int) -> list[Path]:
    """Return the files that students handed in, without hidden ones; no more than ``most`` and one.

    A link is among them: it is not followed, and reading it says so.
    """
    found: list[Path] = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        is_file = path.is_symlink() or path.is_file()
        if hidden or not is_file or path.name.startswith("submission_metadata"):
            continue
        found.append(path)
        if len(found) > most:
            break
    return sorted(found)


def _of_path(handed: Handed, inside: Sequence[str], people: Mapping[str, tuple[str, str]]) -> Handed:
    """Return a submission with the student that its folder or name tells."""
    for part in inside:
        match = _GRADESCOPE.fullmatch(part)
        if match:
            name, email = people.get(match["number"], (part, ""))
            return replace(handed, student=name, number=match["number"], system="Gradescope", email=email)
    for part in inside:
        named = _named(handed, part)
        if named.student:
            return named
    return handed


def _named(handed: Handed, text: str) -> Handed:
    """Return a submission with what a file's or folder's name tells."""
    for system, pattern in _PATTERNS:
        match = pattern.fullmatch(text[:500])
        if match:
            groups = match.groupdict()
            order = groups.get("order") or "0"
            again = re.search(r"-(\d{1,4})\.\w+$", groups.get("title") or "")
            return replace(
                handed,
                student=groups["name"],
                number=groups.get("number") or "",
                system=system,
                is_late=bool(groups.get("late")),
                order=(int(again[1]) if again else 0, order.rjust(20, "0")),
            )
    return handed


def _gradescope_people(folder: Path) -> dict[str, tuple[str, str]]:
    """Return name and address of each submission in Gradescope's `submission_metadata.yml`, read line by line."""
    path = next(iter(sorted(folder.glob("**/submission_metadata.yml"))[:1]), None)
    people: dict[str, tuple[str, str]] = {}
    if path is None or path.is_symlink() or path.stat().st_size > MOST_METADATA:
        return people
    number = ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        top = re.match(r"submission_(\d+):", line)
        if top:
            number = top[1]
            people[number] = ("", "")
        field = re.match(r"[\s-]*:(name|email): *['\"]?([^'\"]*)", line)
        if field and number:
            name, email = people[number]
            if field[1] == "name":
                people[number] = (f"{name}, {field[2].strip()}" if name else field[2].strip(), email)
            elif not email:
                people[number] = (name, field[2].strip())
    return people


def unpack(path: Path, target: Path) -> None:
    """Unpack the files of an archive below a folder, within limits; the sizes that it declares may be false."""
    target.mkdir(parents=True)
    room = MOST_UNPACKED
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > 2 * MOST_FILES:
                raise UserError(f"{quote(str(path))} has more than {2 * MOST_FILES:,} files")
            for member in members:
                inside = _safe(member)
                if inside is None:
                    continue
                place = target.joinpath(*inside)
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as stream, place.open("wb") as file:
                    for part in _parts(stream):
                        file.write(part)
                        room -= len(part)
                        if room < 0:
                            raise UserError(f"{quote(str(path))} unpacks to more than {MOST_UNPACKED:,} bytes")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise UserError(f"{quote(str(path))} cannot be unpacked: {error}") from None


def _safe(member: zipfile.ZipInfo) -> tuple[str, ...] | None:
    """Return the path of a member inside the archive; None for a folder, a link, and a path that leads out."""
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    mode = member.external_attr >> 16
    if member.is_dir() or stat.S_ISLNK(mode) or not parts or len(parts) > 10:
        return None
    if any(part in ("..", "/", "") or "\0" in part or ":" in part or len(os.fsencode(part)) > 200 for part in parts):
        return None
    return parts


def _parts(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a member, but no more than is graded."""
    left = MOST_BYTES + 1
    while left > 0 and (part := stream.read(min(PART, left))):
        left -= len(part)
        yield part
