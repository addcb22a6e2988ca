"""Marking: each cell compared with the key, and its mistake found."""
