"""No regular expression in the package goes back and forth over a text: each takes a time that grows as the text does.

Python's engine tells nobody how many steps it takes, so the same patterns run here on a small one that counts them.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]

import pytest

import archcalc

ROOT = Path(archcalc.__file__).parent
SHORT, LONG = 20, 40
FIRST = ("match", "fullmatch")
"""What tries a pattern at the beginning only."""


class Engine:
    """A backtracking matcher over the tree that `re` compiles; counts every look at a character or an alternative."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.tree = parser.parse(pattern, flags)
        flags = int(self.tree.state.flags)
        self.ascii = flags & re.ASCII.value
        self.ignores_case, self.has_lines, self.dot_is_all = (
            bool(flags & one.value) for one in (re.IGNORECASE, re.MULTILINE, re.DOTALL)
        )
        self.known: dict[tuple, bool] = {}
        self.steps = 0

    def search(self, text: str, everywhere: bool, whole: bool) -> int | None:
        """Where a match ends; None if there is none."""
        self.text, self.groups = text, {}
        for start in range(len(text) + 1) if everywhere else (0,):
            found = self.sequence(self.tree.data, 0, start, lambda at: at if not whole or at == len(text) else None)
            if found is not None:
                return found
        return None

    def sequence(self, items: list, index: int, at: int, then: Callable[[int], int | None]) -> int | None:
        self.steps += 1
        if self.steps > 2_000_000:
            raise RecursionError("it takes too many steps")
        if index == len(items):
            return then(at)
        op, argument = items[index]

        def rest(end: int) -> int | None:
            return self.sequence(items, index + 1, end, then)

        if op in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN, sre.CATEGORY):
            return rest(at + 1) if at < len(self.text) and self.takes(op, argument, self.text[at]) else None
        if op is sre.SUBPATTERN:
            group, _, _, inner = argument

            def close(end: int) -> int | None:
                before = self.groups.get(group)
                self.groups[group] = self.text[at:end]
                found = rest(end)
                if found is None:
                    self.groups[group] = before
                return found

            return self.sequence(inner.data, 0, at, close)
        if op is sre.BRANCH:
            ends = (self.sequence(one.data, 0, at, rest) for one in argument[1])
            return next((end for end in ends if end is not None), None)
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self.repeat(op is sre.MAX_REPEAT, *argument, at, rest)
        if op is sre.AT:
            return rest(at) if self.stands(argument, at) else None
        if op in (sre.ASSERT, sre.ASSERT_NOT):
            direction, inner = argument
            width = inner.getwidth()[0] if direction < 0 else 0
            start = at - width
            found = None if start < 0 else self.sequence(inner.data, 0, start, lambda end: end)
            return rest(at) if (found is not None) is (op is sre.ASSERT) else None
        if op is sre.GROUPREF:
            known = self.groups.get(argument) or ""
            return rest(at + len(known)) if self.text.startswith(known, at) else None
        raise NotImplementedError(op)

    def repeat(self, greedy, least, most, inner, at, rest) -> int | None:
        """As the engine does it: of one character at a time in a loop, of more by going deeper."""
        items = inner.data
        if len(items) == 1 and items[0][0] in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN, sre.CATEGORY):
            end = at
            ends = []
            while True:
                if end - at >= least:
                    ends.append(end)
                if end - at == most or end == len(self.text) or not self.takes(*items[0], self.text[end]):
                    break
                self.steps += 1
                end += 1
            return next((found for one in (ends[::-1] if greedy else ends) if (found := rest(one)) is not None), None)

        def more(count: int, start: int) -> int | None:
            def again(end: int) -> int | None:
                return more(count + 1, end) if end > start or count < least else None

            deeper = (lambda: self.sequence(items, 0, start, again)) if count < most else (lambda: None)
            enough = (lambda: rest(start)) if count >= least else (lambda: None)
            for attempt in (deeper, enough) if greedy else (enough, deeper):
                found = attempt()
                if found is not None:
                    return found
            return None

        return more(0, at)

    def takes(self, op, argument, one: str) -> bool:
        """Whether an item takes a character. The answer is remembered; each question is a step."""
        self.steps += 1
        key = op, id(argument), one
        if key not in self.known:
            self.known[key] = self.fits(op, argument, one)
        return self.known[key]

    def fits(self, op, argument, one: str) -> bool:
        if op is sre.ANY:
            return one != "\n" or self.dot_is_all
        if op is sre.IN:
            negated = argument[0][0] is sre.NEGATE
            return any(self.fits(*item, one) for item in argument if item[0] is not sre.NEGATE) is not negated
        if op is sre.RANGE:
            return any(argument[0] <= ord(case) <= argument[1] for case in self.cases(one))
        if op is sre.CATEGORY:
            name = str(argument).removeprefix("CATEGORY_").removeprefix("UNI_")
            kind = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[name.removeprefix("NOT_")]
            found = re.match(kind, one, self.ascii) is not None
            return found is not name.startswith("NOT_")
        return any(ord(case) == argument for case in self.cases(one)) is (op is sre.LITERAL)

    def cases(self, one: str) -> set[str]:
        swapped = one.swapcase()
        return {one, swapped} if self.ignores_case and len(swapped) == 1 else {one}

    def stands(self, where, at: int) -> bool:
        before, after = self.text[at - 1 : at], self.text[at : at + 1]
        word = [bool(re.match(r"\w", one, self.ascii)) for one in (before, after)]
        lines = self.has_lines
        return {
            "AT_BEGINNING": at == 0 or (lines and before == "\n"),
            "AT_BEGINNING_STRING": at == 0,
            "AT_END": at >= len(self.text) - (self.text[-1:] == "\n") or (lines and after == "\n"),
            "AT_END_STRING": at == len(self.text),
            "AT_BOUNDARY": word[0] is not word[1],
            "AT_NON_BOUNDARY": word[0] is word[1],
        }[str(where)]


