"""What lint finds, for people and for other programs: text, JSON, GitHub's annotations, SARIF and JUnit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from archcalc._version import __version__
from archcalc.errors import Diagnostic
from archcalc.language.rules import RULES, Rule
from archcalc.words import in_one_line, printable, split_help

Found = Mapping[str, Sequence[Diagnostic]]
"""File to what was found in it."""


def write_diagnostics(found: Found, format: str) -> str:
    """Return what was found, as text, json, github, sarif or junit."""
    return {"text": _text, "json": _json, "github": _github, "sarif": _sarif, "junit": _junit}[format](found)


def explain_rule(rule: Rule) -> str:
    """Return a page about a rule, as Markdown."""
    kind = "warning" if rule.is_warning else "error"
    parts = [f"{rule.code}: {rule.title} ({kind})\n", f"{rule.why}\n"]
    if rule.example:
        parts += ["Example:\n", _indented(rule.example), "Use instead:\n", _indented(rule.better)]
    return "\n".join(parts)


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def _text(found: Found) -> str:
    return "".join(f"{diagnostic}\n" for diagnostics in found.values() for diagnostic in diagnostics)


def _json(found: Found) -> str:
    records = [_record(file, diagnostic) for file, diagnostics in found.items() for diagnostic in diagnostics]
    return json.dumps(records, indent=2) + "\n"


def _record(file: str, diagnostic: Diagnostic) -> dict[str, Any]:
    statement, fix = split_help(diagnostic.message)
    place = diagnostic.place
    return {
        "filename": place.file if place else file,
        "location": {"row": place.line + 1, "column": place.column + 1} if place else None,
        "end_location": {"row": place.line + 1, "column": place.column + 1 + place.length} if place else None,
        "severity": _severity(diagnostic),
        "code": diagnostic.code,
        "message": statement,
        "help": fix or None,
        "fix": [
            {"row": edit.line + 1, "column": edit.column + 1, "length": edit.length, "content": edit.text}
            for edit in diagnostic.fixes
        ]
        or None,
    }


def _severity(diagnostic: Diagnostic) -> str:
    return "warning" if diagnostic.is_warning else "error"


def _github(found: Found) -> str:
    """Return workflow commands, which GitHub shows beside the lines of a pull request."""
    lines = []
    for file, diagnostics in found.items():
        for diagnostic in diagnostics:
            record = _record(file, diagnostic)
            where = {"title": f"archcalc ({diagnostic.code})", "file": record["filename"]}
            if diagnostic.place:
                where |= {"line": diagnostic.place.line + 1, "col": diagnostic.place.column + 1}
            properties = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in where.items())
            lines.append(f"::{record['severity']} {properties}::{_escaped(in_one_line(diagnostic.message))}\n")
    return "".join(lines)


def _escaped(text: str, more: str = "") -> str:
    """Return a text as a workflow command has it: `%`, line ends and, in properties, `:` and `,` by their codes."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return printable(text)


def _sarif(found: Found) -> str:
    """Return SARIF 2.1.0, the format of code scanning (OASIS, 2020)."""
    results = []
    for file, diagnostics in found.items():
        for diagnostic in diagnostics:
            record = _record(file, diagnostic)
            location: dict[str, Any] = {"artifactLocation": {"uri": record["filename"].replace("\\", "/")}}
            if diagnostic.place:
                location["region"] = {
                    "startLine": record["location"]["row"],
                    "startColumn": record["location"]["column"],
                    "endColumn": record["end_location"]["column"],
                }
            results.append(
                {
                    "ruleId": diagnostic.code,
                    "level": record["severity"],
                    "message": {"text": in_one_line(diagnostic.message)},
                    "locations": [{"physicalLocation": location}],
                }
            )
    rules = [
        {"id": rule.code, "shortDescription": {"text": rule.title}, "fullDescription": {"text": rule.why}}
        for rule in RULES.values()
    ]
    run = {"tool": {"driver": {"name": "archcalc", "version": __version__, "rules": rules}}, "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _junit(found: Found) -> str:
    """Return a test report: a suite for each file, a failed test for each problem."""
    count = sum(map(len, found.values()))
    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="archcalc lint" failures="{count}">']
    for file, diagnostics in found.items():
        count = len(diagnostics)
        parts.append(f'  <testsuite name={quoteattr(file)} tests="{count or 1}" failures="{count}" errors="0">')
        for diagnostic in diagnostics:
            where = f"{diagnostic.place.line + 1}:{diagnostic.place.column + 1}" if diagnostic.place else ""
            message = quoteattr(printable(in_one_line(diagnostic.message)))
            parts.append(
                f"    <testcase classname={quoteattr(file)} name={quoteattr(f'{diagnostic.code} {where}'.strip())}>"
                f"<failure type={quoteattr(_severity(diagnostic))} message={message}>{escape(str(diagnostic))}"
                "</failure></testcase>"
            )
        if not diagnostics:
            parts.append(f'    <testcase classname={quoteattr(file)} name="no problems"/>')
        parts.append("  </testsuite>")
    return "\n".join([*parts, "</testsuites>\n"])
