"""Receptive fields: what each layer, and each unit, sees of the input."""
