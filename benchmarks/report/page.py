"""A self-contained HTML page: sections, tables, pictures, and badges that show the origin of a figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { --surface: #ffffff; --raised: #f6f5f1; --ink: #1c1c1a; --muted: #65635c; --line: #dedcd4; --warn: #a33c00;
  --cnn: #0072b2; --resnet: #c2500a; --kinet: #00805c; --width: #8a4a7f;
  --length: #8f6a00; --rival: #4d4b46; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --surface: #161614; --raised: #21211e; --ink: #ecebe4; --muted: #a8a69c; --line: #3a3934; --warn: #ff9b63;
    --cnn: #62b5ec; --resnet: #f0884a; --kinet: #35c49a; --width: #d795ca;
    --length: #dcb13c; --rival: #bdbab0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--surface); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 3rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .25rem; }
p, li { max-width: 46rem; } p { margin: .5rem 0; } a { color: var(--cnn); }
nav { display: flex; flex-wrap: wrap; gap: .25rem .9rem; margin: 1rem 0; font-size: .9rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 500; min-width: 5.5rem; }
.n { text-align: right; white-space: nowrap; }
.missing td, .missing th { color: var(--muted); } .missing td code { display: inline; color: var(--ink); }
td.words { min-width: 17rem; color: var(--muted); } td.mine { font-weight: 700; }
td.theirs { font-style: italic; color: var(--muted); }
.gist td, .gist th { background: var(--raised); font-weight: 600; }
code { font: .8125rem/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
td code { display: inline-block; min-width: 13rem; max-width: 26rem; }
.mark { display: inline-block; padding: 0 .4rem; border: 1px solid currentColor; border-radius: .6rem;
  font-size: .75rem;  line-height: 1.35; white-space: nowrap; font-weight: 500; }
.ours { color: var(--cnn); } .published { color: var(--muted); border-style: dashed; font-style: italic; }
.leaky { color: var(--surface); background: var(--warn); border-color: var(--warn); font-weight: 700; }
.apart { color: var(--kinet); } .held { font-style: italic; color: var(--muted); }
figure { margin: 1rem 0; } figure svg { display: block; max-width: 100%; height: auto; }
figcaption { color: var(--muted); font-size: .875rem; max-width: 46rem; }
.confusion td { text-align: right; padding: .3rem .5rem; min-width: 2.6rem; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--muted); }
"""


def page(title: str, lead: Sequence[str], sections: Sequence[tuple[str, str, str]]) -> str:
    """The whole page.

    Args:
        lead: HTML blocks under the title.
        sections: (anchor, heading, HTML) each.
    """
    contents = "".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in sections)
    body = "\n".join(f'<h2 id="{anchor}">{escape(heading)}</h2>\n{html}' for anchor, heading, html in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{''.join(lead)}\n<nav>{contents}</nav>\n{body}\n</main>\n</body>\n</html>\n"
    )


def table(header: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """A table that scrolls sideways on a narrow screen.

    Args:
        header: the column titles; ``>`` at the start marks a column of numbers.
        rows: made by ``row`` or ``missing``.
    """
    heads = "".join(
        f'<th class="n">{escape(text[1:])}</th>' if text.startswith(">") else f"<th>{escape(text)}</th>"
        for text in header
    )
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>'
    )


def row(heading: str, *cells: str, kind: str = "") -> str:
    """A row: the HTML of its heading, then cells made by ``cell``, ``number`` and ``words``."""
    return f'<tr class="{kind}"><th>{heading}</th>{"".join(cells)}</tr>'


def cell(html: str) -> str:
    return f"<td>{html}</td>"


def number(value: object, kind: str = "") -> str:
    """A cell with a number; a dash for None."""
    return f'<td class="n {kind}">{"–" if value is None else escape(str(value))}</td>'


def words(text: str) -> str:
    """A cell with long text."""
    return f'<td class="words">{escape(text)}</td>'


def code(command: str) -> str:
    return f"<code>{escape(command)}</code>" if command else ""


def missing(figure: str, columns: int, command: str, reason: str = "not measured yet") -> str:
    """The row of a missing figure, with the command that makes it."""
    hint = f'<td colspan="{columns - 1}">{escape(reason)}; to fill it: {code(command)}</td>'
    return f'<tr class="missing"><th>{escape(figure)}</th>{hint}</tr>'


def nothing(figures: str, command: str) -> str:
    """The content of a section without any figure, with the command that makes them."""
    return table(["", ""], [missing(figures, 2, command)])


def mark(kind: str, text: str = "") -> str:
    """A badge: ``ours``, ``published``, ``leaky``, ``apart`` (people in one part only) or ``held`` (validation)."""
    return f'<span class="mark {kind}">{escape(text or kind)}</span>'


def paragraph(html: str) -> str:
    return f"<p>{html}</p>"


def picture(svg: str, caption: str) -> str:
    return f'<figure><div class="wide">{svg}</div><figcaption>{escape(caption)}</figcaption></figure>'


def folded(summary: str, html: str) -> str:
    """Details that stay hidden until the reader clicks the summary."""
    return f"<details><summary>{escape(summary)}</summary>{html}</details>"


def macs(value: float | None) -> str:
    """Millions of multiply-accumulates."""
    return "–" if value is None else f"{value / 1e6:.2f} M"
