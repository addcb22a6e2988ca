"""What all tests share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

from archcalc.methods import attach

ROOT = Path(__file__).resolve().parent.parent
os.environ.pop("COLUMNS", None)  # a parallel run sets it, and commands then fit their output to it
attach()  # as `archcalc.load` and all other public names do


# Examples share two cores with other tests: how long one takes says nothing. The gate tries the same examples every
# time; to look for new ones, run `pytest --hypothesis-profile search`, and the fuzzers of tests/fuzz.
settings.register_profile("archcalc", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("archcalc")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-docs", action="store_true", help="write what the commands in the docs print now")
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    cuda = None
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
        if item.get_closest_marker("cuda"):
            if cuda is None:
                import torch

                cuda = torch.cuda.is_available()
            if not cuda:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spare the garbage collector the ten thousand tests and the packages, which all stay: it is half of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Imported networks are not kept in the cache of whoever runs the tests."""
    os.environ["ARCHCALC_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def one_thread():
    """Let PyTorch compute with one thread: for small networks, more threads only wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def data() -> Path:
    """The folder of gold data; its README says where each number is from."""
    return ROOT / "tests" / "data"


@pytest.fixture
def spec_file(tmp_path: Path):
    """Write a spec to a file, and give its path."""

    def write(text: str, name: str = "net.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def brief_timing(monkeypatch):
    """A timing ends after a few runs: a test that looks at more than its figures need not wait for good ones."""
    from archcalc.runtime import calibration, timing

    monkeypatch.setattr(calibration, "SIZES", (64, 128))
    monkeypatch.setattr(calibration, "COPIED_BYTES", 2**20)
    monkeypatch.setattr(calibration, "SECONDS", 0.02)
    monkeypatch.setitem(timing.take_turns.__kwdefaults__, "seconds", 0.02)


@pytest.fixture
def cli():
    """Run `archcalc` in this process: `cli("table", "alexnet")` gives exit code, output and errors.

    With ``stdout``, a file that is open, the output goes there.
    """
    from tests.command_line import run

    return run
