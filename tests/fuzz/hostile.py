"""Broken specs: the bundled ones and those of the documentation with pieces moved, cut, repeated and replaced.

Every input is to be a network or a `SpecError`, within a second of CPU time and 256 MiB.
"""

from __future__ import annotations

import random
import re
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from archcalc import SpecError
from archcalc.analysis import analyze
from archcalc.language.language import Spec
from archcalc.language.library import _extended, bundled_folder
from archcalc.language.source import SpecDocument, decode
from archcalc.render.folding import network_spec

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 1.0
MOST_MEMORY = 256 * 2**20
WORDS = (
    *("10**12", "9**9**9", "-1", "0", "1e999", ".nan", ".inf", "-.inf", "9" * 30, "1/3", "true", "null", "~", "''"),
    *("input", "input.channels", "i", "[1, 2]", "range(1000)", "[[1]*999]*999", "1 if 2 else 3", "(((((", "lambda: 0"),
    *("&a", "*a", "&a [*a]", "!!python/object:os.system", "!!binary x", "%YAML 1.1", "---", "...", "? ", "- ", ": "),
    *("{", "}", "[", "]", "|", ">-", "'", '"', "#", "\t", "\r", "\n", "\x00", "\x1b[31m", "\u202e", "\ufeff", "\ud7ff"),
    *("conv", "add", "concat", "use", "share", "side", "layers", "from", "for", "when", "repeat", "train", "extends"),
    *("extends: alexnet", "extends: ../../etc/passwd.yaml", "name: a.b", "{relu, repeat: 10**5}", "x" * 300),
    *("reshape", "slice", "chunk", "upsample", "window_attention", "embedding", "pad", "mean", "permute"),
)
TOKEN = re.compile(r"[A-Za-z_]+|[0-9]+|\s+|[^\sA-Za-z_0-9]")


def seeds() -> list[str]:
    """Texts to break: the examples of the documentation, and beginnings and pieces of the bundled specs."""
    page = (ROOT / "docs" / "reference" / "spec-language.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    bundled = [path.read_text(encoding="utf-8") for path in sorted(bundled_folder().glob("*.yaml"))]
    return examples * 8 + bundled


def broken(count: int, seed: int) -> Iterator[bytes]:
    """So many inputs; the same for the same seed."""
    texts = seeds()
    for number in range(count):
        yield broken_one(random.Random(f"{seed}-{number}"), texts)


def broken_one(rng: random.Random, texts: list[str]) -> bytes:
    """One input: a text with one to six changes, to its words, its lines or its bytes."""
    text = rng.choice(texts)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        text = rng.choice((_replace_word, _replace_word, _move_line, _cut, _repeat, _splice))(rng, text, texts)
    raw = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.15:
        return _bytes_changed(rng, raw)
    return raw if rng.random() > 0.02 else rng.randbytes(rng.randrange(200))


def _replace_word(rng: random.Random, text: str, texts: list[str]) -> str:
    """A word, a number or a sign becomes another, one of the text's own or a nasty one."""
    tokens = TOKEN.findall(text)
    if not tokens:
        return rng.choice(WORDS)
    tokens[rng.randrange(len(tokens))] = rng.choice(WORDS) if rng.random() < 0.6 else rng.choice(tokens)
    return "".join(tokens)


def _move_line(rng: random.Random, text: str, texts: list[str]) -> str:
    lines = text.split("\n")
    line = lines.pop(rng.randrange(len(lines)))
    lines.insert(rng.randrange(len(lines) + 1), " " * rng.choice((0, 0, 2, 4)) + line)
    return "\n".join(lines)


def _cut(rng: random.Random, text: str, texts: list[str]) -> str:
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.choice((1, 1, 5, 40, 400)) :]


def _repeat(rng: random.Random, text: str, texts: list[str]) -> str:
    start = rng.randrange(len(text) + 1)
    piece = text[start : start + rng.choice((1, 3, 20, 100))]
    return text[:start] + piece * rng.choice((2, 3, 50)) + text[start:]


def _splice(rng: random.Random, text: str, texts: list[str]) -> str:
    """The beginning of one text, the end of another."""
    other = rng.choice(texts)
    return text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]


def _bytes_changed(rng: random.Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.randrange(1, 5)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


class TooSlow(BaseException):
    """Raised by the timer; not an `Exception`, so that nothing takes it for a mistake of the spec."""


def most_memory() -> int:
    """The most bytes that this process has held. `getrusage` would count what its parent held when it was forked."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Watch:
    """Runs inputs, and measures what they take."""

    def __init__(self) -> None:
        self.networks = self.refused = 0
        self.was_refused = False
        self.slowest = 0.0
        self.most_memory = 0

    def complaint(self, raw: bytes) -> str:
        """What is wrong with how an input was taken; empty if nothing is.

        What was slow is taken once more: a machine that pauses is no fault of the input.
        """
        complaint, seconds = self.once(raw)
        if seconds > MOST_SECONDS:
            again, seconds = self.once(raw)
            complaint = again or (f"it takes {seconds:.2f} s" if seconds > MOST_SECONDS else "")
        self.slowest = max(self.slowest, seconds)
        before, self.most_memory = self.most_memory, most_memory()
        if self.most_memory > MOST_MEMORY >= before:
            complaint = complaint or f"it takes {self.most_memory / 2**20:.0f} MiB"
        self.refused += not complaint and self.was_refused
        self.networks += not complaint and not self.was_refused
        return complaint

    def once(self, raw: bytes) -> tuple[str, float]:
        """The complaint of one go, and its seconds of CPU."""
        signal.signal(signal.SIGVTALRM, _stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, 5 * MOST_SECONDS)
        start = time.process_time()
        complaint = ""
        try:
            take(raw)
            self.was_refused = False
        except SpecError as error:
            self.was_refused = True
            if any(not one.isprintable() and one != "\n" for one in str(error)):
                complaint = f"a message has characters that steer a terminal: {str(error)!r}"
        except TooSlow:
            complaint = "it hangs"
        except Exception as error:
            complaint = f"{type(error).__name__}: {error}"
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return complaint, time.process_time() - start


def _stop(signum: int, frame: object) -> None:
    raise TooSlow


def take(raw: bytes) -> None:
    """What a command does with a file: read it, expand it, analyze it, and say it again."""
    document = SpecDocument(decode(raw, "net.yaml"), "net.yaml")
    spec = Spec(document, lambda name, one: _extended(name, one, 1))
    variant = next(iter(spec.variants), None)
    network = spec.network(variant)
    analyze(network)
    try:
        network_spec(network)
    except ValueError as error:
        if "cannot be written as a spec" not in str(error):
            raise
