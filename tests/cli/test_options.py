"""Options that need another one, or another mode, are refused where they would be ignored."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("table lenet5 --label tab:lenet", "--label needs --format latex"),
        ("sweep resnet --over classes=10,20 --seed 4", "--seed needs --sample"),
        ("export lenet5 --to spec --batch any", "--batch needs --to onnx"),
        ("check lenet5 answers.csv --visibility hidden", "--visibility needs --gradescope"),
        ("check lenet5 answers.csv --out-of 10", "--out-of needs --gradescope"),
        ("worksheet lenet5 --tolerance 1%", "--tolerance needs --autograder; to grade answers, see archcalc check"),
        ("memory lenet5 --optimizer adam", "--optimizer is for training; write --mode training"),
        ("memory lenet5 --accumulate 4 --clip", "--accumulate and --clip are for training; write --mode training"),
        ("memory lenet5 --mode inference --devices 4", "--devices is for training; write --mode training"),
        ("memory lenet5 --mode training --fused inductor", "--in-place and --fused are for inference"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(cli, tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answers.csv").write_text("layer,params\nconv1,156\n", encoding="utf-8")
    result = cli(*command.split())
    assert result.code == 2
    assert message in result.err
