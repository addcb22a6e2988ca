"""Imported models of torchvision and timm against PyTorch's own counts: `python -m tests.imports.survey --help`.

For every model: parameters against the module's, multiply-adds against PyTorch's counter for one sample, the layers
that no operator says, and the written spec, read again, against the network. With `--outputs`, the output of the
module that is built again too. A table of all of them is docs/reference/imported.md.

Each model has a process of its own, which is ended after `--seconds`. `--rows FILE` keeps what was found, a line of
JSON for each model, and takes from there what it has. `--known PAGE` takes those of a page that was written before.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import multiprocessing
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

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
from archcalc.render.folding import folded_spec
from tests.fuzz.likeness import likeness
from tests.fuzz.modules import built_again

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
    opaque: int = 0
    spec: str = ""
    """What the written spec, read again, has otherwise; empty if nothing."""
    spec_lines: int = 0
    output: str = ""
    """Largest difference of the output of the module that is built again; empty if it was not built."""
    seconds: float = 0
    error: str = ""

    @property
    def is_equal(self) -> bool:
        return not self.error and self.macs == self.true_macs and self.has_all_parameters

    @property
    def has_all_parameters(self) -> bool:
        return self.params + self.uncalled == self.true_params

    @property
    def has_equal_output(self) -> bool:
        return self.output.replace(".", "").replace("e-", "").isdigit() and float(self.output) <= MOST_OFF

    def cells(self) -> list[str]:
        if self.error:
            return [self.reference, "", "", "", "", "", "", self.error]
        marks = ", ".join(f"{count} {name}" for name, count in Counter(self.generic).most_common())
        return [
            self.reference,
            self.inputs,
            f"{self.params:,}",
            f"{self.macs:,}",
            f"{self.layers:,}",
            f"{self.spec_lines:,}" if self.spec_lines else "–",
            marks,
            self.verdict(),
        ]

    def verdict(self) -> str:
        """Equal, or what differs."""
        words = []
        if not self.has_all_parameters:
            words.append(f"params {self.params - self.true_params:+,}")
        if self.macs != self.true_macs:
            words.append(f"MACs {self.macs - self.true_macs:+,}")
        if self.uncalled:
            words.append(f"{self.uncalled:,} parameters not called")
        if self.spec:
            words.append(f"its spec, read again: {self.spec}")
        return "; ".join(words) or "equal"


MOST_OFF = 1e-10
"""Largest difference of an output in float64 that is the same."""
MOST_MACS, MOST_PARAMS = 6 * 10**9, 10**8
"""A larger model is not built to compare its output."""


def survey(reference: str, outputs: bool = False) -> Row:
    """Import one model, and compare it."""
    began = time.process_time()
    package, _, name = reference.partition(":")
    model = PackageModel(package, name, {}, reference)
    try:
        module = built(model)
        if outputs and sum(parameter.numel() for parameter in module.parameters()) <= MOST_PARAMS:
            module = package_module(model).eval()
        positional, named = example(module, (), usual_inputs(model, module))
        with torch.device("meta") if next(module.parameters()).is_meta else nullcontext():
            network = trace(module, *positional, name=name, keywords=named)
        true_macs = counted(module, positional, named)
    except (UserError, NotImplementedError, RuntimeError, AssertionError) as error:
        return Row(reference, error=str(error).partition("\n")[0][:120] or type(error).__name__)
    totals = archcalc.analyze(network).totals
    spec, spec_lines = written_again(network)
    is_small = not next(module.parameters()).is_meta and totals.macs <= MOST_MACS
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
        sum(layer.op.exactness == "opaque" for layer in network),
        spec,
        spec_lines,
        difference_of_outputs(network, module, positional, named) if is_small else "",
        round(time.process_time() - began, 1),
    )


def written_again(network: Network) -> tuple[str, int]:
    """Return what the spec of a network, read again, has otherwise, and the spec's lines."""
    try:
        text = folded_spec(network)
        again, known = likeness(archcalc.loads(text)), likeness(network)
    except UserError as error:
        return f"refused: {str(error).partition(chr(10))[0][:80]}", 0
    other = [key for key in known if again[key] != known[key]]
    return f"other {' and '.join(other)}" if other else "", text.count("\n")


