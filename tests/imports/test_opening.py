"""Networks by references, from Python: files of code, packages, modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import archcalc
from archcalc.errors import UserError
from archcalc.imports.references import parse_model
from archcalc.imports.torch_modules import package_module, usual_inputs
from archcalc.requirements import MissingExtra

TRAIN = """
import torch
from torch import nn
from blocks import Block

print("setting up")

class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Sequential(Block(3, width), Block(width, 2 * width))
        self.head = nn.Linear(2 * width, 10)
    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 8)
    def forward(self, words):
        return self.table(words)

class Data: pass
class Dependent(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x

net = Net()
def fails(): raise RuntimeError("boom")
if __name__ == "__main__":
    raise SystemExit("trained")
"""
BLOCKS = """
from torch import nn
class Block(nn.Sequential):
    def __init__(self, i, o): super().__init__(nn.Conv2d(i, o, 3, 2, 1), nn.ReLU())
"""


@pytest.fixture
def train(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHCALC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "blocks", raising=False)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "blocks.py").write_text(BLOCKS)
    yield "train.py"
    sys.modules.pop("blocks", None)


def params(network: archcalc.Network) -> int:
    return network.analyze().totals.params


@pytest.mark.parametrize(("called", "expected"), [("Net", 5418), ("net", 5418), ("Net(width=32)", 20042)])
def test_a_class_an_object_and_keywords(train, called, expected):
    network = archcalc.load(f"{train}:{called}", input=(3, 32, 32))
    assert params(network) == expected
    assert network["body.1.0"].output_shape[1:] == (8, 8)


def test_what_a_file_prints_is_not_a_result(train, capsys):
    archcalc.load(f"{train}:Net", input=(3, 32, 32))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ("Nte", "has no 'Nte'\nhelp: did you mean 'Net'?"),
        ("Net.body", "has no 'Net.body'"),
        ("fails", "train.py:29: RuntimeError: boom"),
        ("Data", "train.py:Data makes an object of Data, expected a torch.nn.Module"),
        ("Net(width=2.5)", "blocks.py:4: "),
        ("Net(depth=2)", "TypeError"),
    ],
)
def test_what_goes_wrong_in_a_file_is_said_with_its_line(train, called, said):
    with pytest.raises(UserError) as caught:
        archcalc.load(f"{train}:{called}", input=(3, 32, 32))
    assert said in str(caught.value)


def test_a_file_that_ends_python_or_is_not_python(train):
    Path("exits.py").write_text("import sys\nsys.exit(3)\n")
    Path("broken.py").write_text("def f(:\n")
    with pytest.raises(UserError, match=r"exits\.py:2: SystemExit: 3"):
        archcalc.load("exits.py:Net", input=(3,))
    with pytest.raises(UserError, match=r"broken\.py:1: SyntaxError"):
        archcalc.load("broken.py:Net", input=(3,))
    with pytest.raises(UserError, match=r"there is no file 'none\.py'"):
        archcalc.load("none.py:Net", input=(3,))


def test_indices(train):
    network = archcalc.load(f"{train}:Words", input={"tokens": (7,)})
    assert network.shape_of(network.outputs[0]) == (7, 8)
    with pytest.raises(UserError, match=r"help: the input was 7 \(numbers\), .*--input tokens=N gives N integers"):
        archcalc.load(f"{train}:Words", input=(7,))


def test_a_module_that_depends_on_numbers_is_refused_without_noise(train, capfd):
    with pytest.raises(UserError, match="PyTorch cannot export Dependent: "):
        archcalc.load(f"{train}:Dependent", input=(7,))
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.strip() in ("", "setting up")


def test_parameters_of_a_spec_are_none_of_a_module(train):
    with pytest.raises(UserError, match=r"only a spec has parameters to set.*\nhelp: .*'train.py:Net\(width=32\)'"):
        archcalc.load(f"{train}:Net", input=(3, 32, 32), width=8)


SECOND = """
import sys, archcalc
network = archcalc.load("train.py:Net", input=(3, 32, 32))
print(network.analyze().totals.params, "torch" in sys.modules)
"""


def second(folder: Path, text: str = SECOND) -> str:
    home = {**os.environ, "PYTHONPATH": str(Path(archcalc.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", text], cwd=folder, env=home, capture_output=True, text=True).stdout


def test_the_second_time_nothing_is_run_and_torch_is_not_imported(train, tmp_path):
    archcalc.load("train.py:Net", input=(3, 32, 32))
    assert second(tmp_path) == "5418 False\n"
    (tmp_path / "blocks.py").write_text(BLOCKS.replace("2, 1)", "2, 1, bias=False)"))
    assert second(tmp_path) == "5370 True\n"  # a file that it imports has changed
    assert second(tmp_path) == "5370 False\n"


def test_a_package_that_is_missing_is_said_with_its_extra(train, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"archcalc\[torch\]"):
        archcalc.load("train.py:Net", input=(3, 32, 32))
    with pytest.raises(MissingExtra, match=r"archcalc\[torch\]"):
        archcalc.summary(nn.Linear(2, 2), (2,))


def test_a_model_of_timm_has_its_own_input_and_reference():
    network = archcalc.load("timm:resnet18(num_classes=10)")
    assert (network.name, network.about.reference) == ("resnet18", "timm:resnet18(num_classes=10)")
    assert params(network) == 11_181_642
    assert next(iter(network.inputs.values())) == (3, 224, 224)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("torchvision:inception_v3", {"x": (3, 299, 299)}),
        ("torchvision:efficientnet_b1", {"x": (3, 240, 240)}),
        ("torchvision:lraspp_mobilenet_v3_large", {"input": (3, 520, 520)}),
        ("torchvision:r3d_18", {"x": (3, 16, 112, 112)}),
        ("torchvision:raft_small", {"image1": (3, 520, 960), "image2": (3, 520, 960)}),
        ("torchvision:vit_b_16(image_size=384)", {"x": (3, 384, 384)}),
        ("timm:convnext_tiny", {"x": (3, 224, 224)}),
        ("timm:vit_tiny_patch16_224(img_size=96, in_chans=1)", {"x": (1, 96, 96)}),
        ("transformers:t5-small", {"input_ids": (128,), "decoder_input_ids": (128,)}),
        ("transformers:clip-vit-base-patch32", {"input_ids": (77,), "pixel_values": (3, 224, 224)}),
        ("transformers:ViTModel(image_size=32)", {"pixel_values": (3, 32, 32)}),
        ("transformers:openai/whisper-tiny", {"input_features": (80, 3000), "decoder_input_ids": (128,)}),
    ],
)
def test_usual_inputs(reference, expected):
    model = parse_model(reference)
    with torch.device("meta"):
        assert dict(usual_inputs(model, package_module(model))) == expected


def test_detectors_have_the_size_that_they_scale_images_to():
    network = archcalc.load("torchvision:ssdlite320_mobilenet_v3_large")
    assert network.inputs == {"input": (3, 320, 320)}
    assert network.about.reference == "torchvision:ssdlite320_mobilenet_v3_large"
    assert network.analyze().unknown_work == ("postprocess_detections",)
    again = archcalc.load("torchvision:ssdlite320_mobilenet_v3_large")  # as it is kept
    assert again.about == network.about


def test_the_reason_of_a_detector_that_cannot_be_run_is_told():
    with pytest.raises(UserError, match=r"cannot be run once: .*channel"):
        archcalc.load("torchvision:ssdlite320_mobilenet_v3_large", input=(1, 320, 320))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bert-base-uncased", 109_482_240),
        ("bert-base-cased", 108_310_272),
        ("google-bert/bert-large-uncased", 335_141_888),
        ("distilbert-base-uncased", 66_362_880),
        ("FacebookAI/roberta-base", 124_645_632),
        ("xlm-roberta-base", 278_043_648),
        ("albert-base-v2", 11_683_584),
        ("gpt2", 124_439_808),
        ("openai-community/gpt2-xl", 1_557_611_200),
        ("google-t5/t5-base", 222_903_552),
        ("bart-base", 139_420_416),
        ("google/vit-base-patch16-224", 86_389_248),
        ("openai/clip-vit-base-patch32", 151_277_313),
        ("openai/whisper-tiny", 37_760_640),
        ("facebook/wav2vec2-base", 94_371_712),
        ("meta-llama/Llama-2-7b-hf", 6_607_343_616),
        ("mistralai/Mistral-7B-v0.1", 7_110_660_096),
    ],
)
def test_well_known_checkpoints_have_their_parameters(name, expected):
    """The published counts of the models that `AutoModel` makes."""
    with torch.device("meta"):
        module = package_module(parse_model(f"transformers:{name}"))
    assert sum(one.numel() for one in module.parameters()) == expected


def test_a_name_that_is_on_the_internet_says_what_to_write():
    with pytest.raises(UserError, match="help: the configuration of bert-foo is on the internet; name its class"):
        archcalc.load("transformers:bert-foo")


@pytest.mark.parametrize("turn", ["first", "kept"])
def test_a_module_that_is_built_of_a_kept_network_has_its_tables(turn, tmp_path_factory, monkeypatch):
    """Of what no operator says, the cache has no numbers: the model is imported again for them."""
    monkeypatch.setenv("ARCHCALC_CACHE", str(tmp_path_factory.getbasetemp() / "swin"))
    reference = "timm:swin_tiny_patch4_window7_224(img_size=56, depths=[1, 1, 1, 1], embed_dim=24, window_size=7)"
    network = archcalc.load(reference)
    module = package_module(parse_model(reference)).double().eval()
    built = archcalc.build(network).double().eval()
    theirs = {**module.state_dict(), **dict(module.named_buffers())}
    names = {name: network.reference_name(name) for name in built.state_dict()}
    built.load_state_dict({name: theirs.get(known, built.state_dict()[name]) for name, known in names.items()})
    images = torch.randn(2, 3, 56, 56, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(built(images), module(images), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("turn", ["first", "kept"])
def test_a_built_network_has_no_tensors_without_numbers(turn, tmp_path_factory, monkeypatch):
    """The model is followed without numbers; what it computes from its buffers is imported again with them."""
    monkeypatch.setenv("ARCHCALC_CACHE", str(tmp_path_factory.getbasetemp() / "levit"))
    built = archcalc.build(archcalc.load("timm:levit_128s"))
    assert not any(tensor.is_meta for tensor in (*built.parameters(), *built.buffers()))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.dropout = nn.Dropout()

    def forward(self, x, scale=None):
        x = self.dropout(self.conv(x).relu())
        return x if scale is None else x * scale


def test_a_module_is_left_as_it_was():
    module = Small()
    network = archcalc.trace(module, torch.zeros(2, 3, 8, 8), name="small")
    assert (network.name, network["conv"].output_shape) == ("small", (8, 6, 6))
    assert module.training
    assert module.dropout.training


def test_a_summary_is_a_table():
    found = archcalc.summary(Small(), (3, 8, 8), batch=4, convention="torch", columns=["name", "macs", "flops"])
    assert found.analysis.totals.macs == 4 * 8 * 27 * 36
    assert str(found).startswith("Small · input 3×8×8 · batch 4")
    assert "torch" in str(found)
    assert repr(found) == str(found)
    assert "<table" in found._repr_html_()
    assert found.network["conv"].output_shape == (8, 6, 6)


def test_a_summary_of_tensors_names_and_depth():
    module = nn.Sequential(Small(), nn.ReLU())
    assert str(archcalc.summary(module, torch.zeros(1, 3, 8, 8), depth=1)).count("\n0 ") == 1
    named = archcalc.summary(Small(), (3, 8, 8), keywords={"scale": (8, 6, 6)})
    assert "scale 8×6×6" in str(named)
    with pytest.raises(UserError, match="shapes alone, or tensors alone"):
        archcalc.summary(Small(), (3, 8, 8), keywords={"scale": torch.zeros(1, 8, 6, 6)})
