"""The frame of a page that needs nothing beside it, light and dark: style, headings with links, tables."""

import base64
from collections.abc import Sequence
from html import escape
from typing import Final

from classifier.training.evaluation.tables import Table

STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#1a7f37;--bad:#c4432b}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:82rem;padding:0 1.2rem}
h1{margin-bottom:.2rem}h2{margin-top:2.6rem;border-bottom:2px solid var(--line)}h3{margin:1.6rem 0 .2rem}
p{max-width:62rem;margin:.3rem 0 .6rem}nav{margin:1rem 0;line-height:2}nav a{margin-right:1rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px}
td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
th{vertical-align:bottom;font-weight:600;background:var(--soft);min-width:3.2rem}
td{font-variant-numeric:tabular-nums;white-space:nowrap}
.name{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:7rem}
.wide td,.wide th{white-space:normal;text-align:left}
.wide td:nth-child(2){white-space:nowrap}
tr.all{font-weight:600}.met{color:var(--good)}.missed{color:var(--bad);font-weight:600}
img{max-width:100%;background:#fff;border-radius:4px}figure{margin:1rem 0}figcaption{max-width:62rem}
details{margin:.35rem 0;border:1px solid var(--line);border-radius:4px;padding:.3rem .7rem}summary{cursor:pointer}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--soft);padding:.6rem;margin:.5rem 0;font-size:12.5px}
mark{background:#f5c24288;color:inherit;border-radius:2px}
"""


def document(title: str, heading: str, intro: str, sections: Sequence[tuple[str, str]], style: str = "") -> str:
    """A page of sections (title, HTML); `intro` is HTML, `style` CSS beside the common one."""
    links = "".join(f'<a href="#{anchor(name)}">{escape(name)}</a>' for name, _ in sections)
    body = "".join(f'<h2 id="{anchor(name)}">{escape(name)}</h2>\n{content}' for name, content in sections)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style>\n<h1>{escape(heading)}</h1>"
        f"{intro}<nav>{links}</nav>\n{body}</html>\n"
    )


def table(table: Table, *, wide: bool = False) -> str:
    """A table as HTML; `wide` for cells of text instead of figures."""
    head = "".join(f"<th{_name(number, table)}>{escape(heading)}</th>" for number, heading in enumerate(table.headings))
    body = "".join(_row(row, table) for row in table.rows)
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    return f'{note}<div class="scroll"><table{" class=wide" if wide else ""}><tr>{head}</tr>\n{body}</table></div>\n'


def figure(image: bytes, title: str, how: str) -> str:
    """A PNG with a caption that says how it is read."""
    data = base64.b64encode(image).decode()
    return (
        f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(how)}</figcaption></figure>\n"
    )


def _row(row: Sequence[str], table: Table) -> str:
    cells = "".join(f"<td{_name(number, table) or _mark(cell)}>{escape(cell)}</td>" for number, cell in enumerate(row))
    return f"<tr{' class=all' if row[0] == 'all' else ''}>{cells}</tr>\n"


def _name(number: int, table: Table) -> str:
    return " class=name" if number < table.left else ""


def _mark(cell: str) -> str:
    if cell == "met":
        return " class=met"
    return " class=missed" if cell == "missed" or cell.endswith(" !)") else ""


def anchor(title: str) -> str:
    """A title as the name of a place on the page."""
    return "".join(char if char.isalnum() else "-" for char in title.lower())
