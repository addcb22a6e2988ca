"""What lint warns of: allowed, and probably not meant."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcalc
from archcalc.language.lint import lint_document
from archcalc.language.rules import warnings
from archcalc.language.source import read_document

IMAGE = "input: [3, 8, 8]\nlayers: "


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (IMAGE + "[{conv: 4, kernel: 3}, relu, {linear: 10}, {linear: 5}]\n", 1),
        (IMAGE + "[global_avg_pool, {linear: 10}]\n", 1),
        (IMAGE + "[{conv: 4, kernel: 3}, flatten, {linear: 10}]\n", 0),
        (IMAGE + "[{permute: [1, 2, 0]}, {linear: 10}]\n", 0),
        (IMAGE + "[{permute: [1, 2, 0]}, {permute: [2, 0, 1]}, {linear: 10}]\n", 1),
        (IMAGE + "[{flatten: 1}, {permute: [1, 0]}, {linear: 10}]\n", 0),
        ("input: [16, 32]\nlayers: [{linear: 10}]\n", 0),
    ],
)
def test_a_forgotten_flattening(text, count):
    found = warnings(archcalc.loads(text))
    assert len(found) == count
    assert all("flatten is missing" in one.message and one.is_warning for one in found)


def test_channels_last_are_named_where_a_shape_does_not_fit(cli, tmp_path):
    """The height is taken for the channels, so the width of 3 is too small: the error alone is a riddle."""
    path = tmp_path / "w.yaml"
    path.write_text("input: [32, 32, 3]\nlayers: [{conv: 4, kernel: 3, stride: 2, padding: 1}, {max_pool: 3}]\n")
    for command in ("table", "lint"):
        result = cli(command, path)
        assert "error[A003]: the kernel spans 3" in result.out + result.err
        assert "warning[A104]: the input 32×32×3 seems to have its channels last" in result.out + result.err
    cli("lint", path, "--fix")
    assert path.read_text().startswith("input: [3, 32, 32]\n")


def test_a_warning_is_shown_and_no_failure(cli, tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text(IMAGE + "[{linear: 10}]\n")
    result = cli("lint", str(path))
    assert result.code == 0
    assert "w.yaml:2:10: warning[A101]: linear takes the 8 numbers of each row of the image 3×8×8" in result.out
    assert "1 spec without errors, 1 warning" in result.err
    assert [one.is_warning for one in lint_document(read_document(path))] == [True]


@pytest.mark.parametrize(
    ("steps", "messages"),
    [
        ("[{conv: 64, kernel: 7, stride: 2}, {max_pool: 3, stride: 2}, global_avg_pool, flatten, {linear: 10}]", []),
        ("[{conv: 4, kernel: 3, padding: 1, stride: 2}, {upsample: 2}, {add: [[], [relu]]}]", []),
        ("[{adaptive_avg_pool: 7}, flatten, {linear: 10}]", []),
        ("[{conv: 4, kernel: 3}, {linear: 10}]", ["linear takes the 13438 numbers of each row", "W=13440"]),
        ("[{add: [[{conv: 3, kernel: 3}], []]}]", ["add needs inputs of one shape", "(tried with H=6720, W=13440)"]),
        ("[{add: [[{permute: [0, 2, 1]}], []]}]", ["add needs inputs of one shape"]),
    ],
)
def test_sizes_that_are_left_open_are_tried(steps, messages, tmp_path):
    path = tmp_path / "open.yaml"
    path.write_text(f"input: [3, H, W]\nlayers: {steps}\n")
    found = [one.message for one in lint_document(read_document(path))]
    assert len(found) == bool(messages)
    assert all(message in found[0] for message in messages)


@pytest.mark.parametrize(
    ("size", "arguments", "message"),
    [
        ([3, 60, 80], "kernel: [3, 5], stride: [2, 1], padding: [0, 2]", "the last row is never read"),
        ([3, 29, 80], "kernel: 2, stride: 2", "the last row is never read"),
        ([3, 30, 31], "kernel: 2, stride: 2", "the last column is never read"),
        ([3, 31, 31], "kernel: 2, stride: 2", "the last row and column are never read"),
        ([3, 32, 32], "kernel: 3, stride: 3", "the last 2 rows and columns are never read"),
        ([3, 32], "kernel: 3, stride: 3", "the last 2 positions are never read"),
    ],
)
def test_what_no_window_reads_is_named(cli, spec_file, size, arguments, message):
    file = spec_file(f"input: {size}\nlayers: [{{conv: 4, {arguments}}}]\n", "net.yaml")
    assert message in cli("lint", file).out


def test_a_correction_sets_no_argument_twice(cli, spec_file):
    file = spec_file(
        IMAGE + "[{conv: 4, kernal: 3, kernel: 3}, {conv: 4, kernel_size: 3, out_channels: 5}]\n", "net.yaml"
    )
    result = cli("lint", "--fix", file)
    assert "1 correction" in result.out + result.err
    assert "did you mean 'kernel'? it is set already" in result.out + result.err
    corrected = Path(file).read_text(encoding="utf-8")
    assert "{conv: 4, kernal: 3, kernel: 3}, {conv: 4, kernel: 3, out_channels: 5}" in corrected
