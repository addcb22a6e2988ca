"""Network to Analysis: the cost of every layer, and their sums."""

from __future__ import annotations

from archcalc.analysis.conventions import CONVENTIONS, Convention
from archcalc.analysis.costs import Analysis, LayerCosts, Totals, analyze
from archcalc.analysis.counting import Counting

__all__ = ["CONVENTIONS", "Analysis", "Convention", "Counting", "LayerCosts", "Totals", "analyze"]
