"""Tapes: the steps that PyTorch takes inside an operator, and the memory of each step.

A file for each operator or family has its programs. The package is imported when memory is asked for.
"""
