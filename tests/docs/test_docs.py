"""Every command in README.md and docs/ prints what is written under it.

A block ```yaml or ```csv that begins with a comment `# FILE` is that file; a block ```console runs the lines that begin
with `$ archcalc` in a folder with those files. `pytest tests/docs --update-docs` writes what the commands print now.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(yaml|csv|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SLOW = ("archcalc verify", "archcalc bench")


def run_block(text: str, cli, folder: Path) -> str:
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
        skipping = words[0] != "archcalc" or line[2:].startswith(SLOW)
        if not skipping:
            result = cli(*words[1:])
            assert result.code in (0, 1, 2), result.err
            lines += (result.out + result.err).rstrip("\n").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_print_what_is_written(page: Path, cli, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    text = page.read_text(encoding="utf-8")

    def check(match: re.Match[str]) -> str:
        language, body = match.groups()
        if language != "console":
            name = re.match(r"# (\S+\.(?:yaml|csv))\n", body)
            if name:
                (tmp_path / name.group(1)).write_text(body, encoding="utf-8")
            return match.group(0)
        return f"```console\n{run_block(body, cli, tmp_path)}```"

    now = BLOCK.sub(check, text)
    if request.config.getoption("--update-docs"):
        page.write_text(now, encoding="utf-8")
    assert now == text


MADE = {"networks.md": ("list", "--format", "markdown"), "operators.md": ("operators", "--format", "markdown")}


@pytest.mark.parametrize("page", MADE)
def test_pages_made_by_a_command_are_current(page: str, cli, request):
    made = cli(*MADE[page]).out
    if request.config.getoption("--update-docs"):
        (ROOT / "docs" / page).write_text(made, encoding="utf-8")
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == made


def test_pages_are_linked():
    """Every page of docs/ is named in README.md."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []
