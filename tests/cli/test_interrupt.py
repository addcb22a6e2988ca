"""Ctrl-C: exit code 130 and one line, whenever it comes. Every interrupt here is a real one, to a real process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

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
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def told(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if not line.startswith("calls:")]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("click", ["list", "lenet5"]),
        ("archcalc.cli.table", ["table", "lenet5"]),
        ("yaml", ["table", "lenet5"]),
        ("numpy", ["sweep", "lenet5", "--over", "H=28,32"]),
        ("numpy.random", ["sweep", "lenet5", "--over", "H=28:60", "--sample", "5"]),
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
    for number in range(100, calls, calls // 12):  # the first calls install the handler
        result = run(AT_CALL.format(number=number), *arguments)
        assert (result.returncode, told(result.stderr)) == (130, ["interrupted"]), number
        assert [path.name for path in tmp_path.iterdir()] in ([], ["table.csv"])
        target.unlink(missing_ok=True)


def wait_for_work(process: subprocess.Popen[str], seconds: float) -> None:
    """Wait until a process has computed for so long, however busy the machine is."""
    stat = Path(f"/proc/{process.pid}/stat")
    if not stat.exists():  # not Linux
        time.sleep(4 * seconds)
        return
    ticks = seconds * os.sysconf("SC_CLK_TCK")
    while process.poll() is None and sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13])) < ticks:
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("where", "seconds"),
    [
        (["-o", "{folder}/points.csv"], 0.5),
        (["--jobs", "2"], 0),
        (["--jobs", "2", "--best", "params"], 1.5),
        (["--jobs", "2", "-o", "{folder}/points.csv"], 3),
    ],
    ids=["to a file", "as processes start", "in processes", "in processes, to a file"],
)
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
    wait_for_work(process, 0.5)
    time.sleep(seconds)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)  # it ends when every process that holds the pipe has ended
    assert process.returncode == 130
    kept = re.search(r"^interrupted after ([0-9,]+) points, ([0-9,]+) kept, of ", stderr, re.MULTILINE)
    if kept is None:  # before the first result: there is nothing to keep
        assert stderr == "interrupted\n"
        assert list(tmp_path.iterdir()) == []
    elif "{folder}" in "".join(where):
        lines = (tmp_path / "points.csv").read_text().count("\n")
        assert lines - 1 == int(kept[2].replace(",", ""))
    else:
        assert stdout.split()[:3] == ["H", "W", "params"]


def test_a_sweep_keeps_whole_results(tmp_path):
    """In the middle of writing: the file has the points so far, and the message says how many."""
    target = tmp_path / "points.csv"
    script = """
import os, signal
from dataclasses import replace
from archcalc.sweep import workers

whole = workers.results

def results(plan, *arguments):
    for number, result in enumerate(whole(replace(plan, chunk=100), *arguments)):
        yield result
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)

workers.results = results
from archcalc.__main__ import main
main()
"""
    result = run(script, "sweep", "lenet5", "--over", "H=32:2000:4", "-o", target)
    assert result.returncode == 130
    assert target.read_text().count("\n") - 1 == 200  # the one that was being computed too
    assert "interrupted after 200 points, 200 kept, of 493" in result.stderr


def test_a_class_keeps_its_grades(tmp_path):
    """The submissions that are graded are shown, and the others counted."""
    for name in ("ada", "bob", "eve"):
        (tmp_path / f"{name}.csv").write_text("layer,params\nconv1,156\n")
    script = """
import os, signal
from archcalc.homework.marking.grading import Grader

grade, left = Grader.grade, 2

def interrupted(self, path):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGINT)
    return grade(self, path)

Grader.grade = interrupted
from archcalc.__main__ import main
main()
"""
    result = run(script, "check", "lenet5", tmp_path, "--ask", "params")
    assert result.returncode == 130
    assert "ada" in result.stdout
    assert "bob" in result.stdout
    assert "eve" not in result.stdout
    assert result.stderr == "interrupted: 1 of 3 submissions are not graded\n"


def test_an_interrupt_that_is_ignored_stays_so(tmp_path):
    """As `nohup` and a shell's background jobs have it."""
    script = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{AT_IMPORT.format(module='yaml')}"
    assert run(script, "table", "lenet5").returncode == 0
