"""Worksheets for a class, and grading that says what went wrong."""