def difference_of_outputs(
    network: Network, module: torch.nn.Module, positional: Iterable[torch.Tensor], named: dict[str, torch.Tensor]
) -> str:
    """Return how far the output of the module that is built again is from the model's, in float64."""
    torch.manual_seed(0)
    given = [torch.randn(2, *one.shape[1:], dtype=torch.float64) for one in positional]
    try:
        again = built_again(network, module).double().eval()
        with torch.no_grad():
            theirs, ours = module.double()(*given, **named), again(*given, **named)
    except (UserError, NotImplementedError, RuntimeError, TypeError) as error:
        return str(error).partition("\n")[0][:80] or type(error).__name__
    pairs = list(zip(tensors_of(theirs), tensors_of(ours), strict=False))
    if any(first.shape != second.shape for first, second in pairs):
        return "another shape"
    return f"{max(float((first - second).abs().max()) for first, second in pairs):.2g}"


def tensors_of(value: Any) -> list[torch.Tensor]:
    """Return the tensors of an output, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    return list(chain.from_iterable(map(tensors_of, value.values() if isinstance(value, dict) else value)))


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
    bare = copy.deepcopy(module).to("meta").requires_grad_(False)
    given = [one.to("meta") for one in positional], {name: one.to("meta") for name, one in named.items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH), torch.device("meta"):
        bare(*given[0], **given[1])
    return counter.get_total_flops() // 2


def names(package: str) -> list[str]:
    """Return all models of a package."""
    if package == "torchvision":
        from torchvision import models

        left_out = {*models.list_models(models.detection), *models.list_models(models.quantization)}
        return [f"torchvision:{name}" for name in models.list_models() if name not in left_out]
    return timm_by_files()


def timm_by_files() -> list[str]:
    """Return all models of timm: a small one of every file first, then another of each, and so on."""
    import timm

    files = [sorted(timm.list_models(module=one), key=_size) for one in timm.list_modules()]
    return [f"timm:{name}" for name in dict.fromkeys(filter(None, chain.from_iterable(zip_longest(*files))))]


def _size(name: str) -> tuple[bool, int]:
    return not any(word in name for word in ("tiny", "small", "nano", "atto", "_xs", "0")), len(name)


def one_of_each_file() -> list[str]:
    """Return a small model of every file of timm."""
    import timm

    files = (sorted(timm.list_models(module=one), key=_size) for one in timm.list_modules())
    return [f"timm:{models[0]}" for models in files if models]


def in_time(reference: str, outputs: bool, seconds: int) -> Row:
    """Return what `survey` finds, in a process that is ended after some seconds of the processor."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        theirs.send(survey(reference, outputs))

    process = context.Process(target=run)
    process.start()
    theirs.close()
    try:
        return ours.recv()  # type: ignore[no-any-return]
    except EOFError:
        process.join()
        ended = process.exitcode is not None and process.exitcode < 0
        return Row(reference, error=f"not done within {seconds} seconds" if ended else "a fault of archcalc")
    finally:
        process.join()


