"""Archives of pictures: what is read of tars and zips, whatever is inside, and what is written of a channel."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import IdentifierTaken, ImageTooLarge, InvalidValue
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from engine.upkeep import archives
from engine.upkeep.archives import Archive, Entry, add_entry, exported, read_list
from tests.support.drawn import poster

LINE = {"file": "b.jpg", "identifier": "cover.2", "metadata": "ä\n", "matchratio": 61.5, "active": False}


def tar(files: Mapping[str, bytes], *, form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as made:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes], *, way: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", way) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return buffer.getvalue()


def archive(tmp_path: Path, data: bytes) -> Archive:
    path = tmp_path / "archive"
    path.write_bytes(data)
    return Archive(path)


FILES = {
    "scans/a.jpg": b"first",
    "b.jpg": b"second",
    ".hidden": b"",
    "__MACOSX/a.jpg": b"",
    "manifest.jsonl": json.dumps(LINE).encode(),
    "long/" + "n" * 200 + ".jpg": b"third",
}


class TestReading:
    @pytest.mark.parametrize("kind", ["gnu", "pax", "ustar", "zip", "stored"])
    def test_files_and_lists(self, tmp_path: Path, kind: str) -> None:
        """Names, contents, and what a list tells of one of them; hidden files and a Mac's own are none."""
        files = {name: data for name, data in FILES.items() if kind != "ustar" or len(name) < 100}
        forms = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT, "ustar": tarfile.USTAR_FORMAT}
        way = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
        data = tar(files, form=forms[kind]) if kind in forms else zipped(files, way=way)
        with archive(tmp_path, data) as found:
            by_name = {entry.name: entry for entry in found.entries}
            assert set(by_name) == {name for name in files if name.endswith(".jpg") and "MACOSX" not in name}
            assert found.read("scans/a.jpg", limit=100) == b"first"
            assert by_name["scans/a.jpg"] == Entry(name="scans/a.jpg", identifier="a__")
            assert by_name["b.jpg"] == Entry(
                name="b.jpg", identifier="cover.2", metadata="ä\n", threshold=61.5, active=False
            )
            with pytest.raises(ImageTooLarge):
                found.read("b.jpg", limit=5)
            if kind != "ustar":
                long = next(entry for name, entry in by_name.items() if name.startswith("long"))
                assert found.read(long.name, limit=100) == b"third"
                assert len(long.identifier) == 50

    def test_lists_that_are_wrong(self, tmp_path: Path) -> None:
        """Each line by itself; a file that is not there is told."""
        lines = [
            b"no JSON",
            b"[" * 100_000,
            b'{"identifier": "abc"}',
            *(json.dumps({"file": "a.jpg", key: value}).encode() for key, value in (("metadata", 5), ("active", 1))),
            *(
                json.dumps({"file": "a.jpg", key: value}).encode()
                for key, value in (("matchratio", "x"), ("uuid", "x"))
            ),
            json.dumps({"file": "none.jpg"}).encode(),
            b"",
            json.dumps({"file": "a.jpg", "identifier": "right"}).encode(),
        ]
        with archive(tmp_path, tar({"a.jpg": b"a", "manifest-2.jsonl": b"\n".join(lines)})) as found:
            right = [entry for entry in found.entries if not entry.wrong]
            assert [(entry.name, entry.identifier) for entry in right] == [("a.jpg", "right")]
            assert len(found.entries) == 1 + 7 + 1
            assert "the archive holds no such file" in {entry.wrong for entry in found.entries}

    def test_addresses(self) -> None:
        lines = [b'{"url": "https://a.example/x/cover.jpg?size=1"}', b'{"file": "a.jpg"}']
        first, second = read_list(lines, key="url")
        assert (first.identifier, first.wrong) == ("cover", "")
        assert second.wrong


