"""`archcalc rf`: what every layer sees, and what one unit sees."""

from __future__ import annotations

import csv
import io
import json

import pytest

import archcalc

# Araujo, Norris, Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill 2019, with the table of
# their library (google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md): network, end-point, ours, size, stride,
# padding. docs/explanation/receptive-fields.md says why others differ in their padding.
PUBLISHED = [
    ("alexnet_v2", "conv1", "alexnet_2012", "conv1", 11, 4, 0),
    ("alexnet_v2", "pool1", "alexnet_2012", "pool1", 19, 8, 0),
    ("alexnet_v2", "conv2", "alexnet_2012", "conv2", 51, 8, 16),
    ("alexnet_v2", "conv3", "alexnet_2012", "conv3", 99, 16, 32),
    ("alexnet_v2", "conv5", "alexnet_2012", "conv5", 163, 16, 64),
    ("alexnet_v2", "pool5", "alexnet_2012", "pool5", 195, 32, 64),
    ("vgg_a", "pool4", "vgg11", "features.15", 70, 16, 27),
    ("vgg_a", "pool5", "vgg11", "features.20", 150, 32, 59),
    ("vgg_16", "pool1", "vgg16", "features.4", 6, 2, 2),
    ("vgg_16", "conv3_2", "vgg16", "features.12", 32, 4, 14),
    ("vgg_16", "pool5", "vgg16", "features.30", 212, 32, 90),
    ("resnet_v1_50", "last", "se_resnet50", "layer4.2.relu3", 483, 32, 239),
    ("resnet_v1_101", "last", "se_resnet101", "layer4.2.relu3", 1027, 32, 511),
    ("resnet_v1_152", "last", "se_resnet152", "layer4.2.relu3", 1507, 32, 751),
    ("inception_v3", "last", "inception_v3", "Mixed_7c.concat1", 1311, 32, 618),
    ("inception_v4", "last", "inception_v4", "features.21.concat1", 2071, 32, 998),
    ("inception_resnet_v2", "last", "inception_resnet_v2", "conv2d_7b.relu1", 3039, 32, 1482),
]


@pytest.mark.parametrize(("theirs", "end_point", "name", "layer", "size", "stride", "padding"), PUBLISHED)
def test_the_published_table(theirs, end_point, name, layer, size, stride, padding, cli):
    [row] = json.loads(cli("rf", name, layer, "--format", "json").out)["layers"]
    assert (row["size"], row["stride"], row["padding"]) == ([size] * 2, [stride] * 2, [padding] * 2)


# The same table, of networks that pad otherwise (see the docs): sizes and strides are the same.
OTHER_PADDING = [
    ("mobilenet_v1", "blocks.4.1.relu62", 315),
    ("resnet50_v1", "layer4.2.relu3", 483),
    ("resnet50_tf_slim", "layer4.2.relu3", 483),
    ("resnet101_v1", "layer4.2.relu3", 1027),
    ("resnet152_v1", "layer4.2.relu3", 1507),
    ("bn_inception", "inception5b.concat1", 699),
]


@pytest.mark.parametrize(("name", "layer", "size"), OTHER_PADDING)
def test_the_published_sizes(name, layer, size):
    field = archcalc.load(name).analyze()[layer].receptive_field
    assert (field.size, field.stride) == ((size, size), (32, 32))


def test_mobilenet_padded_as_tensorflow_pads(spec_file, cli):
    """`SAME` at an even size puts a stride-2 window's only zero after the map: 126, where ours is 157."""
    from archcalc.language.library import bundled

    text = bundled()["mobilenet_v1"][0].read_text(encoding="utf-8")
    text = text.replace("stride: 2, padding: 1", "stride: 2, padding: [[0, 1], [0, 1]]")
    text = text.replace(
        "stride: stride, padding: 1", 'stride: stride, padding: "[[0, 1], [0, 1]] if stride == 2 else 1"'
    )
    [row] = json.loads(cli("rf", spec_file(text), "blocks.4.1.relu62", "--format", "json").out)["layers"]
    assert (row["size"], row["stride"], row["padding"]) == ([315, 315], [32, 32], [126, 126])


