"""Reference implementations that a spec is verified against: `torchvision:resnet50`, `timm:resnet200`.

Of transformers, the name is that of a class, and the keywords set its configuration:
`transformers:LlamaForCausalLM(num_hidden_layers=22)`. The grammar is that of `archcalc.imports.references`.
"""

from __future__ import annotations

from torch import nn

from archcalc.imports.references import parse_model
from archcalc.imports.torch_modules import package_module


def reference_module(reference: str) -> nn.Module:
    """Build a reference implementation with random weights.

    Raises:
        UserError: for an invalid reference, an unknown name or keyword, or a keyword that loads weights. A file is
            never a reference, so a spec cannot run one.
        MissingExtra: if its package is not installed.
    """
    return package_module(parse_model(reference))
