"""Assertions about a network, for continuous integration."""
