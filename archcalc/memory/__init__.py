"""Memory over time: at inference, in training, and with recomputation."""
