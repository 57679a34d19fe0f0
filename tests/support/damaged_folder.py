"""A process that opens data folders as the server does, whatever has become of them; see tests/support/damage.py."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
from pathlib import Path
from typing import Any

from api.accounts.store import Accounts
from api.errors import ServiceError
from api.service import Service
from api.settings import Settings
from api.stats import numbers
from api.stats.store import Question
from engine.errors import ObverseError
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.threads import one_thread_each
from tests.support.damage import serve
from tests.support.damaged_index import Messages
from tests.support.drawn_pictures import photo_of

SEEDS = (1, 2, 3)
CHANNEL = "books"
QUICK = EngineSettings(second_look=False, exhaustive_up_to=0)


def look(folder: Path) -> dict[str, Any]:
    """refused: the sentence with which it is not opened; else what it answers, and what it says."""
    messages = Messages()
    with messages.heard():
        try:
            answers = asyncio.run(_answers(folder))
        except ObverseError as error:
            return {"refused": str(error), "said": messages.said}
    return {**answers, "said": messages.said}


async def _answers(folder: Path) -> dict[str, Any]:
    keys = json.loads((folder.parent / "keys.json").read_text())
    recognizer = Recognizer.open(folder, QUICK)
    with contextlib.ExitStack() as closing:
        closing.callback(recognizer.close)
        service = Service(Settings(engine_workers=1), recognizer)
        closing.pop_all()
        closing.callback(service.close)
        user, _ = Accounts(service.catalogue.database).verify(keys["username"], keys["secretkey"])
        app = service.apps.by_app_id(keys["app_id"])
        found = []
        for seed in SEEDS:
            answer = recognizer.recognise(photo_of(seed), [CHANNEL]).answer
            found.append(None if answer is None else answer.picture.identifier)
        listed = [(p.identifier, p.metadata) for p in recognizer.list(CHANNEL)]
        asked = Question(first=dt.date.min, last=dt.date.max)
        counts = sum(count.count for count in service.count_store.by_day(asked, group="channel"))
        state = numbers.in_words(service.count_store.state())
        with contextlib.suppress(ServiceError):
            service.count_store.try_again()
        return {
            "user": user.name,
            "secret": None if app is None else app.api_secret == keys["api_secret"],
            "found": found,
            "listed": listed,
            "counts": counts,
            "ready": state,
        }


if __name__ == "__main__":
    with one_thread_each():
        logging.getLogger("alembic").setLevel(logging.ERROR)
        serve(look)
