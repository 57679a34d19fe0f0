"""SHOW: one self-contained page of tables, plots and failures, from results.json and the pictures of the sets."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare.files import GEOMETRY, REPORT, RESULTS, read_geometry
from benchmarks.compare.score.figures import FIGURES, Figure
from benchmarks.compare.show.failures import Pictures, failure_section
from benchmarks.compare.show.page import page
from benchmarks.compare.show.plots import Drawn, draw_plots
from benchmarks.compare.show.tables import NONE, escaped, named, number, table
from engine.errors import ResearchError

BY_KEY = {figure.key: figure for figure in FIGURES}
"""The figures by their keys in results.json."""
COST = (("bytes_per_picture", "bytes a picture", False), ("adds_per_second", "adds a second", True))
"""What a method costs beside time: key of its entry in run.json, title of the column, whether more is better."""


def write_report(out: Path) -> Path:
    """Draws the plots and writes report.html from the run folder's files. Raises FileNotFoundError where results.json
    is missing, ResearchError where a file is malformed."""
    results = _results(out)
    plots = draw_plots(out, results)
    lines = read_geometry(out / GEOMETRY) if (out / GEOMETRY).exists() else []
    pictures = Pictures(results, {(g.method, g.set, g.query): g for g in lines})
    parts = [
        _head(results),
        "<h2>All sets together</h2>", _summary(results, lambda method: method["all"], costs=True), _notes(results),
        "<h2>Each set</h2>", *(_set_section(results, one) for one in results["sets"]),
        "<h2>Where the baseline loses</h2>", _losses(results),
        "<h2>Paired tests against the baseline</h2>", _pairs(results),
        "<h2>Curves</h2>", *map(_plot, plots),
        "<h2>Failures to look at</h2>", *(failure_section(method, pictures) for method in results["methods"]),
        "<h2>What the figures mean</h2>", _definitions(), _refused(results),
    ]  # fmt: skip
    draft = out / f"{REPORT}.tmp"
    # File names that are no text (surrogates) are shown as question marks.
    draft.write_bytes(page("Comparison of retrieval methods", "".join(parts)).encode("utf-8", "replace"))
    draft.replace(out / REPORT)
    return out / REPORT


def _results(out: Path) -> dict[str, Any]:
    path = out / RESULTS
    if not path.is_file():
        raise FileNotFoundError(f"{out} holds no {RESULTS}; `obverse score {out}` makes it")
    try:
        results: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ResearchError(f"{path}: {error}; `obverse score {out}` makes it anew") from error
    return results


# Tables


def _cell(
    value: float | None, figure: Figure, interval: Sequence[float | None], best: float | None
) -> tuple[str, object]:
    text = number(value, figure.unit)
    if value is not None and value == best:
        text = f'<span class="best">{text}</span>'
    low, high = interval
    if value is not None and low is not None and high is not None:
        text += f"<small>{number(low, figure.unit)} to {number(high, figure.unit)}</small>"
    return text, value


def _summary(
    results: Mapping[str, Any], part: Callable[[Mapping[str, Any]], Mapping[str, Any] | None], *, costs: bool = False
) -> str:
    """A table with one line for each method; columns that no method has are left out."""
    rows = [(method, found) for method in results["methods"] if (found := part(method)) is not None]
    told = [f for f in FIGURES if f.depth is None or f.depth < results["gallery"]]  # the whole gallery holds all
    shown = [f for f in told if any(found["figures"][f.key] is not None for _, found in rows)]
    best: dict[str, float] = {}
    for figure in shown:
        # A sample's figure is not comparable with those of all photos.
        values = [found["figures"][figure.key] for method, found in rows if method.get("sample") is None]
        known = [v for v in values if v is not None]
        if known:
            best[figure.key] = max(known) if figure.higher else min(known)
    lines = []
    for method, found in rows:
        name = escaped(method["name"]) + ("*" if method.get("sample") is not None else "")
        line: list[tuple[str, object]] = [(name, method["name"]), (str(found["photos"]), found["photos"])]
        line += [_cell(found["figures"][f.key], f, found["intervals"][f.key], best.get(f.key)) for f in shown]
        if costs:
            line += [(number(method.get(key), "count"), method.get(key)) for key, _, _ in COST]
        lines.append(line)
    head = ["method", "photos", *(f.title for f in shown), *(title for _, title, _ in COST if costs)]
    return table(head, lines)


def _set_section(results: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    counts = ", ".join(
        f"{one[key]} {words}"
        for key, words in (
            ("positives", "of gallery pictures"), ("negatives_easy", "easy negatives"),
            ("negatives_hard", "hard negatives"),
        )
        if one.get(key) is not None
    )  # fmt: skip
    content = _summary(results, lambda method: method["sets"].get(one["name"]))
    return f"<details open><summary><b>{escaped(one['name'])}</b> {counts}</summary>{content}</details>"


def _notes(results: Mapping[str, Any]) -> str:
    notes = [
        "Small figures: 95 % interval, bootstrap by object. Bold: best of the methods that were run on all photos."
    ]
    sampled = [m for m in results["methods"] if m.get("sample") is not None]
    if sampled:
        names = ", ".join(f"{escaped(m['name'])} ({m['all']['photos']} photos)" for m in sampled)
        notes.append(f"* run on a sample of the photos: {names}. Compared with others on those photos only.")
    for method in results["methods"]:
        if method["all"]["missing"]:
            notes.append(f"{escaped(method['name'])} has no prediction for {method['all']['missing']} photos: misses.")
    items = [f"<li><b>{escaped(m['name'])}</b>: {escaped(m.get('about', ''))}</li>" for m in results["methods"]]
    return "".join(f'<p class="note">{n}</p>' for n in notes) + f"<ul>{''.join(items)}</ul>"


def _head(results: Mapping[str, Any]) -> str:
    facts = [
        ("command", f"<code>{escaped(results.get('command', ''))}</code>"),
        ("commit", escaped(results.get("commit"))), ("started", escaped(results.get("started"))),
        ("gallery", f"{results['gallery']:,} pictures, {results.get('distractors') or 0:,} of them distractors"),
        ("machine", escaped(_listed(results.get("machine")))), ("versions", escaped(_listed(results.get("versions")))),
        ("seeds", f"run {escaped(results.get('seed'))}, bootstrap {results['bootstrap']['seed']} "
         f"({results['bootstrap']['resamples']:,} resamples)"),
        ("predictions", escaped(", ".join(results["predictions"]))),
    ]  # fmt: skip
    rows = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in facts)
    return f'<h1>Comparison of retrieval methods</h1><div class="wide"><table class="text">{rows}</table></div>'


def _listed(facts: object) -> str:
    return ", ".join(f"{k} {v}" for k, v in facts.items()) if isinstance(facts, Mapping) else str(facts or "")


def _losses(results: Mapping[str, Any]) -> str:
    if results["baseline"] is None:
        return "<p>The run has no method called obverse to compare with.</p>"
    if not results["losses"]:
        return f"<p>No method beats {escaped(results['baseline'])} in any figure on any set.</p>"
    rows = []
    for loss in sorted(results["losses"], key=_weight):
        figure = BY_KEY.get(loss["figure"])
        unit = figure.unit if figure else "count"
        title = figure.title if figure else loss["figure"].replace("_", " ")
        low, high = loss.get("interval", (None, None))
        interval = NONE if low is None or high is None else f"{number(low, unit)} … {number(high, unit)}"
        certain = {True: "yes", False: "no", None: NONE}[loss.get("certain")]
        photos = f"{loss.get('photos', NONE)}{' (sample)' if loss.get('sampled') else ''}"
        rows.append([
            named(loss["method"]), named(loss["set"] or NONE), named(title),
            (number(loss["theirs"], unit), loss["theirs"]), (number(loss["ours"], unit), loss["ours"]),
            (number(loss["difference"], unit), loss["difference"]), (interval, low), (certain, certain),
            (photos, loss.get("photos")),
        ])  # fmt: skip
    head = ["method", "set", "figure", "its", results["baseline"], "difference", "95 % interval", "certain", "photos"]
    note = (
        '<p class="note">Every figure in which a method is better on its photos. Certain: the interval of the paired '
        "difference leaves out zero; each line by itself, so of many lines some are certain by chance.</p>"
    )
    return note + table(head, rows)


def _weight(loss: Mapping[str, Any]) -> tuple[bool, bool]:
    """Sorts losses: what is recognised stands before what it costs, and the certain ones before the rest."""
    figure = BY_KEY.get(loss["figure"])
    return figure is None or figure.unit == "ms", not loss.get("certain", False)


def _pairs(results: Mapping[str, Any]) -> str:
    rows = []
    for pair in results["pairs"]:
        for name, title in (("answered", "answered rightly"), ("ranked_first", "ranked first")):
            test = pair[name]
            if test is None:
                continue
            low, high = test["interval"]
            interval = NONE if low is None or high is None else f"{low:.3f} … {high:.3f}"
            photos = f"{pair['photos']}{' (sample)' if pair['sampled'] else ''}"
            rows.append([
                named(pair["method"]), named(pair["set"]), named(title), (photos, pair["photos"]),
                (str(test["only_theirs"]), test["only_theirs"]), (str(test["only_ours"]), test["only_ours"]),
                (f"{test['p']:.3g}", test["p"]), (number(test["difference"]), test["difference"]), (interval, low),
            ])  # fmt: skip
    if not rows:
        return "<p>There is no second method to compare with.</p>"
    head = ["method", "set", "of", "photos", "only it", "only baseline", "p (McNemar)", "difference", "95 % interval"]
    return table(head, rows)


def _definitions() -> str:
    items = [
        f"<dt>{escaped(f.title)} <small>({'more' if f.higher else 'less'} is better)</small></dt>"
        f"<dd>{escaped(f.definition)} <span class=note>{escaped(f.source)}.</span></dd>"
        for f in FIGURES
    ]
    more = (
        "<p>Ties count against a method: a wrong picture of equal score stands before the right one. Pictures that "
        "are visible in a photo besides its own (also_visible.csv) are taken out of the lists. Intervals: objects are "
        "drawn with replacement and bring all their photos (cluster bootstrap; Davison &amp; Hinkley 1997). p: "
        "McNemar's exact test of right and not right on the same photos (McNemar 1947).</p>"
    )
    return f"<dl>{''.join(items)}</dl>{more}"


def _refused(results: Mapping[str, Any]) -> str:
    if not results["refused"]:
        return ""
    items = "".join(f"<li><code>{escaped(p)}</code>: {escaped(r)}</li>" for p, r in results["refused"].items())
    return f"<h2>Files that could not be used</h2><ul>{items}</ul>"


# Pictures


def _plot(drawn: Drawn) -> str:
    if drawn.svg is None:
        return f'<p class="note">{escaped(drawn.text)}</p>'
    data = base64.b64encode(drawn.svg.read_bytes()).decode()
    source = f"data:image/svg+xml;base64,{data}"
    return (
        f'<figure><img class="plot" src="{source}" alt="{escaped(drawn.text)}">'
        f"<figcaption>{escaped(drawn.text)}</figcaption></figure>"
    )
