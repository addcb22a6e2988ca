"""Networks changed for training or deployment: layers frozen, adapted, folded or pruned."""
