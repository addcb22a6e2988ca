"""Analyses as charts, by matplotlib: costs per layer, and operations against accuracy."""