def test_every_layer_has_its_line(cli):
    network = archcalc.load("googlenet")
    rows = list(csv.DictReader(io.StringIO(cli("rf", "googlenet", "--format", "csv").out)))
    assert [row["layer"] for row in rows] == [layer.name for layer in network]
    analysis = network.analyze()
    assert [row["size_row"] for row in rows] == [str(analysis[row["layer"]].receptive_field.size[0]) for row in rows]
    assert rows[-1]["global"] == "true"
    assert rows[-1]["stride_row"] == ""


def test_one_unit_in_words(cli):
    out = cli("rf", "alexnet", "conv2", "--unit", "0,5").out
    assert (
        "unit (0, 5) of conv2 sees rows 0 to 32 of 0 to 226 (unclipped -18 to 32, into the padding); "
        "columns 22 to 72 of 0 to 226. Its center is 7, 47."
    ) in " ".join(out.split())


def test_one_unit_as_data(cli):
    data = json.loads(cli("rf", "alexnet", "conv2", "--unit", "0,5", "--format", "json").out)
    assert data["coordinates"] == "pixels count from 0; intervals hold both ends"
    [box] = data["layers"][0]["boxes"]
    assert (box["raw"], box["clipped"]) == ([[-18, 32], [22, 72]], [[0, 32], [22, 72]])


def test_a_unit_in_csv(cli):
    [row] = csv.DictReader(io.StringIO(cli("rf", "alexnet", "conv2", "--unit", "0,5", "--format", "csv").out))
    assert (row["raw_first_row"], row["raw_last_row"], row["first_row"], row["last_column"]) == ("-18", "32", "0", "72")


def test_a_gate_is_marked_and_its_path_kept(cli):
    out = cli("rf", "se_resnet50", "layer1.0.relu3").out
    assert "19       4        7       2  101…119 × 101…119  101…119 × 101…119  global" in out
    assert "It also sees the whole input, through a global operation." in " ".join(out.split())


def test_an_unaligned_join_is_named_with_its_paths(cli):
    out = " ".join(cli("rf", "bn_inception", "inception5b.concat1").out.split())
    assert "unaligned from inception3c.concat1 on: two paths come from inception3b.concat1" in out
    assert "by inception3c.pool (stride 16, center 14)" in out


def test_a_layer_before_the_join_is_aligned(cli):
    out = cli("rf", "bn_inception", "inception3b.concat1").out
    assert "unaligned" not in out


def test_markdown(cli):
    out = cli("rf", "lenet5", "--format", "markdown").out
    assert "| layer | output | size | stride | padding | center | remarks |" in out
    assert "| pool1 | 6×14×14 | 6 | 2 | 0 | 2.5 |  |" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("lenet5", "conv1", "--unit", "28,0"),
            "conv1 has no position 28 along this axis\nhelp: positions run from 0 to 27",
        ),
        (("lenet5", "conv1", "--unit", "1"), "has 2 spatial positions, not 1"),
        (("lenet5", "conv1", "--unit", "-1,0"), "--unit takes Y,X, integers from 0, got '-1,0'"),
        (("lenet5", "fc6", "--unit", "0,0"), "did you mean"),
        (("lenet5", "--unit", "0,0"), "--unit needs a layer"),
        (("lenet5", "conv1", "--draw", "box.gif"), "cannot write '.gif'"),
    ],
)
def test_mistakes(arguments, message, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli("rf", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_it_draws(suffix, cli, tmp_path):
    pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'archcalc[plot]'")
    path = tmp_path / f"box.{suffix}"
    assert cli("rf", "alexnet", "conv2", "--unit", "0,5", "--draw", path).code == 0
    assert path.read_bytes().startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix])


def test_the_name_of_a_group(cli):
    result = cli("rf", "googlenet", "inception3a")
    assert result.code == 2
    assert "inception3a is a group; its last layer is inception3a.concat1" in result.err


DECODER = """
input: [1, 64, 64]
layers:
  - {conv: 4, kernel: 3, stride: 2, padding: 1}
  - {upsample: 3, name: up}
  - {conv: 1, kernel: 3, padding: 1, name: last}
"""


