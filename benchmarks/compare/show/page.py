"""The frame of report.html: style and script, both inside the page, so that it needs no network."""

from __future__ import annotations

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #1a1a1a }
h1 { font-size: 1.6rem } h2 { margin-top: 2.5rem; font-size: 1.25rem } h3 { font-size: 1.05rem; margin-bottom: .3rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .85rem }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { position: sticky; left: 0; background: #fff }
th:first-child, td:first-child, .text th, .text td { text-align: left }
.text td:last-child { white-space: normal }
thead th { position: sticky; top: 0; background: #fff; vertical-align: bottom }
th button { all: unset; cursor: pointer } th button:focus-visible { outline: 2px solid #0072b2 }
th[aria-sort=ascending] button::after { content: " \\2191" }
th[aria-sort=descending] button::after { content: " \\2193" }
td small { display: block; color: #666; font-size: .72rem } .best { font-weight: 700 }
img.plot { max-width: 100%; height: auto } figure { margin: 1rem 0 }
figcaption, .note { color: #555; font-size: .88rem }
.failures { display: grid; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); gap: 1rem }
.failure { border: 1px solid #ddd; border-radius: 4px; padding: .6rem } .failure p { margin: 0 0 .4rem }
.pictures { display: flex; gap: .6rem; flex-wrap: wrap } .pictures figure { margin: 0; max-width: 100% }
.pictures img { max-width: 100%; display: block } .absent { color: #a33; max-width: 14rem; overflow-wrap: anywhere }
dt { font-weight: 600; margin-top: .6rem } dd { margin: 0 0 0 1rem } code { overflow-wrap: anywhere }
"""
SCRIPT = """
document.querySelectorAll("table.sortable").forEach(table => table.querySelectorAll("thead button").forEach(button =>
  button.addEventListener("click", () => {
    const head = button.closest("th"), column = head.cellIndex, body = table.tBodies[0];
    const up = head.getAttribute("aria-sort") === "descending";
    table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = row => row.cells[column].dataset.value;
    [...body.rows].sort((a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === "");  // what is unknown stays last
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return up ? order : -order;
    }).forEach(row => body.append(row));
  })));
"""


def page(title: str, content: str) -> str:
    """The whole page around its content. title: text; content: HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body>{content}<script>{SCRIPT}</script></body></html>\n"
    )
