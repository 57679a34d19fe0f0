"""Several writers at once."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading

from engine.catalogue import Catalogue
from tests.support.made_catalogue import add, identifiers, whole

WRITER = """
import sys
from pathlib import Path
from engine.catalogue import Catalogue, StoredFeatures
from engine.errors import IdentifierTaken
catalogue = Catalogue(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
won = 0
for n in range(60):
    features = StoredFeatures(keypoints=b"k" * 6400, vector=b"v" * 512, jpeg=b"j" * 20000)
    for name in (f"{sys.argv[2]}.{n}", f"both.{n}"):
        try:
            catalogue.add_picture("one", name, features, level=1, size=(1, 1), keypoints=400)
            won += name.startswith("both")
        except IdentifierTaken:
            pass
print(won, flush=True)
catalogue.close()
"""


class TestSeveralWriters:
    def test_two_processes(self, catalogue: Catalogue) -> None:
        """Two processes that write at once lose nothing, and a name goes to one of them."""
        command = [sys.executable, "-c", WRITER, str(catalogue.folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with contextlib.ExitStack() as stack:
            writers = [stack.enter_context(subprocess.Popen([*command, name], **pipes)) for name in "ab"]
            assert [w.stdout.readline() for w in writers] == ["ready\n"] * 2
            for writer in writers:
                writer.stdin.write("go\n")
                writer.stdin.flush()
            won = [int(w.stdout.readline()) for w in writers]
        assert [w.returncode for w in writers] == [0, 0]
        assert sum(won) == 60
        assert catalogue.count("one") == 180
        changes = catalogue.changes(after=0)
        assert [c.seq for c in changes] == list(range(1, 181))
        assert [c.picture_id for c in changes] == sorted({c.picture_id for c in changes})
        assert whole(catalogue.folder)

    def test_many_threads(self, catalogue: Catalogue) -> None:
        """Eight threads of one process likewise."""
        threads = [
            threading.Thread(target=lambda k=k: [add(catalogue, f"p.{k}.{n}") for n in range(10)]) for k in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert catalogue.count("one") == 80
        assert len(catalogue.changes(after=0)) == 80

    def test_a_reader_sees_one_state(self, catalogue: Catalogue) -> None:
        """A second catalogue on the folder sees what the first committed."""
        other = Catalogue(catalogue.folder)
        made = add(catalogue, "abc")
        assert other.picture("one", "abc") == made
        other.remove_picture("one", "abc")
        assert identifiers(catalogue) == []
        other.close()