def main() -> int:
    """Print a table of the models that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.imports.survey", description=__doc__)
    parser.add_argument("models", nargs="+", help="references, or torchvision, timm (hours), timm-files, or sample")
    parser.add_argument("-o", "--output", type=Path, help="a Markdown file")
    parser.add_argument("--rows", type=Path, help="a file that keeps what was found, and is continued")
    parser.add_argument("--known", type=Path, help="a page whose models are not imported again")
    parser.add_argument("--seconds", type=int, default=300, help="of the processor, for a model at most [300]")
    parser.add_argument("--outputs", action="store_true", help="build each model again too, and compare its output")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    lists = {"sample": lambda: list(SAMPLE), "timm-files": one_of_each_file}
    wanted: list[str] = []
    for asked in options.models:
        known = lists.get(asked) or (lambda asked=asked: names(asked) if ":" not in asked else [asked])
        wanted += known()
    found = {**(_on_page(options.known) if options.known else {}), **_kept(options.rows)}
    rows = []
    for reference in dict.fromkeys(wanted):
        row = found.get(reference)
        if row is None:
            row = in_time(reference, options.outputs, options.seconds)
            print(*row.cells(), row.output, f"{row.seconds} s", sep=" | ", flush=True)
            if options.rows:
                with options.rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row._asdict()) + "\n")
        rows.append(row)
    if options.output:
        options.output.write_text(page(rows), encoding="utf-8")
    return 0


def _kept(path: Path | None) -> dict[str, Row]:
    """Return the rows of a file, the last one of each model."""
    if path is None or not path.exists():
        return {}
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {one["reference"]: Row(**{**one, "generic": tuple(one["generic"])}) for one in kept}


def _on_page(path: Path) -> dict[str, Row]:
    """Return the rows of a page whose models are equal."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = (row_of(line) for line in lines if line.startswith("| ") and ":" in line.split()[1])
    return {row.reference: row for row in rows if row is not None}


def row_of(line: str) -> Row | None:
    """Return the row that a line of the page was made of; None if it says that something differs."""
    reference, inputs, params, macs, layers, spec_lines, marks, verdict = (
        cell.strip() for cell in line.split("|")[1:-1]
    )
    uncalled = verdict.removesuffix(" parameters not called") if verdict != "equal" else "0"
    if not uncalled.replace(",", "").isdigit():
        return None
    own, left, products = (int(text.replace(",", "")) for text in (params, uncalled, macs))
    generic = [words.split(" ") for words in marks.split(", ") if words]
    return Row(
        reference,
        inputs,
        own,
        left,
        own + left,
        products,
        products,
        int(layers.replace(",", "")),
        tuple(name for count, name in generic for _ in range(int(count))),
        spec_lines=int(spec_lines.replace(",", "")) if spec_lines != "–" else 0,
    )


def page(rows: list[Row]) -> str:
    """Return the table as Markdown, with its sums."""
    heads = ["model", "input", "parameters", "multiply-adds", "layers", "lines of its spec"]
    heads += ["layers without an operator", "against PyTorch"]
    lines = [
        "# Imported models",
        "",
        "Models of torchvision and timm, imported and counted, against the parameters of the module and the "
        "multiply-adds that PyTorch's `FlopCounterMode` counts for one sample. Made by "
        f"`python -m tests.imports.survey`, with torch {torch.__version__}. A spec is what `archcalc import` writes; "
        "– is for those that were not written.",
        "",
        *_sums(rows),
        "",
        "| " + " | ".join(heads) + " |",
        "|---|---|---:|---:|---:|---:|---|---|",
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells()) + " |" for row in rows),
    ]
    return "\n".join([*lines, "", "Terms: [glossary](glossary.md)."]) + "\n"


def _sums(rows: list[Row]) -> Iterator[str]:
    """Yield how many models are as they should be, of how many."""
    built_again = [row for row in rows if row.output]
    written = [row for row in rows if row.spec or row.spec_lines]
    layers = sum(row.layers for row in rows)
    yield "| what | models |"
    yield "|---|---:|"
    for what, count, every in (
        ("multiply-adds equal to the unit", sum(not row.error and row.macs == row.true_macs for row in rows), rows),
        ("parameters equal, with those of modules that are not called", _count(rows, Row.has_all_parameters), rows),
        ("an operator for every layer", sum(not row.generic and not row.error for row in rows), rows),
        ("the written spec, read again, is equal", sum(not row.spec for row in written), written),
        ("output of the module built again, within 1e-10 in float64", _count(rows, Row.has_equal_output), built_again),
    ):
        if every:
            yield f"| {what} | {count:,} of {len(every):,} |"
    yield f"| opaque layers | {sum(row.opaque for row in rows):,} of {layers:,} layers |"


def _count(rows: list[Row], quality: property) -> int:
    return sum(bool(quality.__get__(row)) and not row.error for row in rows)


if __name__ == "__main__":
    sys.exit(main())
