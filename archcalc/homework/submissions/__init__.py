"""Submissions: files to tables, and tables matched to the questions and rows of a homework."""
