"""The spec language: text to a Network."""
