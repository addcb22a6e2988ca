"""Imported models of torchvision and timm against PyTorch's own counts: `python -m tests.imports.survey --help`.

For every model: parameters against the module's, multiply-adds against PyTorch's counter for one sample, and the
layers that no operator says. A table of all of them is docs/reference/imported.md.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc.errors import UserError
from archcalc.imports.inputs import example
from archcalc.imports.references import PackageModel
from archcalc.imports.torch_export import trace
from archcalc.imports.torch_modules import package_module, usual_inputs
from archcalc.network import Network

SAMPLE = (
    *("torchvision:" + name for name in ("resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "googlenet")),
    *("torchvision:" + name for name in ("vit_b_32", "swin_t", "convnext_tiny", "efficientnet_b0")),
    *("timm:" + name for name in ("beit_base_patch16_224", "cait_xs24_384", "convit_tiny", "crossvit_tiny_240")),
    *("timm:" + name for name in ("davit_tiny", "efficientvit_b0", "eva02_tiny_patch14_224", "hiera_tiny_224")),
    *("timm:" + name for name in ("levit_128", "mobilevit_xs", "mvitv2_tiny", "nfnet_f0", "repvit_m1_0")),
    *("timm:" + name for name in ("resnest14d", "res2net50d", "starnet_s050", "visformer_tiny", "xcit_nano_12_p8_224")),
)
"""Small models of many kinds, for the test."""


class Row(NamedTuple):
    """What was found of one model; numbers of the package beside ours."""

    reference: str
    inputs: str = ""
    params: int = 0
    uncalled: int = 0
    true_params: int = 0
    macs: int = 0
    true_macs: int = 0
    layers: int = 0
    generic: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_equal(self) -> bool:
        return not self.error and self.macs == self.true_macs and self.params + self.uncalled == self.true_params

    def cells(self) -> list[str]:
        if self.error:
            return [self.reference, "", "", "", "", "", self.error]
        marks = ", ".join(f"{count} {name}" for name, count in Counter(self.generic).most_common())
        return [
            self.reference,
            self.inputs,
            f"{self.params:,}",
            f"{self.macs:,}",
            f"{self.layers:,}",
            marks,
            self.verdict(),
        ]

    def verdict(self) -> str:
        """Equal, or what differs."""
        words = []
        if self.params + self.uncalled != self.true_params:
            words.append(f"params {self.params - self.true_params:+,}")
        if self.macs != self.true_macs:
            words.append(f"MACs {self.macs - self.true_macs:+,}")
        if self.uncalled:
            words.append(f"{self.uncalled:,} parameters not called")
        return "; ".join(words) if words and not (self.is_equal and not self.uncalled) else "equal"


def survey(reference: str) -> Row:
    """Import one model, and compare it."""
    package, _, name = reference.partition(":")
    model = PackageModel(package, name, {}, reference)
    try:
        module = built(model)
        with torch.device("meta"):
            positional, named = example(module, (), usual_inputs(model, module))
            network = trace(module, *positional, name=name, keywords=named)
            true_macs = counted(module, positional, named)
    except (UserError, NotImplementedError, RuntimeError, AssertionError) as error:
        return Row(reference, error=str(error).partition("\n")[0][:120] or type(error).__name__)
    totals = archcalc.analyze(network).totals
    return Row(
        reference,
        " and ".join("×".join(map(str, shape)) for shape in network.inputs.values()),
        totals.params,
        sum(network.uncalled.values()),
        sum(parameter.numel() for parameter in module.parameters()),
        totals.macs,
        true_macs,
        len(network),
        tuple(operations(network)),
    )


def built(model: PackageModel) -> torch.nn.Module:
    """Return a model without numbers; some can only be made with them."""
    try:
        with torch.device("meta"):
            return package_module(model).eval()
    except (UserError, NotImplementedError):
        return package_module(model).eval().to("meta")


def operations(network: Network) -> Iterator[str]:
    """Yield the operations of layers that no operator says."""
    for layer in network:
        if layer.op.exactness != "exact":
            yield getattr(layer.op, "operation", "") or layer.op.kind


def counted(module: torch.nn.Module, positional: Iterable[torch.Tensor], named: dict[str, torch.Tensor]) -> int:
    """What PyTorch's counter counts for one sample, on tensors without numbers."""
    torch.backends.mha.set_fastpath_enabled(False)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(*positional, **named)
    return counter.get_total_flops() // 2


def names(package: str) -> list[str]:
    """Return all models of a package."""
    if package == "torchvision":
        from torchvision import models

        left_out = {*models.list_models(models.detection), *models.list_models(models.quantization)}
        return [f"torchvision:{name}" for name in models.list_models() if name not in left_out]
    import timm

    return [f"timm:{name}" for name in timm.list_models()]


def one_of_each_file() -> list[str]:
    """Return a small model of every file of timm."""
    import timm

    found = []
    for module in timm.list_modules():
        models = timm.list_models(module=module)
        small = [name for name in models if any(word in name for word in ("tiny", "small", "nano", "atto", "_xs", "0"))]
        found += sorted(small or models, key=len)[:1]
    return [f"timm:{name}" for name in found]


def main() -> int:
    """Print a table of the models that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.imports.survey", description=__doc__)
    parser.add_argument("models", nargs="+", help="references, or torchvision, timm (hours), timm-files, or sample")
    parser.add_argument("-o", "--output", type=Path, help="a Markdown file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    lists = {"sample": lambda: list(SAMPLE), "timm-files": one_of_each_file}
    wanted = []
    for asked in options.models:
        known = lists.get(asked) or (lambda asked=asked: names(asked) if ":" not in asked else [asked])
        wanted += known()
    rows = []
    for reference in wanted:
        rows.append(survey(reference))
        print(*rows[-1].cells(), sep=" | ", flush=True)
    if options.output:
        options.output.write_text(page(rows), encoding="utf-8")
    return 0


def page(rows: list[Row]) -> str:
    """Return the table as Markdown, with its sums."""
    equal = sum(row.is_equal for row in rows)
    exact = sum(not row.generic and not row.error for row in rows)
    heads = ["model", "input", "parameters", "multiply-adds", "layers", "layers without an operator", "against PyTorch"]
    lines = [
        "# Imported models",
        "",
        "Models of torchvision and timm, imported and counted, against the parameters of the module and the "
        "multiply-adds that PyTorch's `FlopCounterMode` counts for one sample. Made by "
        f"`python -m tests.imports.survey`, with torch {torch.__version__}.",
        "",
        f"{equal:,} of {len(rows):,} are equal in both to the unit; {exact:,} have an operator for every layer.",
        "",
        "| " + " | ".join(heads) + " |",
        "|---|---|---:|---:|---:|---|---|",
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells()) + " |" for row in rows),
    ]
    return "\n".join([*lines, "", "Terms: [glossary](glossary.md)."]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
