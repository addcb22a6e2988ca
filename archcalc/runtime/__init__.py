"""Network to PyTorch. Only this package and `imports` import torch; without it, everything else works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from archcalc.network import Network


def build(network: Network | str, **settings: Any) -> torch.nn.Module:
    """Build a network as a `torch.nn.Module` with the names of the spec.

    Args:
        network: a network, or a name or path as for `archcalc.load`.
        settings: values of spec parameters; only for a name or path.

    Returns:
        The module for inference: auxiliary layers are left out. It takes the network's inputs with a batch.

    Raises:
        MissingExtra: if torch is not installed.
        SpecError: with every error in the spec.
        UserError: if PyTorch reserves the name of a layer, or for settings of a network that is loaded already.

    Examples:
        >>> import archcalc
        >>> module = archcalc.build("lenet5")
        >>> module.get_submodule("conv1").weight.shape
        torch.Size([6, 1, 5, 5])
    """
    from archcalc.requirements import need_torch

    need_torch()
    from archcalc.errors import UserError
    from archcalc.imports.opening import load
    from archcalc.network import Network
    from archcalc.runtime.building import build_module

    if not isinstance(network, Network):
        network = load(network, **settings)
    elif settings:
        raise UserError("parameters are set when a network is loaded; build takes them for a name or path")
    return build_module(network)
