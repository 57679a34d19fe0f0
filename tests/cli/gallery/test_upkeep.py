"""`obverse backup`, `restore`, `reindex`."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.demo.posters import poster
from cli.options import engine_settings
from engine.catalogue import Catalogue, StoredFeatures
from engine.errors import UNFINISHED, DamagedData, ModelMismatch
from engine.image import encode_jpeg
from engine.index.folder_lock import FolderLock
from engine.recognizer import Recognizer
from engine.upkeep.backup import backup, restore
from engine.upkeep.reindex import reindex
from tests.support.commands import photograph, run, write


def answer(data: Path, photo: Path) -> str | None:
    """The identifier that a photo gets."""
    found = run("find", photo, "--data", data, "--json").json[0]["answer"]
    return found["identifier"] if found else None


class TestBackup:
    def test_round_trip(self, gallery: Path, tmp_path: Path) -> None:
        """A restored gallery answers as the first did, holds its keys, and its indexes are built anew."""
        archive, restored = tmp_path / "kept.tar.gz", tmp_path / "restored"
        done = run("backup", archive, "--data", gallery, "--json")
        assert done.status == 0, done.err
        assert list(done.json["files"]) == ["catalogue.db"]
        assert archive.stat().st_mode & 0o077 == 0, "keys may be in it"
        assert run("restore", archive, "--data", restored).status == 0
        assert answer(restored, photograph(tmp_path / "p.jpg", 4)) == "one.4"
        again = run("restore", archive, "--data", restored)
        assert again.status == 1
        assert "--force" in again.err
        assert run("restore", archive, "--data", restored, "--force").status == 0
        assert len(run("list", "--data", restored, "--json").json) == 6

    def test_keys_and_statistics(self, gallery: Path, tmp_path: Path) -> None:
        """Both travel; statistics that a running server holds are left out, and told."""
        first = tmp_path / "first"
        backup(gallery, tmp_path / "a.tar.gz")
        restore(tmp_path / "a.tar.gz", first)
        (first / "secrets.key").write_bytes(b"key")
        (first / "events.duckdb").write_bytes(b"counts")
        done = backup(first, tmp_path / "b.tar.gz")
        assert (sorted(done.files), done.left_out) == (["catalogue.db", "events.duckdb", "secrets.key"], ())
        restore(tmp_path / "b.tar.gz", tmp_path / "second")
        assert (tmp_path / "second" / "secrets.key").read_bytes() == b"key"
        assert (tmp_path / "second" / "secrets.key").stat().st_mode & 0o077 == 0
        assert (tmp_path / "second" / "events.duckdb").read_bytes() == b"counts"
        lock = FolderLock(first)
        try:
            held = run("backup", tmp_path / "c.tar.gz", "--data", first, "--json")
        finally:
            lock.release()
        assert (held.status, held.json["left_out"]) == (0, ["events.duckdb"])
        assert "a server holds the data folder" in held.err

    @pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty"])
    def test_damaged_archives_change_nothing(self, gallery: Path, tmp_path: Path, damage: str) -> None:
        archive, data = tmp_path / "kept.tar.gz", tmp_path / "data"
        backup(gallery, archive)
        restore(archive, data)
        whole = archive.read_bytes()
        middle = len(whole) // 2
        content = {
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "text": b"no archive at all",
            "empty": b"",
        }[damage]
        archive.write_bytes(content)
        before = (data / "catalogue.db").read_bytes()
        with pytest.raises(DamagedData):
            restore(archive, data, force=True)
        assert (data / "catalogue.db").read_bytes() == before
        done = run("restore", archive, "--data", tmp_path / "new")
        assert (done.status, done.err.count("\n")) == (1, 1)
        assert run("restore", tmp_path / "gone.tar.gz", "--data", tmp_path / "new").status == 2

    @pytest.mark.parametrize("name", ["../escaped.key", "/tmp/escaped.key", "catalogue.db"])
    def test_hostile_archives(self, tmp_path: Path, name: str) -> None:
        """Nothing is written outside the folder, no link is followed."""
        archive = tmp_path / "hostile.tar.gz"
        with tarfile.open(archive, "w:gz") as packed:
            manifest = f'{{"format": 1, "files": {{"{name}": {{"bytes": 1, "sha256": ""}}}}}}'.encode()
            info = tarfile.TarInfo("manifest.json")
            info.size = len(manifest)
            packed.addfile(info, io.BytesIO(manifest))
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
            packed.addfile(link)
        with pytest.raises(DamagedData):
            restore(archive, tmp_path / "data")
        assert [p.name for p in (tmp_path / "data").iterdir()] == ["lock"]
        assert not (tmp_path / "escaped.key").exists()


class TestReindex:
    @pytest.fixture
    def copied(self, gallery: Path, tmp_path: Path) -> Path:
        backup(gallery, tmp_path / "kept.tar.gz")
        restore(tmp_path / "kept.tar.gz", tmp_path / "data")
        return tmp_path / "data"

    def test_after_another_model(self, copied: Path, tmp_path: Path) -> None:
        """A gallery of another model is refused until `reindex` has described its pictures anew."""
        catalogue = Catalogue(copied)
        stored = StoredFeatures(keypoints=b"", vector=bytes(8))
        for picture in catalogue.all_pictures():
            catalogue.replace_features(picture.id, stored, level=1, keypoints=0)
        catalogue.write_meta("fingerprint", "another-model")
        catalogue.close()
        photo = photograph(tmp_path / "p.jpg", 5)
        refused = run("find", photo, "--data", copied)
        assert refused.status == 1
        assert "obverse reindex" in refused.err
        done = run("reindex", "--data", copied, "--json")
        assert (done.status, done.json) == (0, {"reindexed": 6, "unusable": {}})
        assert answer(copied, photo) == "one.5"

    def test_interrupted(self, copied: Path, tmp_path: Path) -> None:
        """An interrupted run leaves a gallery that is refused, and is begun anew."""

        class Interruption(Exception):
            pass

        def interrupt(done: int, _total: int) -> None:
            if done == 3:
                raise Interruption

        with pytest.raises(Interruption):
            reindex(copied, engine_settings(), tell=interrupt)
        with pytest.raises(ModelMismatch) as refused:
            Recognizer.open(copied)
        assert refused.value.stored == UNFINISHED
        assert reindex(copied, engine_settings()).done == 6
        assert answer(copied, photograph(tmp_path / "p.jpg", 0)) == "one.0"

    def test_a_server_must_be_stopped(self, copied: Path) -> None:
        lock = FolderLock(copied)
        try:
            done = run("reindex", "--data", copied)
        finally:
            lock.release()
        assert done.status == 1
        assert "another server" in done.err

    def test_from_the_source_folder(self, tmp_path: Path) -> None:
        """Pictures that were not kept come from their files; without these nothing is changed."""
        pictures, data = tmp_path / "pictures", tmp_path / "data"
        for number in (1, 2):
            write(pictures / f"pic.{number}.png", number)
        with Recognizer.open(data, engine_settings(keep_pictures=False)) as recognizer:
            recognizer.add_channel("c")
            for path in pictures.iterdir():
                recognizer.add("c", path.stem, path.read_bytes())
            fingerprint = recognizer.fingerprint
        missing = run("reindex", "--data", data)
        assert missing.status == 1
        assert "--source" in missing.err
        catalogue = Catalogue(data)
        assert catalogue.read_meta("fingerprint") == fingerprint
        catalogue.close()
        assert run("reindex", "--data", data, "--source", pictures, "--json").json["reindexed"] == 2
        assert answer(data, photograph(tmp_path / "p.jpg", 2)) == "pic.2"

    def test_kept_renditions_are_trimmed_once(self, tmp_path: Path) -> None:
        """A picture with margins wider than a third is as easily recognised after `reindex` as before."""
        page = np.full((2400, 2000, 3), 255, np.uint8)
        page[1000:1420, 850:1150] = cv2.resize(poster(3), (300, 420))
        with Recognizer.open(tmp_path / "data", engine_settings()) as recognizer:
            recognizer.add_channel("c")
            recognizer.add("c", "page", encode_jpeg(page))
        assert reindex(tmp_path / "data", engine_settings()).done == 1
        with Recognizer.open(tmp_path / "data", engine_settings()) as recognizer:
            found = recognizer.recognise(encode_jpeg(page), ["c"])
        assert found.answer is not None