def patterns(path: Path) -> Iterator[tuple[int, str, int, str]]:
    """Every pattern in a file: its line, what it is, its flags, and how it is used."""
    source = path.read_text(encoding="utf-8")
    module = importlib.import_module(".".join(path.relative_to(ROOT.parent).with_suffix("").parts))
    names = {**vars(module), "convention": "lecture", "key": "params", "least": 2}
    for node in ast.walk(ast.parse(source)):
        is_re = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if not is_re or not isinstance(node.func.value, ast.Name) or node.func.value.id != "re":
            continue
        if node.func.attr in ("escape", "error"):
            continue
        flags = [word.value for word in node.keywords if word.arg == "flags"]
        flags += [one for one in node.args[1:] if re.fullmatch(r"re\.[A-Z]+( \| re\.[A-Z]+)*", ast.unparse(one))]
        values = [eval(ast.unparse(one), names) for one in (node.args[0], *flags)]  # our own source
        use = node.func.attr
        if use == "compile":
            name = source.splitlines()[node.lineno - 1].partition(" = ")[0].strip()
            uses = re.findall(rf"\b{re.escape(name)}\.(match|fullmatch|search|sub|split|findall|finditer)\(", source)
            uses = uses or re.findall(
                r"\b(?!re\.)[a-z]\w*\.(match|fullmatch|search|sub)\(", source
            )  # in a list of patterns
            use = next((one for one in uses if one not in FIRST), uses[0])
        yield node.lineno, values[0], sum(map(int, values[1:])), use


def attacks(pattern: str) -> Iterator[tuple[str, str, str]]:
    """Beginnings, pieces to repeat and ends, of the characters that the pattern speaks of."""
    literal = [one for one in dict.fromkeys(re.sub(r"\\.|\(\?\S", "", pattern)) if one not in "()[]{}?+*^$\\"]
    characters = list(dict.fromkeys(["a", "1", " ", "-", "|", ".", ",", "x", "*", "(", *literal]))
    pieces = dict.fromkeys([*characters, "1 ", " a", "1,", "--|", "ax", "| ", ":-|", "_a"])
    for piece in pieces:
        for start in ("", "a", "(", "|--", "name: "):
            for end in ("", "!\n!"):
                yield start, piece, end


def steps(engine: Engine, text: str, use: str) -> int:
    engine.steps = 0
    engine.search(text, use not in FIRST, use == "fullmatch")
    return engine.steps


FILES = [path for path in sorted(ROOT.rglob("*.py")) if re.search(r"\bre\.[a-z]", path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(ROOT).as_posix() for path in FILES])
def test_a_pattern_takes_as_many_steps_as_its_text_is_long(path):
    """Twice the text takes about twice the steps: four times would be a text that is gone over again and again."""
    slow = []
    for line, pattern, flags, use in patterns(path):
        engine = Engine(pattern, flags)
        for start, piece, end in attacks(pattern):
            short, long = (steps(engine, start + piece * count + end, use) for count in (SHORT, LONG))
            if long > 2.6 * short + 100:
                slow.append((line, start, piece, end, short, long))
    assert not slow


def test_the_engine_finds_what_python_finds_and_counts():
    """The pattern of Markdown's rules that once took two minutes for 80,000 spaces, and a few that are known."""
    for pattern, text in [
        (r"(a+)+b", "aaab"),
        (r"^\s*(\w+)\s*$", " ab "),
        (r"x(?=1)\d{1,3}?", "x12"),
        (r"(.)\1", "abb"),
    ]:
        found = re.search(pattern, text)
        assert Engine(pattern, 0).search(text, True, False) == (found.end() if found else None)
    rule = Engine(r"^[ \t]*\|?[ \t]*:?-{2,}", re.MULTILINE)
    assert steps(rule, " " * LONG, "search") > 3.2 * steps(rule, " " * SHORT, "search")
