"""Headings as courses print them: `# of parameters`, `MFLOPs`, `Output Shape (HxWxC)`, `params in k`.

A heading is looked up as it is, then without fillers such as `number of`, then with a unit before or after it. Only if
nothing fits is it taken for a misspelling, which a remark says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import SequenceMatcher

from archcalc.errors import SpecError
from archcalc.homework.questions import QUESTIONS
from archcalc.structs import Struct
from archcalc.words import nearest_or_all, quote

MOST_CHARACTERS = 60
"""The longest text that is read as a heading."""
CLOSE = 0.83
"""The similarity of two words above which one is taken for a misspelling of the other."""
SHORTEST = 6
"""Shorter words are not taken for misspellings."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


NAME = _words("layer, name, layer name, layer type, layers, node, block, module, layer no, layer number, stage")
GIVEN = _words(
    "input, input shape, input size, in, in shape, input c, in c, c in, input channels, in "
    "channels, input h/w, in hw, input hw, input h w, input h, input w, in h, in w, input height, "
    "input width, channels in, filters, number of filters, kernel, kernel size, filter size, k, "
    "f, stride, s, pad, padding, p, op, operator, type, groups, dilation, activation, inputs, besides, followed by, "
    "input volume, input dimensions, input feature map, input map, input features, depth of input, kernels, "
    "number of kernels, receptive window, window, window size, activation function, description, comment, comments, "
    "notes, note, remarks, calculation, formula, working, name of student"
)
"""Headings of columns that a worksheet fills in, or that hold no answers."""
KINDS = frozenset({"op", "operator", "type", "layer type"})
"""Headings of columns with kinds of layers."""
_FILLERS = frozenset(
    _words("a, all, amount, an, count, counts, each, for, layer, layers, n, no, nr, num, number, of, per, the, total")
)
_PREFIXES = "kilo|mega|giga|tera|[kmgt]"
_MULTIPLES = "10|1e|x|thousands?|millions?|billions?"
_MEMORY = re.compile(r"[kmgt]?i?b|bytes|kilobytes|megabytes")


class Heading(Struct):
    """The meaning of a column of a submission."""

    key: str
    """A question's key, `name`, or `given` for a column without answers; empty if it is unknown."""
    unit: str = ""
    """The unit in the heading, as written, or the order of a shape's sizes."""


def read_heading(text: str, convention: str, mapped: Mapping[str, str] | None = None) -> Heading:
    """Read a heading such as `#params`, `Params (K)`, `memory_kb`, `output H/W` or `lecture FLOPs (M)`.

    Args:
        text: the heading.
        convention: the name of the counting convention, which a heading may have.
        mapped: headings whose meaning is given, by `plain_heading`.
    """
    given = (mapped or {}).get(plain_heading(text))
    bare, unit = _bare(text, convention)
    if given is not None:
        return Heading(given, unit)
    for words, rest in _readings(bare):
        key = _KNOWN.get(words)
        if key:
            return Heading(key, rest or unit)
    return Heading("", unit)


def guess_heading(text: str, convention: str, taken: Collection[str] = ()) -> Heading:
    """Return the meaning of a misspelt heading, `paramters`, if it is not one of the meanings that are taken."""
    bare, unit = _bare(text, convention)
    words = bare.split()
    close = [
        (likeness, key)
        for known, key in _KNOWN.items()
        if key not in taken and (likeness := _likeness(words, known.split())) >= CLOSE
    ]
    return Heading(max(close)[1] if close else "", unit)


def plain_heading(text: str) -> str:
    """Return a heading without capitals and spaces at its ends."""
    return " ".join(text.strip().strip("*`_ ").casefold()[:MOST_CHARACTERS].split())


def mapped_headings(pairs: Collection[str]) -> dict[str, str]:
    """Return the meanings of headings from `--map`; raises `SpecError` for anything else.

    map = HEADING "=" (KEY | "name" | "given")
    """
    found = {}
    for pair in pairs:
        heading, equals, key = pair.rpartition("=")
        key = key.strip()
        if not equals or not heading.strip():
            raise SpecError(f"--map takes HEADING=QUESTION, got {quote(pair)}")
        if key not in QUESTIONS and key not in ("name", "given"):
            possible = (*QUESTIONS, "name", "given")
            raise SpecError(f"--map has the unknown question {quote(key)}{nearest_or_all(key, possible)}")
        found[plain_heading(heading)] = key
    return found


def _likeness(words: list[str], known: list[str]) -> float:
    """Return how alike two headings are: 0 unless all words but one are equal, and that one is long and similar."""
    if len(words) != len(known):
        return 0.0
    pairs = [(word, other) for word, other in zip(words, known, strict=True) if word != other]
    if len(pairs) != 1:
        return 0.0
    word, other = pairs[0]
    if min(len(word), len(other)) < SHORTEST or abs(len(word) - len(other)) > 2 or word in _EVERY_WORD:
        return 0.0
    swapped = sorted(word) == sorted(other)
    return 1.0 if swapped else SequenceMatcher(None, word, other).ratio() * (len(other) > SHORTEST)


def _bare(text: str, convention: str) -> tuple[str, str]:
    """Return the words of a heading, and the text in brackets after them."""
    unit = ""
    bare = re.sub(r"\(\s*s\s*\)", "s", plain_heading(text))
    match = re.search(r"[(\[]([^()\[\]]*)[)\]]$", bare)
    if match:
        bare, unit = bare[: match.start()], match[1].strip()
    if unit == convention:
        unit = ""
    bare = re.sub(r"[_\-\s.:#№×*?]+", " ", bare).strip()
    return re.sub(rf"^{re.escape(convention)} (?=\w)|(?<=\w) {re.escape(convention)}$", "", bare), unit


def _without_fillers(words: str) -> str:
    kept = [word for word in words.split() if word not in _FILLERS]
    return " ".join(kept) or words


def _readings(bare: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a heading with what may be its unit."""
    yield bare, ""
    yield _without_fillers(bare), ""
    match = re.fullmatch(rf"(.+?)(?: in)? ((?:{_MULTIPLES})?\S+)", bare)  # memory kb, params in k
    if match:
        yield match[1], match[2]
        yield _without_fillers(match[1]), match[2]
    for match in re.finditer(r" in ", bare):
        yield _without_fillers(bare[: match.start()]), bare[match.end() :]
    match = re.fullmatch(rf"({_PREFIXES}) ?(\w+s?)", _without_fillers(bare))  # mflops, kparams
    if match:
        yield match[2], match[1]
    match = re.fullmatch(r"(\S+) (.+)", bare)  # kb memory, million parameters
    if match and re.fullmatch(rf"{_MEMORY.pattern}|{_PREFIXES}|{_MULTIPLES}", match[1]):
        yield _without_fillers(match[2]), match[1]
    if _MEMORY.fullmatch(bare) and len(bare) > 1:
        yield "memory", bare


def _known() -> Mapping[str, str]:
    known = {_plain(word): "given" for word in GIVEN}
    known |= {_plain(word): "name" for word in NAME}
    for question in QUESTIONS.values():
        words = (question.key, question.heading.lower(), *_words(question.quantity.words))
        known |= {_plain(word): question.key for word in words}
    return {**{_without_fillers(word): key for word, key in reversed(known.items())}, **known}


def _plain(word: str) -> str:
    return word.replace("_", " ").replace("-", " ")


_KNOWN = _known()
_EVERY_WORD = frozenset(word for known in _KNOWN for word in known.split())
