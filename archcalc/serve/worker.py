"""The process that computes: it reads messages as lines of JSON, and writes the answers, the last one marked.

It is started by `workers`, which ends it when an answer takes too long. After each answer it waits to hear whether the
next one is still wanted.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

NEXT, STOP = b"next\n", b"stop\n"
MEMORY = 4 << 30
"""Bytes of address space that it may use."""


def main() -> None:
    """Answer until the input ends."""
    _bound_memory(MEMORY)
    output, sys.stdout = sys.stdout.buffer, sys.stderr  # whatever is printed by mistake is not an answer
    gc.set_threshold(50_000)
    from archcalc.serve.answers import answers
    from archcalc.serve.view import message_of

    def say(answer: dict[str, Any]) -> None:
        output.write(json.dumps(answer, separators=(",", ":"), default=str).encode() + b"\n")
        output.flush()

    _warm_up()
    for line in sys.stdin.buffer:
        try:
            data = json.loads(line)
            path = data.pop("path")
            for answer in answers(message_of(data), None if path is None else Path(path)):
                say(answer)
                if sys.stdin.buffer.readline() != NEXT:
                    break
        except (MemoryError, RecursionError):
            say({"kind": "refused", "says": "error: this network needs more memory than the page gives it"})
        except Exception:
            import traceback

            traceback.print_exc()
            say({"kind": "refused", "says": "error: this is a fault of archcalc; the terminal has the details"})
        say({"kind": "done"})


def _warm_up() -> None:
    """Import what the first questions need, and make what is made once."""
    from archcalc.serve.answers import answers
    from archcalc.serve.view import Message

    small = "input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3}, relu]\n"
    for ask in ("show", "complete"):
        list(answers(Message(ask, 0, small)))


def _bound_memory(size: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


if __name__ == "__main__":
    main()
