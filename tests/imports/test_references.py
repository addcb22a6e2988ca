"""References to networks that are not specs, and what is refused before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.imports.references import OnnxModel, PackageModel, ScriptModel, parse_model, parse_source


@pytest.mark.parametrize(
    "reference", ["resnet50", "net.yaml", "specs/net.yml#wide", "conv 3x3 C->C", "a:b", "x.py.yaml"]
)
def test_other_names_are_those_of_specs(reference):
    assert parse_source(reference) is None


@pytest.mark.parametrize(
    ("reference", "package", "name", "keywords"),
    [
        ("timm:resnet50d", "timm", "resnet50d", {}),
        ("timm:vit_base_patch16_224.augreg_in21k", "timm", "vit_base_patch16_224.augreg_in21k", {}),
        ("torchvision:fcn_resnet50(aux_loss=true)", "torchvision", "fcn_resnet50", {"aux_loss": True}),
        ("transformers:facebook/bart-base", "transformers", "facebook/bart-base", {}),
        ("transformers:BertModel( )", "transformers", "BertModel", {}),
    ],
)
def test_models_of_packages(reference, package, name, keywords):
    assert parse_source(reference) == PackageModel(package, name, keywords, reference)


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("a=1, b=2.5, c=1e5", {"a": 1, "b": 2.5, "c": 1e5}),
        ("a=true, b=False, c=none", {"a": True, "b": False, "c": None}),
        ("act=relu, name='a, b', path=eager", {"act": "relu", "name": "a, b", "path": "eager"}),
        ("kernel=(3, 5), depths=[2, 2], more={'a': [1]}", {"kernel": (3, 5), "depths": [2, 2], "more": {"a": [1]}}),
        ("a=-1, b=__import__('os')", {"a": -1, "b": "__import__('os')"}),
        ("a=9**9**9**9", {"a": "9**9**9**9"}),
    ],
)
def test_keywords_are_values_and_never_code(text, keywords):
    assert parse_source(f"net.py:Net({text})") == ScriptModel(Path("net.py"), "Net", keywords, f"net.py:Net({text})")


def test_files():
    assert parse_source("a/model.onnx") == OnnxModel(Path("a/model.onnx"), "a/model.onnx")
    assert parse_source("a/b.py:models.Net") == ScriptModel(Path("a/b.py"), "models.Net", {}, "a/b.py:models.Net")
    assert parse_source("C:\\nets\\b.py:Net") == ScriptModel(Path("C:\\nets\\b.py"), "Net", {}, "C:\\nets\\b.py:Net")


@pytest.mark.parametrize(
    "name", ["m.pt", "m.pth", "M.PKL", "m.bin", "m.ckpt", "m.pt2", "m.safetensors", "m.h5", "m.keras", "a/m.tflite"]
)
def test_files_that_are_never_opened(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / Path(name).name).write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(UserError, match=r"help: name what makes the model: .*FILE.py:CLASS"):
        archcalc.load(name)


@pytest.mark.parametrize(
    "reference",
    ["timm:", "timm:a(", "timm:hf-hub:a/b", "timm:a/b", "torchvision:/etc/passwd", "n.py:", "n.py:a b", "n.py:N(3)"],
)
def test_invalid_references(reference):
    with pytest.raises(UserError, match=r"invalid reference|expected KEYWORD=VALUE"):
        parse_source(reference)


@pytest.mark.parametrize("nested", ["[" * 3000, "-" * 3000 + "1", "{" * 500 + "}" * 500])
def test_values_that_are_nested_too_deep_are_words(nested):
    assert parse_source(f"n.py:N(a={nested})").keywords == {"a": nested}


def test_the_classes_of_a_file_are_suggested_and_it_is_not_run(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(
        "raise SystemExit\nclass Data: pass\nclass Block(nn.Module): pass\n"
        "class Net(nn.Module):\n    def __init__(self):\n        self.block = Block()\n"
    )
    with pytest.raises(UserError, match=r"is a Python file\nhelp: name its model: .*train.py:Net"):
        parse_source(str(path))


@pytest.mark.parametrize("text", ["extends: {}\nlayers: []\n", "input: [3]\nlayers: [relu]\nextends: {}\n"])
def test_a_spec_cannot_extend_a_file_of_code(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('ran', 'w')\nclass Net: pass\n")
    for reference in ("evil.py:Net", "evil.py", "timm:resnet18", "./evil.py:Net"):
        (tmp_path / "net.yaml").write_text(text.format(f"'{reference}'"))
        with pytest.raises(archcalc.SpecError):
            archcalc.load("net.yaml")
    assert not (tmp_path / "ran").exists()


def test_a_reference_implementation_is_never_a_file():
    with pytest.raises(UserError, match="invalid reference"):
        parse_model("evil.py:Net")
