"""The memory of a network against every tensor that PyTorch allocates."""

import torch

import archcalc
from archcalc.memory.inference import peak
from archcalc.memory.training import saved_tensor_bytes, training_peak
from archcalc.network import Network
from archcalc.runtime.checks import VerificationTarget
from archcalc.runtime.memory import inference_peak, saved_bytes
from archcalc.runtime.memory import training_peak as training_peak_measured


def compare(network: Network | str, batch: int, dtype: str = "float32") -> None:
    """Peak of inference, saved tensors and peak of a training step, to the byte."""
    network = archcalc.loads(network) if isinstance(network, str) else network
    subject = VerificationTarget(network, torch.device("cpu"), getattr(torch, dtype), batch)
    analysis, inputs = network.analyze(batch=batch, dtype=dtype), subject.inputs()
    assert not analysis.memory().estimated
    assert peak(analysis).live_bytes == inference_peak(subject.module, inputs)
    assert saved_tensor_bytes(analysis) == saved_bytes(subject.module, inputs)
    assert training_peak(analysis, "none").live_bytes == training_peak_measured(subject.module, inputs)
