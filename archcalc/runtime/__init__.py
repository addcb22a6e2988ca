"""Network to PyTorch. The only package that imports torch; without it, everything else works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from archcalc.network import Network


def build(network: Network | str, **settings: Any) -> torch.nn.Module:
    """The network as a `torch.nn.Module`, whose modules and state_dict keys have the spec's own names.

    ``network`` may be a name or a path, as for `archcalc.load`, with the same settings.

    Raises `MissingExtra` where torch is not installed.

    >>> import archcalc
    >>> archcalc.build("lenet5").conv1
    Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))
    """
    from archcalc.requirements import need_torch

    need_torch()
    from archcalc.language.library import load
    from archcalc.network import Network
    from archcalc.runtime.building import build_module

    return build_module(network if isinstance(network, Network) else load(network, **settings))
