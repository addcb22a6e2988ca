"""The changes of a network that options ask for, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archcalc.changes.adapters import ADAPTERS, add_adapters
from archcalc.changes.folding import fold_batch_norm, reparametrize
from archcalc.changes.freezing import freeze
from archcalc.changes.pruning import parse_kept, prune
from archcalc.errors import UserError
from archcalc.language.family import Family
from archcalc.network import Network
from archcalc.structs import Struct
from archcalc.words import help_line


class Changes(Struct):
    """How a network is changed before it is computed.

    Raises `UserError` for adapters without a pattern, or a pattern without adapters.
    """

    freeze: tuple[str, ...] = ()
    """Patterns of layers to freeze."""
    train: tuple[str, ...] = ()
    """Patterns of layers to train; all others are frozen, unless ``freeze`` says which."""
    lora: int | None = None
    """The rank of adapters; None without adapters."""
    on: tuple[str, ...] = ()
    """Patterns of layers that get adapters."""
    prune: tuple[str, ...] = ()
    """`LAYER=CHANNELS`, what pruned layers keep; or a file with such lines."""
    fold_batch_norm: bool = False
    """True if batch normalization is folded into the layers before it."""
    reparametrize: bool = False
    """True if parallel convolutions become one, too."""

    def __post_init__(self) -> None:
        if (self.lora is not None) != bool(self.on):
            raise UserError("--lora and --on belong together" + help_line('write --lora 8 --on "*.attn.*"'))

    def apply(self, network: Network) -> Network:
        """Return the changed network. Raises `UserError` for a pattern that means no layer."""
        if self.prune:
            network = prune(network, parse_kept(self.prune))
        if self.reparametrize:
            network = reparametrize(network)
        elif self.fold_batch_norm:
            network = fold_batch_norm(network)
        trained = self.train
        if self.lora is not None:
            network = add_adapters(network, self.lora, self.on)
            trained = (*trained, *ADAPTERS) if trained else ()
        if self.freeze or trained:
            network = freeze(network, self.freeze, trained)
        return network


UNCHANGED = Changes()


@dataclass
class ChangedFamily:
    """A family of networks, each of them changed."""

    family: Family
    changes: Changes

    def __post_init__(self) -> None:
        self.name, self.samples = self.family.name, self.family.samples

    def network(self, numbers: Mapping[str, Any]) -> Network:
        """Return the changed network for values of the free names."""
        return self.changes.apply(self.family.network(numbers))
