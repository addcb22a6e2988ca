"""The wheel, installed in a fresh environment outside the checkout, has everything the core needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, ROOT, cwd=folder)
    assert built.returncode == 0, built.stderr
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    wheel = next(folder.glob("archcalc-*.whl"))
    pip = (sys.executable, "-m", "pip", "--python", folder / "venv" / "bin" / "python")
    result = run(*pip, "install", "--no-compile", wheel, cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "venv" / "bin"


def test_bundled_networks_travel_inside(installed, tmp_path):
    result = run(installed / "archcalc", "table", "resnet50", "--exact", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "25,557,032" in result.stdout
    assert "vgg16_bn" in run(installed / "archcalc", "list", cwd=tmp_path).stdout


def test_the_core_has_no_torch_and_says_what_to_install(installed, tmp_path):
    code = "import archcalc; archcalc.build('alexnet')"
    result = run(installed / "python", "-c", code, cwd=tmp_path)
    assert "this needs torch, which is not installed\nhelp: pip install 'archcalc[torch]'" in result.stderr


def test_the_core_has_no_sympy_and_says_what_to_install(installed, tmp_path):
    closed_form = run(installed / "archcalc", "formula", "conv 3x3 C->C", cwd=tmp_path)
    assert closed_form.returncode == 0, closed_form.stderr
    result = run(installed / "archcalc", "compare", "conv 3x3 C->C", "conv 5x5 C->C", cwd=tmp_path)
    assert result.returncode == 2
    assert (
        result.stderr == "error[A203]: this needs sympy, which is not installed\nhelp: pip install 'archcalc[sympy]'\n"
    )
