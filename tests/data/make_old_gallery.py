"""How `gallery-0.1.0.tar.gz` was made: by the code of 0.1.0 at commit 9523883, not by today's.

    mkdir OLD && git archive 9523883 | tar -x -C OLD
    cd OLD && PYTHONPATH=.:tests/engine python HERE/make_old_gallery.py HERE/gallery-0.1.0.tar.gz

It is kept to be read, and names modules that have moved since. The archive holds

- `data/`, a data folder: three channels with drawn posters, their saved indexes, a user with keys, an EasyAR app with
  its sealed secret, and counted answers;
- `keys.json`: the keys as `obverse user add` and `obverse app add` showed them once.

Segments are made of four pictures instead of 512, and a channel has a shard of its own from six pictures on instead of
5,001, so that twelve pictures show every kind of file. `tests/engine/test_old_gallery.py` says what is in it.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import sys
import tarfile
import tempfile
from pathlib import Path

from drawn import poster

from api.accounts.apps import Apps
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from api.stats.store import CountStore, Event
from engine import gallery
from engine.image import encode_jpeg
from engine.recognizer import Recognizer

gallery.TAIL = 4
gallery.OWN_SHARD = 5


def picture(seed: int) -> bytes:
    return encode_jpeg(poster(seed, width=240, height=320), quality=90)


def fill(folder: Path) -> dict[str, str]:
    """Users, channels and pictures; gives the keys."""
    with Recognizer.open(folder) as recognizer:
        catalogue = recognizer.catalogue
        accounts = Accounts(catalogue.database)
        keys = accounts.add_user("alice")
        owner = accounts.user("alice").id
        books = catalogue.add_channel("books", owner=owner, quota=50)
        recognizer.add_channel("cards")
        app = Apps(catalogue.database, Vault(folder)).add(catalogue.add_channel("targets", owner=owner))

        for seed in range(8):
            recognizer.add("books", f"book.{seed}", picture(seed), metadata=f'{{"title": "Buch № {seed}"}}')
        recognizer.gallery.wait_for_builds()
        recognizer.update("books", "book.5", active=False)
        recognizer.update("books", "book.4", threshold=100.0)
        recognizer.remove("books", "book.6")
        for seed in range(8, 10):
            recognizer.add("cards", f"card.{seed}", picture(seed), threshold=30.0)
        recognizer.replace("cards", "card.9", picture(20), metadata="replaced")
        recognizer.update("cards", "card.8", identifier="card.renamed")
        facts = {"easyar": {"name": "poster 10", "size": "20", "type": "ImageTarget"}}
        recognizer.add("targets", "target.10", picture(10), facts=facts, uuid="0b7e55e0-0000-4000-8000-000000000010")
        recognizer.add("cards", "card.12", picture(12))
        recognizer.gallery.wait_for_builds()
        recognizer.add("targets", "target.11", picture(11))
        recognizer.add("books", "book.13", picture(13))
        assert books.id in recognizer.gallery.shards
        print(recognizer.info())
    # What another process does is in the log behind the saved indexes: only the holder saves.
    with Recognizer.open(folder, hold=False) as beside:
        beside.add("cards", "card.14", picture(14))
        beside.update("books", "book.7", active=False)
        beside.remove("cards", "card.12")
        print(beside.info())
    return {
        "username": keys.full.username,
        "secretkey": keys.full.secretkey,
        "readonly_username": keys.readonly.username,
        "readonly_secretkey": keys.readonly.secretkey,
        "app_id": app.app_id,
        "api_key": app.api_key,
        "api_secret": app.api_secret,
    }


def count(folder: Path) -> None:
    """Three answers of one day, rolled up, and two of the next, not yet."""
    store = CountStore(folder)
    for day, identifiers in ((1, ("book.0", "book.0", "book.6")), (2, ("book.0", "book.1"))):
        at = dt.datetime(2026, 1, day, 12)
        store.append([Event(at=at, day=at.date(), user_id=1, channel="books", identifier=each) for each in identifiers])
        if day == 1:
            store.roll_up()
    store.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        keys = fill(folder)
        count(folder)
        database = sqlite3.connect(folder / "catalogue.db")
        database.execute("VACUUM")
        database.close()
        (Path(temporary) / "keys.json").write_text(json.dumps(keys, indent=1) + "\n")
        with tarfile.open(sys.argv[1], "w:gz", compresslevel=9) as archive:
            for path in (Path(temporary) / "keys.json", *sorted(folder.rglob("*"))):
                if path.is_file() and path.name != "lock":
                    archive.add(path, path.relative_to(temporary), filter=anonymous)


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names and times of whoever made it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


if __name__ == "__main__":
    main()
