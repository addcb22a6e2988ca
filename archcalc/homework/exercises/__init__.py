"""Exercises with a key, and their documents."""
