"""Quantities: the numbers computed per layer and network, which are shown, summed, asked, compared and plotted.

`quantity` defines what a quantity is, `table` lists every one, and `compare` compares networks by them.
"""