def test_sizes_that_differ_by_turns(spec_file, cli):
    """Of three units, the outer two of each turn see one position of the map more."""
    path = spec_file(DECODER)
    [row] = csv.DictReader(io.StringIO(cli("rf", path, "last", "--format", "csv").out))
    assert (row["size_row"], row["smallest_row"], row["padding_row"], row["exact"]) == ("5", "3", "", "true")
    out = " ".join(cli("rf", path, "last").out.split())
    assert "last 1×96×96 3–5 2/3 – –" in out
    assert "rows and columns by turns: unit 3q sees 2q − 3 … 2q + 1; unit 3q + 1 sees 2q − 1 … 2q + 1" in out
    assert "3–5" in cli("table", path, "--columns", "name,rf").out


def test_intervals_as_data(spec_file, cli):
    data = json.loads(cli("rf", spec_file(DECODER), "last", "--unit", "0,4", "--format", "json").out)
    [layer] = data["layers"]
    [part] = layer["intervals"][0]
    assert part == {"period": 3, "advance": 2, "first": [-3, -1, -1], "last": [1, 1, 3], "exact": True}
    assert (layer["size"], layer["smallest"], layer["padding"]) == ([5, 5], [3, 3], [None, None])
    [box] = layer["boxes"]
    assert (box["raw"], box["clipped"], box["count"], box["share"]) == ([[-3, 1], [1, 3]], [[0, 1], [1, 3]], 6, 1.0)
    assert box["rectangles"] == [[[[0, 1]], [[1, 3]]]]


def test_holes_are_counted(spec_file, cli):
    path = spec_file("input: [1, 33, 33]\nlayers: [{conv: 1, kernel: 3, dilation: 4, padding: 4, name: it}]\n")
    out = " ".join(cli("rf", path, "it", "--unit", "16,16").out.split())
    assert "rows 12 to 20 (3 of them, with holes) of 0 to 32" in out
    assert "It sees 9 of the 81 positions of this box (11.1 %)." in out


def test_questions_about_the_network(cli):
    """Neighbors of conv2 lie 8 apart and see 51; unit 3 begins at 8·3 − 18 = 6 and ends at 56."""
    out = " ".join(cli("rf", "alexnet", "conv2").out.split())
    assert "Neighbors share 43 of 51 (84 %) positions." in out
    assert "An input needs 57×57 positions to hold the whole field of a unit of conv2." in out
    out = " ".join(cli("rf", "vgg16").out.split())
    assert "An input needs 218×218 positions" in out  # pool5, 212 positions: unit 3 begins at 32·3 − 90 = 6
    out = " ".join(cli("rf", "resnet50").out.split())
    assert "layer3.5.conv2 is the first layer whose middle unit sees the whole input." in out


def test_a_bound_is_marked(spec_file, cli):
    path = spec_file("input: [1, 9, 9]\nlayers:\n  - concat: [[], [{conv: 1, kernel: 5, padding: 2}]]\n    axis: 1\n")
    out = cli("rf", path).out
    assert "unaligned, bound" in out
    assert "an upper bound of what units see" in " ".join(out.split())


def test_effective_fields(spec_file, cli, tmp_path):
    """Ten linear 3×3 layers: a standard deviation of √(10·8/12) = 2.58 (Luo et al., 2016)."""
    pytest.importorskip("torch")
    path = spec_file("input: [4, 31, 31]\nlayers: [{conv: 4, kernel: 3, padding: 1, bias: false, repeat: 10}]\n")
    data = json.loads(cli("rf", path, "9", "--effective", "--format", "json").out)
    effective = data["layers"][0]["effective"]
    assert effective["deviation"] == pytest.approx([2.58, 2.58], abs=0.25)
    assert effective["center"] == pytest.approx([15, 15], abs=0.5)
    assert effective["size"] < 21
    assert "effective, over 10 initializations" in " ".join(cli("rf", path, "9", "--effective").out.split())
    pytest.importorskip("matplotlib")
    assert cli("rf", path, "9", "--effective", "--draw", tmp_path / "map.png").code == 0


def test_effective_fields_need_a_layer_with_places(cli):
    assert "--effective needs a layer" in cli("rf", "lenet5", "--effective").err
    result = cli("rf", "lenet5", "fc1", "--effective")
    assert (result.code, "there is no spatial path" in result.err) == (2, True)
