"""What must hold of every spec: our numbers against the real tools', and every way to say a network the same."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import archcalc
from archcalc import SpecError
from archcalc.analysis import Counting
from archcalc.language.family import SpecFamily
from archcalc.language.language import Spec
from archcalc.language.source import SpecDocument
from archcalc.memory.inference import peak
from archcalc.memory.training import saved_tensor_bytes, training_peak
from archcalc.network import Network
from archcalc.ops.naming import LETTERS, letters_of
from archcalc.render.folding import folded_spec, network_spec
from archcalc.runtime.building import build_module
from archcalc.runtime.checks import VerificationTarget, check_fvcore, check_shapes, check_tensors, check_torch
from archcalc.runtime.export.source import torch_source
from archcalc.runtime.memory import inference_peak, saved_bytes
from archcalc.runtime.memory import training_peak as measured_training_peak
from archcalc.runtime.tolerances import Measured, tolerance
from archcalc.symbolic.formulas import formulas
from tests.fuzz.likeness import likeness

BATCH = 2
REFUSED = (
    "Expected more than 1 value per channel",  # one sample, with one position
    "eps must be positive",  # in training, by some versions
    "view size is not compatible",  # local_response_norm of what does not lie in order
)
"""What PyTorch refuses as it runs, and docs/explanation/how-it-is-verified.md lists."""
Measure = Callable[[nn.Module, tuple[Tensor, ...]], int]
QUANTITIES = ("params", "macs", "flops", "memory")


def check(text: str) -> None:
    """All of it; `AssertionError` says what differs."""
    network = archcalc.loads(text)
    for convention in ("lecture", "full"):
        network.analyze(convention=convention)
    check_names(network)
    check_tools(network)
    check_meta(network)
    check_source(network)
    check_formula(text, network)
    check_exported_spec(network)
    check_memory(network)


def check_names(network: Network) -> None:
    """Every axis of every tensor is named, or known to be unknown."""
    for name, axes in network.axes.items():
        assert len(axes) == len(network.shape_of(name)), name
        assert set(axes) <= {*LETTERS, ""}, name


def check_tools(network: Network) -> None:
    """Every layer's shape and tensors, fvcore's and torch's counts per layer and in total."""
    subject = VerificationTarget(network, torch.device("cpu"), torch.float32, BATCH)
    for one in (check_shapes, check_tensors, check_fvcore, check_torch):
        result = one(subject)
        assert result.passed is not False, f"{result.name}: {result.detail}"
        assert result.passed or "so many axes" in result.note, f"{result.name}: {result.note}"


def has_memory(network: Network) -> bool:
    """True if the memory of all layers is modelled, and they have the module's own type."""
    return all(layer.op.models_memory() and not layer.dtype for layer in network.layers)


def check_memory(network: Network) -> None:
    """Peaks and saved tensors, to the byte but for the tolerances of docs/explanation/how-it-is-verified.md."""
    if not has_memory(network):
        return
    for batch in (1, BATCH):
        subject = VerificationTarget(network, torch.device("cpu"), torch.float32, batch)
        if runs(subject):
            compare_memory(subject, "inference", peak(subject.analyze()).live_bytes, inference_peak)
    if runs(subject, training=True):
        compare_memory(subject, "saved", saved_tensor_bytes(subject.analyze()), saved_bytes)
        compare_memory(subject, "training", training_peak(subject.analyze(), "none").live_bytes, measured_training_peak)


def compare_memory(subject: VerificationTarget, quantity: str, predicted: int, measure: Measure) -> None:
    """One quantity, within its tolerance."""
    measured = measure(subject.module, subject.inputs())
    said = f"{quantity}, batch {subject.batch}: archcalc {predicted:,} B, torch {measured:,} B"
    assert tolerance(quantity, Measured(subject.network, batch=subject.batch)).admits(predicted, measured), said


def runs(subject: VerificationTarget, training: bool = False) -> bool:
    """Whether PyTorch takes these samples at all."""
    try:
        subject.module.train(training)(*subject.inputs())
    except (ValueError, RuntimeError) as error:
        if not any(part in str(error) for part in REFUSED):
            raise
        return False
    finally:
        subject.module.eval()
    return True


def check_meta(network: Network) -> None:
    """The outputs of the built module on the meta device, where nothing is computed."""
    with torch.device("meta"):
        outputs = build_module(network).eval()(
            *VerificationTarget(network, torch.device("meta"), torch.float32, BATCH).inputs()
        )
    assert [tuple(one.shape) for one in outputs_of(outputs)] == [
        (BATCH, *network.shape_of(name)) for name in network.outputs
    ]


def outputs_of(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a module gives, one output or several."""
    return result if isinstance(result, tuple) else (result,)


def check_source(network: Network) -> None:
    """The written source of the module: the same tensors, and with the same weights the same numbers."""
    subject = VerificationTarget(network, torch.device("cpu"), torch.float32, BATCH)
    scope: dict = {"__name__": "written"}
    source = torch_source(network)
    exec(source, scope)
    written = next(value for value in reversed(scope.values()) if isinstance(value, type))().eval()
    written.load_state_dict(subject.module.state_dict(), strict=True)
    inputs = subject.inputs()
    with torch.no_grad():
        ours, theirs = (outputs_of(module(*inputs)) for module in (subject.module, written))
    assert all(torch.equal(own.nan_to_num(), other.nan_to_num()) for own, other in zip(ours, theirs, strict=True)), (
        source
    )


def check_formula(text: str, network: Network) -> None:
    """The closed forms in the sizes of the input, at the input's own and at others, wherever they hold."""
    spec = Spec(SpecDocument(text, "fuzz.yaml"), lambda *_: (_ for _ in ()).throw(SpecError("nothing to extend")))
    sizes = {name: dict(zip(letters_of(network.axes[name]), one, strict=True)) for name, one in network.inputs.items()}
    for letter, own in next(iter(sizes.values())).items():
        try:
            found = formulas(
                SpecFamily(spec, None, {}, None, {letter: letter}), QUANTITIES, Counting(convention="full")
            )
        except SpecError:
            continue  # what the network is depends on the size
        for number in (own, own + 1, 2 * own + 3):
            if not found.holds(**{letter: number}):
                continue
            inputs = {name: resized(one, letter, own, number) for name, one in sizes.items()}
            totals = spec.network(None, {}, inputs).analyze(convention="full").totals
            for quantity in QUANTITIES:
                found_total = found.evaluate(quantity, **{letter: number})
                assert found_total == getattr(totals, quantity), (letter, number, quantity)


def resized(sizes: dict[str, int], letter: str, own: int, number: int) -> tuple[int, ...]:
    """The shape of an input in which a size is another number, if it was that of the first input; squares stay so."""
    if sizes.get(letter) == own:
        square = letter == "H" and len({size for name, size in sizes.items() if name in "DHW"}) == 1
        sizes = {**sizes, letter: number, **({"W": number} if square and "W" in sizes else {})}
    return tuple(sizes.values())


def check_exported_spec(network: Network) -> None:
    """The network as a spec, layer by layer and with blocks and loops: read again, it is the same."""
    for text in (network_spec(network), folded_spec(network)):
        assert likeness(archcalc.loads(text)) == likeness(network), text
