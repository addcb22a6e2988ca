"""Figures for papers and slides: an analysis to a scene of shapes and texts, and the scene to SVG, PDF, PNG or TikZ."""
