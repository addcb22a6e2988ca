"""Answers as students write them: numbers, sizes and formulas, read and compared."""
