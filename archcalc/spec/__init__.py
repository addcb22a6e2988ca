"""Text to Network: the spec language."""
