"""The text that is edited: where it comes from, where it is saved, and what was not saved the last time."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from archcalc.errors import UserError
from archcalc.files import whole_file
from archcalc.language.limits import limit


@dataclass
class Edited:
    """A text with its file, if it has one, and the folder for drafts."""

    text: str
    """The text that a new page shows; for a file, that of the start."""
    variant: str = ""
    path: Path | None = None
    """The file that the text is saved to; None if it is of a bundled or an imported network."""
    drafts: Path | None = None
    """The folder that keeps what was not saved; None to keep nothing."""
    fragment: str = ""
    """The state of a shared link, which the browser reads."""

    def read(self) -> str:
        """Return the text of the file as it is now; without a file, the text of the start."""
        if self.path is not None:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                if self.path.stat().st_size <= limit("bytes"):
                    self.text = self.path.read_bytes().decode()
        return self.text

    def save(self, text: str) -> None:
        """Write the file, whole or not at all. Raises `UserError` if there is none, or it cannot be written."""
        if self.path is None:
            raise UserError("there is no file to save to; download the spec, or start with: archcalc serve FILE.yaml")
        try:
            with whole_file(self.path) as temporary:
                Path(temporary).write_bytes(text.encode())
        except (OSError, UnicodeEncodeError) as error:
            raise UserError(f"cannot write {self.path}: {getattr(error, 'strerror', None) or error}") from error
        self.text = text
        self.keep(text)

    def draft(self) -> str | None:
        """Return what was edited and not saved the last time; None if there is nothing."""
        place = self._place()
        if place is None:
            return None
        try:
            text = place.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return None if text == self.read() else text

    def keep(self, text: str) -> None:
        """Keep a text for the next start, unless it is saved."""
        place = self._place()
        if place is None:
            return
        with contextlib.suppress(OSError, UnicodeEncodeError, UserError):
            if text == self.read():
                place.unlink(missing_ok=True)
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(place) as temporary:
                Path(temporary).write_bytes(text.encode())

    def _place(self) -> Path | None:
        if self.drafts is None:
            return None
        name = str(self.path.resolve()) if self.path is not None else "a page without a file"
        return self.drafts / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.yaml"