class TestHostile:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"text" * 300,
            b"\x1f\x8b" + bytes(1_000),
            b"PK\x03\x04" + bytes(100),
            b"PK\x05\x06" + b"\xff" * 18,
            zipped(FILES)[:-30],
            tar(FILES)[:700],
        ],
    )
    def test_no_archives(self, tmp_path: Path, data: bytes) -> None:
        if not data:
            with archive(tmp_path, data) as found:
                assert found.entries == []
            return
        with pytest.raises(InvalidValue):
            archive(tmp_path, data)

    def test_ways_of_packing(self, tmp_path: Path) -> None:
        """Only those that are unpacked piece by piece: of the others 400 bytes may unfold to 400 MB at once."""
        for way in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            made = zipped({"a.jpg": bytes(10_000)}, way=way)
            with archive(tmp_path, made) as found, pytest.raises(InvalidValue, match="deflate"):
                found.read("a.jpg", limit=10**6)
            with pytest.raises(InvalidValue):
                archive(tmp_path, zipped({"manifest.jsonl": b"{}"}, way=way))

    def test_two_directories(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a zip tells its directory's size twice, the one counts that Python reads."""
        made = zipped({f"{n}.jpg": b"a" for n in range(40)})
        end = made.rindex(b"PK\x05\x06")
        count, size, at = struct.unpack_from("<HII", made, end + 10)
        large = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, at)
        locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
        small = bytearray(made[end:])
        struct.pack_into("<HHI", small, 8, 1, 1, 50)
        monkeypatch.setattr(archives, "_DIRECTORY_BYTES", 1_000)
        with pytest.raises(InvalidValue, match="directory"):
            archive(tmp_path, made[:end] + large + locator + bytes(small))

    def test_names_that_are_no_text(self, tmp_path: Path) -> None:
        """Of another encoding, or half a letter: told in letters that can be written, and the others are read."""
        latin = tar({"caf_.jpg": b"a", "b.jpg": b"b"}).replace(b"caf_.jpg", b"caf\xe9.jpg")
        latin = latin[:148] + b"%06o\0 " % sum(latin[:148] + b" " * 8 + latin[156:512]) + latin[156:]
        with archive(tmp_path, latin) as found:
            assert [entry.name for entry in found.entries] == ["caf\\xe9.jpg", "b.jpg"]
            assert found.read("caf\\xe9.jpg", limit=10) == b"a"
        lines = [b'{"file": "\\ud800"}', b'{"file": "a", "metadata": "\\ud800"}']
        lines.append(b'{"file": "a", "matchratio": 1' + b"0" * 400 + b"}")
        assert all(entry.wrong for entry in read_list(lines, key="file"))
        assert len(list(read_list(lines, key="file"))) == 3

    def test_headers_that_claim(self, tmp_path: Path) -> None:
        """A name of gigabytes, a file longer than the archive, a zip's directory of gigabytes."""
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 3_000_000
        with pytest.raises(InvalidValue, match="names"):
            archive(tmp_path, info.tobuf() + bytes(3_001_344))
        info = tarfile.TarInfo("a.jpg")
        info.size = 2**40
        with pytest.raises(InvalidValue, match="whole"):
            archive(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(1_024))
        made = bytearray(zipped({"a.jpg": b"a"}))
        at = made.rindex(b"PK\x05\x06") + 12
        made[at : at + 4] = (900_000_000).to_bytes(4, "little")
        with pytest.raises(InvalidValue, match="directory"):
            archive(tmp_path, bytes(made))

    def test_bombs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What unfolds to more than is asked for is not unfolded, also where it lies about it."""
        bomb = bytearray(zipped({"a.jpg": bytes(50_000_000)}))
        with archive(tmp_path, bytes(bomb)) as found, pytest.raises(ImageTooLarge):
            found.read("a.jpg", limit=1_000_000)
        for at in (22, bomb.rindex(b"PK\x01\x02") + 24):
            bomb[at : at + 4] = (100).to_bytes(4, "little")
        with archive(tmp_path, bytes(bomb)) as found, contextlib.suppress(ImageTooLarge, InvalidValue):
            assert len(found.read("a.jpg", limit=1_000_000)) <= 1_000_000
        monkeypatch.setattr(archives, "MOST_ENTRIES", 3)
        for data in (tar(FILES), zipped(FILES)):
            with pytest.raises(InvalidValue, match="at most 3"):
                archive(tmp_path, data)
        monkeypatch.setattr(archives, "LIST_BYTES", 10)
        with pytest.raises(InvalidValue, match="lists"):
            archive(tmp_path, tar({"manifest.jsonl": bytes(11)}))

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(drawn=st.data())
    def test_any_damage(self, tmp_path: Path, drawn: st.DataObject) -> None:
        """Bytes changed anywhere: files, or InvalidValue, nothing else."""
        data = bytearray(drawn.draw(st.sampled_from([tar(FILES), zipped(FILES), tar(FILES, form=tarfile.PAX_FORMAT)])))
        for _ in range(drawn.draw(st.integers(1, 6))):
            data[drawn.draw(st.integers(0, len(data) - 1))] = drawn.draw(st.integers(0, 255))
        try:
            with archive(tmp_path, bytes(data)) as found:
                for entry in found.entries:
                    if not entry.wrong:
                        with contextlib.suppress(InvalidValue, ImageTooLarge):
                            found.read(entry.name, limit=1_000)
        except InvalidValue:
            return


def entry(**told: Any) -> Entry:
    return Entry(**{"name": "a.jpg", "identifier": "cover.1", **told})


class TestAdding:
    def test_once(self, recognizer: Recognizer) -> None:
        """The same file again is there; another one under the name is refused; a UUID that is taken is drawn anew."""
        channel, image = recognizer.catalogue.channel("one"), encode_jpeg(poster(1))
        uuid = "6f1a3a52-6a0e-4f0e-9d62-5b0d2c1f7a11"
        made = add_entry(recognizer, channel, entry(metadata="m", threshold=70.0, active=False, uuid=uuid), image)
        assert made is not None
        assert (made.uuid, made.metadata, made.threshold, made.active) == (uuid, "m", 70.0, False)
        assert add_entry(recognizer, channel, entry(), image) is None
        with pytest.raises(IdentifierTaken):
            add_entry(recognizer, channel, entry(), encode_jpeg(poster(2)))
        other = add_entry(recognizer, channel, entry(identifier="cover.2", uuid=uuid), encode_jpeg(poster(2)))
        assert other is not None
        assert other.uuid != uuid


def test_long_metadata(recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list ends before it holds much, however few pictures it tells of."""
    monkeypatch.setattr(archives, "_PART_BYTES", 1_000)
    for seed in range(3):
        recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)), metadata="m" * 900)
    pieces = b"".join(exported(recognizer.catalogue, recognizer.catalogue.channel("one")))
    with tarfile.open(fileobj=io.BytesIO(pieces)) as read:
        lists = [info.name for info in read if info.name.startswith("manifest")]
    assert lists == [f"manifest-{number}.jsonl" for number in (1, 2, 3)]


