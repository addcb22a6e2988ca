"""Every command in README.md and docs/ prints what is written under it, and what is made from code is current.

A block ```yaml, ```csv or ```python that begins with a comment `# FILE` is that file; a block ```console runs the lines
that begin with `$ archcalc` in a folder with those files. `pytest tests/docs --update-docs` writes what the commands
print now.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.docs import made

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
BLOCK = re.compile(r"^```(yaml|csv|python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SLOW = ("archcalc verify", "archcalc bench")
MEASURED = "--effective"
"""What a machine measures; it runs only with `--update-docs`."""
PICTURE = re.compile(r"!\[[^\]]*\]\(\.\./images/(rf-[^)]+)\)")
"""A picture that a command on the page draws."""
ROOMS = re.compile(r"(?<=<!-- rooms -->\n).*?(?=<!-- end of rooms -->)", re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_block(text: str, cli, measures: bool) -> str:
    """The block as it should be: each command followed by what it prints."""
    lines: list[str] = []
    skipping = False
    for line in text.splitlines():
        if not line.startswith("$ "):
            if skipping:
                lines.append(line)
            continue
        lines.append(line)
        words = shlex.split(line[2:])
        skipping = words[0] != "archcalc" or line[2:].startswith(SLOW) or (MEASURED in words and not measures)
        if not skipping:
            result = cli(*words[1:])
            assert result.code in (0, 1, 2), result.err
            lines += (result.out + result.err).rstrip("\n").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def check_page(page: Path, now: str, request) -> None:
    """Compare a page with what it should be, or write it."""
    if request.config.getoption("--update-docs"):
        page.write_text(now, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == now


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_print_what_is_written(page: Path, cli, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "specs").symlink_to(ROOT / "specs")

    def check(match: re.Match[str]) -> str:
        language, body = match.groups()
        if language != "console":
            name = re.match(r"# (\S+\.(?:yaml|csv|py))\n", body)
            if name:
                (tmp_path / name.group(1)).write_text(body, encoding="utf-8")
            return match.group(0)
        return f"```console\n{run_block(body, cli, request.config.getoption('--update-docs'))}```"

    check_page(page, BLOCK.sub(check, page.read_text(encoding="utf-8")), request)
    for name in PICTURE.findall(page.read_text(encoding="utf-8")):
        if (tmp_path / name).exists():
            check_picture(DOCS / "images" / name, (tmp_path / name).read_bytes(), request)


def check_picture(path: Path, now: bytes, request) -> None:
    """Compare a picture with what its command draws, or write it; another matplotlib may draw it differently."""
    if request.config.getoption("--update-docs"):
        path.write_bytes(now)
    makers = [re.search(rb"Matplotlib v[\d.]+", picture) for picture in (path.read_bytes(), now)]
    assert all(makers)
    assert makers[0].group() != makers[1].group() or path.read_bytes() == now


MADE = {
    "cli.md": made.cli_page,
    "codes.md": made.codes_page,
    "python.md": lambda _: made.python_page(),
    "networks.md": lambda cli: f"{made.NETWORKS}\n{cli('list', '--format', 'markdown').out}",
    "operators.md": lambda cli: f"{made.OPERATORS}\n{cli('operators', '--format', 'markdown').out}",
}


@pytest.mark.parametrize("name", MADE)
def test_pages_made_from_code_are_current(name: str, cli, request, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    check_page(DOCS / "reference" / name, f"{MADE[name](cli)}\n{made.TERMS}\n", request)


def test_the_architecture_names_every_package_within_a_room():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    inner = [folder.parent.name for folder in (ROOT / "archcalc").glob("*/*/__init__.py")]
    assert len(inner) > 10
    assert [name for name in inner if f"{name}/`" not in page] == []


def test_the_picture_of_the_rooms_is_current(request):
    page = DOCS / "architecture.md"
    text = page.read_text(encoding="utf-8")
    assert ROOMS.search(text)
    check_page(page, ROOMS.sub(lambda _: made.fenced(made.rooms()), text), request)
