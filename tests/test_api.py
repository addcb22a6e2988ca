"""What `import archcalc` gives."""

from __future__ import annotations

import archcalc


def test_a_network_is_a_graph():
    network = archcalc.load("resnet18")
    graph = network.graph
    assert set(graph) == {"input", *(layer.name for layer in network.layers)}
    assert set(graph.predecessors("layer1.0.add1")) == {"layer1.0.bn2", "maxpool"}
    assert graph.edges["maxpool", "layer1.0.conv1"]["shape"] == (64, 56, 56)


def test_load_takes_settings_and_inputs():
    network = archcalc.load("resnet50", classes=10, input=(3, 64, 64))
    assert network.layers[-1].output_shape == (10,)
    assert network.parameters["classes"] == 10
    assert network.inputs == {"input": (3, 64, 64)}


def test_every_public_name_is_there():
    assert all(getattr(archcalc, name) for name in archcalc.__all__)
