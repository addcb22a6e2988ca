"""One spelling for the signs that students use: spaces, minus, times, powers, LaTeX, and words for about."""

from __future__ import annotations

import re
import unicodedata

_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("−‐‒", "-"),
        **dict.fromkeys("⨯✕✖хХ", "×"),  # the last two are Cyrillic letters
        **dict.fromkeys("∙⋅•‧", "·"),
        **dict.fromkeys("÷∕⁄", "/"),
        **dict.fromkeys("’ʼ", "'"),
        "∗": "*",
        "＋": "+",
        "\t": " ",
    }
)
_LATEX = (
    (re.compile(r"\\(?:times|ast)(?![A-Za-z])"), "×"),
    (re.compile(r"\\cdot(?![A-Za-z])"), "·"),
    (re.compile(r"\\(?:approx|sim|simeq)(?![A-Za-z])"), "≈"),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\frac\{([^{}]*)\}\{([^{}]*)\}"), r"(\1)/(\2)"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\^\{([^{}]*)\}"), r"^\1"),
    (re.compile(r"\\(?:left|right)(?![A-Za-z])|\\[()\[\],;:! ]|\$"), ""),
)
_ABOUT = re.compile(r"(?:(?:[~≈≅≃=]|(?:about|approx(?:imately)?|circa|ca|roughly|around)\b\.?|c\.)\s*)+", re.IGNORECASE)
_DECORATION = ("**", "__", "`", "*", "_")


def tidy(text: str) -> str:
    """Return a text with one sign for each meaning, without LaTeX, decoration and a leading `~`, `≈`, `=` or `about`.

    A power is written with `^`: `10⁸` becomes `10^8`. The time is linear in the length.
    """
    text = _RAISED.sub(lambda match: "^" + match[0].translate(_LOWERED), text)
    text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
    if "\\" in text or "$" in text or "{" in text:
        for pattern, instead in _LATEX:
            text = pattern.sub(instead, text)
    text = text.strip()
    for mark in _DECORATION:
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            text = text[len(mark) : -len(mark)].strip()
    about = _ABOUT.match(text)
    return text[about.end() :] if about else text
