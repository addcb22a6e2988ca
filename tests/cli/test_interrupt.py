"""Ctrl-C: exit code 130 and one line, whenever it comes. Every interrupt here is a real one, to a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

AT_IMPORT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from archcalc.__main__ import main
main()
"""
"""Interrupts its own process when it is about to import a module."""

AT_CALL = """
import os, signal, sys

left = {number}

def count(frame, event, argument):
    global left
    left -= 1
    if left == 0:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGINT)

from archcalc.__main__ import main
sys.setprofile(count)
try:
    main()
finally:
    sys.setprofile(None)
    print("calls:", {number} - left, file=sys.stderr)
"""
"""Interrupts its own process at one of its calls and returns."""


MILLIONS = ["--over", "H=32:40000:4", "--over", "W=32:40000:4"]


@pytest.fixture(autouse=True)
def _interrupts_reach_the_process():
    """What is started in the background ignores interrupts, and so would all that these tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def told(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if not line.startswith("calls:")]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("click", ["list"]),
        ("archcalc.cli.table", ["table", "lenet5"]),
        ("yaml", ["table", "lenet5"]),
        ("numpy", ["sweep", "lenet5", "--over", "H=28,32"]),
        ("numpy.random", ["verify", "lenet5"]),
        ("torch", ["verify", "lenet5"]),
        ("torch.nn.functional", ["verify", "lenet5"]),
        ("openpyxl", ["worksheet", "lenet5", "-o", "{folder}/a.xlsx"]),
    ],
)
def test_amid_an_import(tmp_path, module, arguments):
    result = run(AT_IMPORT.format(module=module), *(word.format(folder=tmp_path) for word in arguments))
    assert (result.returncode, result.stderr, result.stdout) == (130, "interrupted\n", "")
    assert list(tmp_path.iterdir()) == []


def test_at_any_call(tmp_path):
    """From the first import to the last line, at places spread over a whole run that writes a file."""
    target = tmp_path / "table.csv"
    arguments = ["table", "lenet5", "--format", "csv", "-o", target]
    whole = run(AT_CALL.format(number=10**9), *arguments)
    assert whole.returncode == 0
    calls = int(whole.stderr.rpartition("calls:")[2])
    target.unlink()
    for number in range(100, calls, calls // 25):  # the first calls install the handler
        result = run(AT_CALL.format(number=number), *arguments)
        assert (result.returncode, told(result.stderr)) == (130, ["interrupted"]), number
        assert [path.name for path in tmp_path.iterdir()] in ([], ["table.csv"])
        target.unlink(missing_ok=True)


@pytest.mark.parametrize("where", [["-o", "{folder}/points.csv"], ["--jobs", "2"]], ids=["to a file", "in processes"])
@pytest.mark.parametrize("seconds", [1.5, 4])
def test_amid_long_work(tmp_path, where, seconds):
    """To the whole group of processes, as a terminal does: none of them says more, and none is left."""
    words = [word.format(folder=tmp_path) for word in where]
    process = subprocess.Popen(
        [sys.executable, "-m", "archcalc", "sweep", "resnet50", *MILLIONS, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(seconds)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)  # it ends when every process that holds the pipe has ended
    assert (process.returncode, stderr) == (130, "interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_that_is_ignored_stays_so(tmp_path):
    """As `nohup` and a shell's background jobs have it."""
    script = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{AT_IMPORT.format(module='yaml')}"
    assert run(script, "table", "lenet5").returncode == 0
