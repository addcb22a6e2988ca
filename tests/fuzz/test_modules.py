"""Random PyTorch modules; `python -m tests.fuzz --modules N` runs more."""

from __future__ import annotations

import pytest

from tests.fuzz.modules import complaints, modules


@pytest.mark.parametrize("seed", range(4))
def test_a_traced_module_is_the_module(seed):
    for module, x in modules(10, seed):
        assert not complaints(module, x), f"{tuple(x.shape)} {module}"