def test_there_and_back(recognizer: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture with what is known of it, in an archive that other programs read; what was added of it is the
    same gallery."""
    monkeypatch.setattr(archives, "_PAGE", 2)
    monkeypatch.setattr(archives, "_PART", 2)
    for seed in range(5):
        recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)), metadata=f"ä{seed}", threshold=60.0 + seed)
    recognizer.add("one", ".hidden", encode_jpeg(poster(5)))
    recognizer.update("one", "poster.3", active=False)
    channel = recognizer.catalogue.channel("one")
    path = tmp_path / "one.tar"
    path.write_bytes(b"".join(exported(recognizer.catalogue, channel)))
    with tarfile.open(path) as read:
        assert {f"poster.{seed}.jpg" for seed in range(5)} <= set(read.getnames())
    other = recognizer.add_channel("other")
    with Archive(path) as found:
        assert len(found.entries) == 6
        for one in found.entries:
            assert add_entry(recognizer, other, one, found.read(one.name, limit=10**7)) is not None
    for before, after in zip(recognizer.list("one"), recognizer.list("other"), strict=True):
        assert (after.identifier, after.metadata, after.threshold, after.active) == (
            *(before.identifier, before.metadata, before.threshold),
            before.active,
        )
    empty = b"".join(exported(recognizer.catalogue, recognizer.add_channel("empty")))
    path.write_bytes(empty)
    with Archive(path) as found:
        assert found.entries == []
