"""The codes of messages: those of lint, and those of commands that cannot run."""

from __future__ import annotations

from archcalc.errors import UserError
from archcalc.language.rules import RULES, Rule
from archcalc.words import did_you_mean, help_line, quote

COMMAND_RULES = {
    rule.code: rule
    for rule in (
        Rule(
            "A200",
            "the command cannot do this",
            "Each part of the command is valid, but they do not go together, or the network lacks what is asked for. "
            "The message says what is expected.",
            "archcalc rf alexnet conv1 --unit 99,99",
            "archcalc rf alexnet conv1 --unit 20,20",
        ),
        Rule(
            "A201",
            "invalid command line",
            "An argument is missing, or an option has a value that it cannot have. `archcalc help COMMAND` lists them.",
            "archcalc table alexnet --batch 0",
            "archcalc table alexnet --batch 1",
        ),
        Rule(
            "A202",
            "a file that cannot be read or written",
            "There is no such file, it may not be read, or the disk is full. A file that was there is unchanged.",
            "archcalc lint missing.yaml",
            "archcalc table alexnet",
        ),
        Rule(
            "A203",
            "missing package",
            "The command needs an optional package. The help line has the command that installs it: see "
            "the extras in `docs/how-to/install.md`.",
            "",
            "archcalc table alexnet",
        ),
        Rule(
            "A204",
            "invalid expression",
            "An assertion, a condition or the value of `--let` is not an expression. Expressions have names, numbers, "
            "`+ - * / // % **`, comparisons, `and`, `or`, `not`, and functions such as `min`.",
            'archcalc budget alexnet "params <="',
            'archcalc budget alexnet "params <= 62e6"',
        ),
        Rule(
            "A205",
            "submission that cannot be read",
            "The file is not a table in CSV, XLSX, Markdown or JSON, or it is above a limit. Export it again.",
            "",
            "",
        ),
        Rule(
            "A206",
            "model that cannot be followed",
            "PyTorch cannot export the module for these inputs: its forward pass depends on values, or it takes other "
            "inputs. Give the input that it takes with `--input`, or the part of the model that is a network.",
            "",
            "",
        ),
    )
}
"""Code to what it means, for commands that cannot run; their example is a command."""
EVERY = {**RULES, **COMMAND_RULES}


def codes_of(text: str, among: dict[str, Rule]) -> list[str]:
    """Return the codes of `A101,A2`, in which a part of a code is all that begin so. Raises `UserError`."""
    found = []
    for part in text.upper().split(","):
        codes = [code for code in among if part.strip() and code.startswith(part.strip())]
        if not codes:
            hint = did_you_mean(part, among) or help_line("list the codes with: archcalc lint --explain all")
            raise UserError(f"unknown code {quote(part)}{hint}")
        found += codes
    return found


def explained(text: str) -> str:
    """Return the pages of codes, as Markdown; for `all`, a line for each code. Raises `UserError`."""
    from archcalc.render.diagnostics import explain_rule

    if text == "all":
        return "".join(f"{rule.code}  {rule.title}\n" for rule in EVERY.values())
    return "\n".join(explain_rule(EVERY[code]) for code in codes_of(text, EVERY))
