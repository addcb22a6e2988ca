"""Multiply-adds of a sum of products in Einstein's notation, from the sizes of its tensors."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.arithmetic import Shape, product


def einsum_macs(equation: str, shapes: Sequence[Shape]) -> int:
    """Return the multiply-adds: two tensors after another, one for each combination of their letters, if one is summed.

    Without such a letter the numbers are multiplied one by one. What only one tensor has is summed before.

    Raises `ValueError` if the letters are not those of the axes.
    """
    equation = equation.replace(" ", "")
    terms, sizes = _letters(equation.partition("->")[0].split(","), shapes)
    wanted = _result(equation, terms)
    macs, first = 0, terms[0]
    for number, second in enumerate(terms[1:], 2):
        needed = wanted.union(*terms[number:])
        summed = (first & second) - needed
        both = (first & second) | ((first | second) & needed)
        if summed:
            macs += int(product(sizes[letter] for letter in both))
        first = both - summed
    return macs


def _letters(terms: Sequence[str], shapes: Sequence[Shape]) -> tuple[list[set[str]], dict[str, int]]:
    """Return the letters of each tensor, and the size of each; axes that dots stand for are numbered from the end."""
    sizes: dict[str, int] = {}
    found = []
    for term, shape in zip(terms, shapes, strict=True):
        before, dots, after = term.partition("...")
        many = len(shape) - len(before) - len(after)
        letters = [*before, *(str(many - number) for number in range(many if dots else 0)), *after]
        for letter, size in zip(letters, shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
        found.append(set(letters))
    return found, sizes


def _result(equation: str, terms: Sequence[set[str]]) -> set[str]:
    """Return the letters of the result; without an arrow, those that occur once."""
    left, arrow, right = equation.partition("->")
    dotted = {letter for term in terms for letter in term if letter.isdigit()}
    if not arrow:
        return {letter for letter in left if letter.isalpha() and left.count(letter) == 1} | dotted
    return {letter for letter in right if letter.isalpha()} | (dotted if "..." in right else set())
