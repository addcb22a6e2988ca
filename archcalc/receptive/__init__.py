"""Receptive fields: the input region that each layer, and each unit, depends on."""
