"""Quantities: what a row of a table or a whole network has that can be shown, summed, asked, compared and plotted.

`quantity` says what a quantity is, `table` has every one of them, `compare` sets networks side by side by them.
"""
