"""Numbers with names: polynomials, closed forms and derivations."""
