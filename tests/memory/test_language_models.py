"""A whole language model with RMS norm, rotary positions, gated units and grouped queries, against PyTorch."""

import pytest
import torch

import archcalc
from archcalc.memory.inference import peak
from archcalc.memory.training import saved_tensor_bytes, training_peak
from archcalc.runtime.checks import VerificationTarget
from archcalc.runtime.memory import inference_peak, saved_bytes
from archcalc.runtime.memory import training_peak as training_peak_measured


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_memory_of_a_small_llama(kv_heads):
    network = archcalc.load(
        "llama_7b", input=(24,), depth=3, width=64, heads=4, kv_heads=kv_heads, features=96, vocab=100
    )
    subject = VerificationTarget(network, torch.device("cpu"), torch.float32, 3)
    analysis, inputs = subject.analyze(), subject.inputs()
    assert peak(analysis).live_bytes == inference_peak(subject.module, inputs)
    assert saved_tensor_bytes(analysis) == saved_bytes(subject.module, inputs)
    assert training_peak(analysis, "none").live_bytes == training_peak_measured(subject.module, inputs)
