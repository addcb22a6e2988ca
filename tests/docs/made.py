"""Pages of docs/ that are made from the code: `pytest tests/docs --update-docs` writes them."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from types import FunctionType
from typing import Any

import archcalc
from archcalc.cli import cli
from archcalc.cli._formats import FORMATS

ROOT = Path(__file__).resolve().parents[2]
TERMS = "Terms: [glossary](glossary.md)."
"""The last line of every page that is made."""

CLI = """\
# Commands

After this page you know every command, option and exit code. Made from `archcalc COMMAND --help`.

| exit code | meaning |
|---:|---|
| 0 | The command succeeded. |
| 1 | A check failed: an invalid spec in `lint`, a wrong answer, a failed assertion, a difference in `verify`. |
| 2 | The command could not run. The message gives the reason and the place. |
| 70 | archcalc has a fault. Please report the traceback. |
| 130 | You interrupted the command. |

- `-o FILE` writes the result to a file. The write is atomic: if it fails, the old file stays.
- The file's extension sets the format. `--format` overrides it.
- The value `help` lists the choices of an option: `archcalc table --columns help`.
- CSV, JSON and XLSX hold integers in full.
- Results go to standard output. Status lines and errors go to standard error.

| format | files | use |
|---|---|---|
"""

NETWORKS = """\
# The bundled networks

After this page you know which networks are bundled, and their numbers. Made from `archcalc list --format markdown`.

Parameters and multiply-adds (MACs) are exact, for one sample of the input. *Depth* is the number of weight layers on
the longest path. *RF* is the receptive field size of the last layer with spatial dimensions. A network with a
reference equals that implementation, tensor by tensor and count by count.
"""

OPERATORS = """\
# Operators

After this page you know every operator and its arguments. Made from `archcalc operators --format markdown`.

The first argument may be the value of the operator's key: `{conv: 64, kernel: 3}` is `{conv, channels: 64, kernel: 3}`.
Where all arguments are by name only, none may. Axes are counted without the batch: axis 0 is the channels.
"""

CODES = """\
# Codes of errors and warnings

After this page you know what the code of a message means, and how to correct the problem. It is made from the rules.

- `archcalc help A105` prints one of them, `archcalc help all` their titles.
- A0 is an error in a spec, A1 a warning, and A2 a command that cannot run.

## Options of lint

- `--select A1` reports only the codes that begin so. `--ignore A103,A109` leaves some out.
- `--fix` corrects what has only one correction: A002 with a near name, A104 and A105.
- The command exits with 0 without errors, 1 with errors, and 2 if a file cannot be read. `--strict` exits with 1 for
  warnings too, `--exit-zero` never.
- `--format` writes `json`, `github` (annotations of a pull request), `sarif` (code scanning) or `junit`.
"""

PYTHON = """\
# Python

After this page you know the public names of the package. Made from the docstrings of the names in `archcalc.__all__`.
"""


def cli_page(run: Callable[..., Any]) -> str:
    """Return the page of all commands; ``run`` runs one and returns what it prints as ``out``."""
    names = cli.list_commands(None)  # type: ignore[arg-type]
    formats = "\n".join(
        f"| {known.name} | {', '.join(f'`{suffix}`' for suffix in known.suffixes)} | {known.help} |"
        for known in FORMATS.values()
    )
    return "\n".join(
        [f"{CLI}{formats}\n", *(f"## archcalc {name}\n\n{fenced(run(name, '--help').out)}" for name in names)]
    )


def python_page() -> str:
    """Return the page of the public names, each with its signature, docstring and public members."""
    return "\n".join([PYTHON, *(f"{section.rstrip()}\n" for name in archcalc.__all__ for section in _sections(name))])


def codes_page(run: Callable[..., Any]) -> str:
    """Return the page of all codes, each with an example, the message about it, and the correction."""
    from archcalc.cli._codes import COMMAND_RULES
    from archcalc.language.lint import lint_document
    from archcalc.language.rules import RULES
    from archcalc.language.source import SpecDocument

    parts = [CODES]
    for rule in RULES.values():
        found = [one for one in lint_document(SpecDocument(rule.example, "spec.yaml")) if one.code == rule.code]
        kind = "warning" if rule.is_warning else "error"
        parts.append(
            f"## {rule.code}\n\n**{rule.title}** ({kind}). {rule.why}\n\n{fenced(rule.example, 'yaml')}\n"
            f"{fenced(str(found[0]))}\nUse instead:\n\n{fenced(rule.better, 'yaml')}"
        )
    for rule in COMMAND_RULES.values():
        parts.append(f"## {rule.code}\n\n**{rule.title}** (error). {rule.why}\n")
        if rule.example:
            printed = run(*shlex.split(rule.example)[1:])
            assert f"error[{rule.code}]: " in printed.err
            assert printed.code == 2
            parts.append(fenced(f"$ {rule.example}\n{printed.err}", "console"))
            parts.append(f"Use instead:\n\n{fenced(f'$ {rule.better}', 'sh')}")
    return "\n".join(parts)


def rooms() -> str:
    """Return the packages from the top to the ground, as the contract on imports has them, with their summaries."""
    contract = re.search(r"^layers = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.M | re.S)
    assert contract is not None
    floors = [floor.split(" : ") for floor in re.findall(r'"(.*)"', contract[1])]
    width = max(len(name) for floor in floors for name in floor)
    lines = []
    for floor in floors:
        lines += [f"{'│' if name == floor[0] else ' '}  {name:{width}}  {_summary(name)}" for name in floor]
    lines[-len(floors[-1])] = lines[-len(floors[-1])].replace("│", "▼")
    return "\n".join(lines)


def fenced(text: str, language: str = "text") -> str:
    """Return a text as a block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def _summary(name: str) -> str:
    path = ROOT / "archcalc" / name
    text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]


def _sections(name: str) -> Iterator[str]:
    if name == "__version__":
        yield f"## archcalc.{name}\n\nThe version, a string."
        return
    found = getattr(archcalc, name)
    if not inspect.isclass(found):
        yield f"## archcalc.{name}\n\n{_described(found, f'archcalc.{name}')}"
    else:
        yield f"## archcalc.{name}\n\n{_markdown(inspect.getdoc(found) or '')}\n\n{_fields(found)}"
        for member, value in vars(found).items():
            if not member.startswith("_") and isinstance(value, (property, cached_property, FunctionType)):
                yield f"### {name}.{member}\n\n{_described(value, f'{name}.{member}')}"


def _fields(found: type) -> str:
    """Return the fields of a dataclass with the strings below them."""
    body = ast.parse(dedent(inspect.getsource(found))).body[0].body  # type: ignore[attr-defined]
    lines = []
    for line, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
            told = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            says = f": {' '.join(str(told).split())}" if told else ""
            lines.append(f"- `{ast.unparse(line.target)}: {ast.unparse(line.annotation)}`{says}")
    return "\n".join(lines)


def _described(found: Any, name: str) -> str:
    text = _markdown(inspect.getdoc(found) or "")
    if isinstance(found, (property, cached_property)):
        return text
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(found)))
    return f"{fenced(name + signature, 'python')}\n{text}"


def _markdown(text: str) -> str:
    """Put the examples and the lists of a docstring in fences."""
    parts = []
    for part in text.split("\n\n"):
        part = dedent(part.removeprefix("Examples:\n"))
        is_example = part.lstrip().startswith(">>>")
        is_list = re.match(r"(Args|Returns|Raises|Yields):\n", part)
        parts.append(fenced(part, "pycon" if is_example else "text").rstrip() if is_example or is_list else part)
    return "\n\n".join(parts)
