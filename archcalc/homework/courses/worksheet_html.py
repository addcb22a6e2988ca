"""A worksheet as a page to fill in: it keeps what is written in the browser, and saves a CSV that `check` reads.

The page is one file without anything from elsewhere, and has no answer in it.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from archcalc.homework.courses.notes import Notes
from archcalc.render.writers.html import escape_html
from archcalc.words import printable

_STYLE = """body{font:16px/1.4 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}th,td{border:1px solid #bbb;padding:.2rem .5rem}thead th{background:#eee}
td input{width:9rem;font:inherit;border:0;background:#fff9db}.example td{font-style:italic;background:#ddebf7}
button{font:inherit;padding:.3rem 1rem}"""
_SCRIPT = """const form=document.forms[0],key="archcalc "+document.title,inputs=[...form.elements].filter(e=>e.name);
const kept=JSON.parse(localStorage.getItem(key)||"{}");
for(const e of inputs){if(kept[e.name])e.value=kept[e.name];
e.addEventListener("input",()=>{kept[e.name]=e.value;try{localStorage.setItem(key,JSON.stringify(kept))}catch(_){}})}
form.addEventListener("submit",event=>{event.preventDefault();
const quote=text=>'"'+text.replaceAll('"','""')+'"',lines=[headings.map(quote).join(",")];
for(const row of document.querySelectorAll("tbody tr:not(.example)"))
lines.push([...row.cells].map(c=>{const e=c.querySelector("input");return quote(e?e.value:c.textContent)}).join(","));
const name=(kept.name||"worksheet").replace(/[^\\p{L}\\p{N}]+/gu,"_")+".csv",link=document.createElement("a");
link.href=URL.createObjectURL(new Blob(["\\ufeff"+lines.join("\\r\\n")+"\\r\\n"],{type:"text/csv"}));
link.download=name;link.click();setTimeout(()=>URL.revokeObjectURL(link.href),1000)});"""


def worksheet_html(
    sheet: list[list[str]], notes: Notes, asked: Collection[int], example: list[str] | None = None
) -> str:
    """Return a page with a field for every empty cell of the asked columns."""
    headings, *rows = sheet
    lines = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width"><title>' + escape_html(notes.title) + "</title>",
        f"<style>{_STYLE}</style></head><body><h1>{escape_html(notes.title)}</h1><form>",
        '<p><label>Name <input name="name" autocomplete="name"></label> ',
        '<label>Number <input name="number"></label></p><ul>',
        *(f"<li>{escape_html(rule)}</li>" for rule in notes.rules),
        "</ul><table><thead><tr>",
        *(f"<th>{escape_html(heading)}</th>" for heading in headings),
        "</tr></thead><tbody>",
    ]
    if example is not None:
        lines.append('<tr class="example">' + "".join(f"<td>{escape_html(text)}</td>" for text in example) + "</tr>")
    for number, row in enumerate(rows):
        cells = []
        for column, text in enumerate(row):
            label = escape_html(f"{row[0]}, {headings[column]}")
            field = f'<input name="r{number}c{column}" aria-label="{label}">'
            cells.append(f"<td>{field if column in asked and not text else escape_html(text)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    data = json.dumps([printable(heading) for heading in headings]).replace("<", "\\u003c")
    lines += [
        "</tbody></table><p><button>Save as CSV</button> and hand in that file.</p></form>",
        f"<script>const headings={data};\n{_SCRIPT}</script></body></html>",
    ]
    return "\n".join(lines) + "\n"
