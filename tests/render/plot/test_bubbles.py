"""Operations against accuracy: the facts have their sources, and the chart shows them."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.imports.opening import load
from archcalc.render.plot.accuracies import accuracies
from archcalc.render.plot.bubbles import bubble, bubbles

# Top-1 errors as the lectures print them: ResNeXt's Table 3 (Xie et al., CVPR 2017) and SENet's Table 2
# (Hu et al., CVPR 2018).
PRINTED_ERRORS = {
    "resnext50_2x40d": 23.0,
    "resnext50_4x24d": 22.6,
    "resnext50_8x14d": 22.3,
    "resnext101_2x40d": 21.7,
    "resnext101_4x24d": 21.4,
    "resnext101_8x14d": 21.3,
    "resnext101_32x4d": 21.2,
    "se_resnet50": 23.29,
    "se_resnet101": 22.38,
    "se_resnet152": 21.57,
    "se_resnext50_32x4d": 21.10,
    "se_resnext101_32x4d": 20.70,
    "se_vgg16": 25.22,
    "bn_inception": 25.38,
}


def test_every_accuracy_is_torchvisions_own_or_printed():
    models = pytest.importorskip("torchvision").models
    assert accuracies()
    for name, known in accuracies().items():
        if known.source.startswith("torchvision "):
            kind, _, weights = known.source.removeprefix("torchvision ").partition(".")
            meta = models.get_weight(f"{kind}.{weights}")
            measured = meta.meta["_metrics"]["ImageNet-1K"]
            assert (known.top1, known.top5, known.crop) == (
                measured["acc@1"],
                measured["acc@5"],
                meta.transforms().crop_size[0],
            )
        else:
            assert known.top1 == pytest.approx(100 - PRINTED_ERRORS[name])


def test_every_network_is_bundled_with_the_input_that_was_measured():
    for name, known in accuracies().items():
        assert load(name).inputs["input"] == (3, known.crop, known.crop)


def test_an_accuracy_is_of_its_own_input_only():
    with pytest.raises(ValueError, match="known at 224×224"):
        bubble(load("resnet50", input=(3, 256, 256)).analyze(), "resnet")
    with pytest.raises(ValueError, match="unknown accuracy of 'alexnet'"):
        bubble(load("alexnet").analyze(), "alexnet")


def test_bubbles_are_where_they_should_be_and_no_name_covers_another():
    pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'archcalc[plot]'")
    names = ["resnet18", "resnet34", "resnet50", "vgg16", "mobilenet_v2", "squeezenet1_1", "squeezenet1_0"]
    names += ["swin_b", "convnext_base", "resnext101_64x4d", "resnext101_32x8d", "resnext50_32x4d", "se_resnet50"]
    points = [bubble(archcalc.load(name).analyze(batch=8), name[:6]) for name in names]
    figure = bubbles(points)
    axes = figure.axes[0]
    families = list(dict.fromkeys(point.family for point in points))
    places = [tuple(place) for drawn in axes.collections[: len(families)] for place in drawn.get_offsets()]
    # torchvision's own `_ops` and accuracy of ResNet-50: 4.089 G and 76.13 %.
    assert any((round(x, 3), y) == (4.089, 76.13) for x, y in places)
    areas = (
        axes.collections[families.index("vgg16")].get_sizes() / axes.collections[families.index("mobile")].get_sizes()
    )
    assert areas[0] == pytest.approx(138_357_544 / 3_504_872)  # torchvision's num_params
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert boxes
    assert not any(a.overlaps(b) for at, a in enumerate(boxes) for b in boxes[:at])
