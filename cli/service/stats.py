"""`obverse stats`: matches per day and top pictures, from the running server or from the file itself."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from api.stats import dates
from api.stats.asking import ask_server
from api.stats.report import Report, report
from api.stats.store import FILE_NAME, CountStore, Question
from cli.options import AsJson, DataFolder, print_json
from cli.service.accounts import opened_accounts, show_table
from engine.own_folder import keep_drawings_out_of_home


def stats(
    data: DataFolder,
    first: Annotated[str, typer.Option("--from", help="First day: yyyy, yyyyMM or yyyyMMdd.")] = "1970",
    last: Annotated[str, typer.Option("--to", help="Last day, inclusive.")] = "9999",
    user: Annotated[str | None, typer.Option("--user", help="Only this user's matches.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Only this channel.")] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many pictures to name.")] = 10,
    plot: Annotated[Path | None, typer.Option(dir_okay=False, help="Draw into this file (.png, .svg, .pdf).")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how often pictures were recognised."""
    with opened_accounts(data) as (_, accounts):
        question = Question(
            first=dates.first_day("--from", first),
            last=dates.last_day("--to", last),
            user_id=accounts.user(user).id if user else None,
            channel=channel,
        )
        found = ask_server(data, question, limit=top) or _read_file(data, question, limit=top)
    if plot:
        draw(found, plot)
    _show(found, as_json=as_json)


def _read_file(folder: Path, question: Question, *, limit: int) -> Report:
    if not (folder / FILE_NAME).exists():
        return Report(days=[], top=[])
    store = CountStore(folder)
    try:
        return report(store, question, limit=limit)
    finally:
        store.close()


def _show(found: Report, *, as_json: bool) -> None:
    days = [{"day": d.day.isoformat(), "channel": d.name, "matches": d.count} for d in found.days]
    pictures = [{"channel": t.channel, "identifier": t.identifier, "matches": t.count} for t in found.top]
    if as_json:
        print_json({"days": days, "top": pictures})
        return
    show_table("Matches per day", days, as_json=False)
    show_table("Top pictures", pictures, as_json=False)


def draw(found: Report, target: Path) -> None:
    """Matches per day above, top pictures below."""
    keep_drawings_out_of_home()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    per_day: Counter[dt.date] = Counter()
    for count in found.days:
        per_day[count.day] += count.count
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(9, 8), constrained_layout=True)
    above.bar([day.isoformat() for day in sorted(per_day)], [per_day[day] for day in sorted(per_day)])
    above.set(title="Matches per day", ylabel="matches")
    above.tick_params("x", rotation=60)
    names = [f"{picture.channel} / {picture.identifier}" for picture in reversed(found.top)]
    below.barh(names, [picture.count for picture in reversed(found.top)])
    below.set(title="Top pictures", xlabel="matches")
    figure.savefig(target)
    pyplot.close(figure)
