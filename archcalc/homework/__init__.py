"""Worksheets for a class, and grading with diagnosis of mistakes."""
