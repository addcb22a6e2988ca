"""Memory over time: at inference, in training, with recomputation."""
