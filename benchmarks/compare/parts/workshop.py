"""What methods share while they are compared: described images on disk, built lists, Obverse's gallery."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.compare.material import ComparedPhoto, ComparedPicture, Material, read_small
from benchmarks.compare.methods import Method, Verifier
from benchmarks.compare.parts.engine_lists import EngineGallery, GlobalList, VotesList
from benchmarks.compare.parts.feature_store import Arrays, ArrayStore
from benchmarks.compare.parts.local_features import Classical, Patches
from benchmarks.compare.parts.shortlists import ENGINE_LISTS, Shortlist, make_shortlist
from benchmarks.compare.parts.threads import library_threads
from engine.describe.patch_model import PatchModel
from engine.values import Array, ColorImage, FloatArray


class Describer(Protocol):
    """What describes images for a list or a verifier, with `kind` and `describe` as `Shortlist` has them."""

    kind: str

    def describe(self, image: ColorImage, *, photo: bool) -> Arrays: ...


class Searchable(Protocol):
    """What every list can do once it is built."""

    def search(self, photo: Arrays, k: int) -> tuple[Array, FloatArray]: ...

    def bytes_per_picture(self) -> float: ...


class Workshop:
    """The parts of the methods for one material, each made when it is first asked for. Close it.

    While it is open the libraries' own pools of threads (OpenCV's, BLAS's, FAISS's) have `threads` threads, so that
    what is timed here had no more of them; closing it gives back what they had before. Obverse's engine has as many
    threads of its own, and holds the pools still while one of its calls works.
    """

    def __init__(
        self, folder: Path, material: Material, *, threads: int = 1, gallery_folder: Path | None = None
    ) -> None:
        """folder: where described images are kept from run to run; gallery_folder: where Obverse's gallery is kept,
        None: beside them."""
        self._limits = contextlib.ExitStack()
        self._limits.enter_context(library_threads(threads))
        self._gallery_folder = gallery_folder or folder
        self.folder, self.material, self.threads = folder, material, threads
        self._stores: dict[str, ArrayStore] = {}
        self._describers: dict[str, Describer] = {}
        self._lists: dict[str, Searchable] = {}
        self._shortlists: dict[str, Shortlist] = {}
        self._gallery: EngineGallery | None = None
        self.build_seconds: dict[str, float] = {}
        """Seconds that it took to build each list of `built`, without the description of its pictures."""

    def close(self) -> None:
        """Closes what was opened, and gives the threads back."""
        for store in self._stores.values():
            store.close()
        if self._gallery is not None:
            self._gallery.close()
        self._limits.close()

    # Obverse's gallery

    def gallery(self, tell: Callable[[], None] = lambda: None) -> EngineGallery:
        """The gallery of all pictures, filled if need be. tell: called after each picture that was added or found."""
        if self._gallery is None:
            self._gallery = EngineGallery(self._gallery_folder, self.material.pictures, threads=self.threads, tell=tell)
        return self._gallery

    # Described images

    def describer(self, name: str) -> Describer:
        """What describes images by local features ("orb", "sift", "akaze", "patches") or for the list of that name."""
        if name not in self._describers:
            if name == "patches":
                self._describers[name] = Patches(PatchModel())
            elif name in ("orb", "sift", "akaze"):
                self._describers[name] = Classical(name)
            else:
                self._describers[name] = self.shortlist(name)
        return self._describers[name]

    def shortlist(self, name: str) -> Shortlist:
        """The list of that name as it is, without pictures until it is built."""
        if name not in self._shortlists:
            self._shortlists[name] = make_shortlist(name)
        return self._shortlists[name]

    def store(self, kind: str) -> ArrayStore:
        """What is kept of images under a describer's `kind`, and under "decoded" how long they took to decode."""
        if kind not in self._stores:
            self._stores[kind] = ArrayStore(self.folder / "features", kind)
        return self._stores[kind]

    def missing(self, names: Iterable[str], image: ComparedPhoto | ComparedPicture) -> list[str]:
        """Describers whose features of an image are not kept yet."""
        key, kinds = _key(image), dict.fromkeys(names)
        found = {self.describer(n).kind: n for n in kinds if key not in self.store(self.describer(n).kind)}
        return list(found.values())

    def describe(self, names: Iterable[str], image: ComparedPhoto | ComparedPicture) -> None:
        """Keeps what the describers give of an image, with the milliseconds; decodes the image once for all."""
        names = self.missing(names, image)
        if not names:
            return
        key, photo = _key(image), isinstance(image, ComparedPhoto)
        started = time.perf_counter()
        pixels, _ = read_small(image.path)
        if key not in self.store("decoded"):
            self.store("decoded").put(key, {}, 1e3 * (time.perf_counter() - started))
        for name in names:
            describer = self.describer(name)
            started = time.perf_counter()
            arrays = describer.describe(pixels, photo=photo)
            self.store(describer.kind).put(key, arrays, 1e3 * (time.perf_counter() - started))

    def arrays(self, name: str, image: ComparedPhoto | ComparedPicture) -> Arrays:
        """What one describer gives of an image, which is described now if need be."""
        self.describe([name], image)
        return self.store(self.describer(name).kind).get(_key(image))

    def ms(self, names: Iterable[str], image: ComparedPhoto | ComparedPicture) -> tuple[float, float]:
        """Milliseconds that an image took to decode, and to be described in these ways."""
        key = _key(image)
        kinds = {self.describer(n).kind for n in names}
        return self.store("decoded").ms(key), sum(self.store(kind).ms(key) for kind in kinds)

    def bytes(self, name: str, images: Sequence[ComparedPicture]) -> float:
        """Mean bytes that the described pictures take."""
        store = self.store(self.describer(name).kind)
        return sum(store.bytes(_key(i)) for i in images) / max(len(images), 1)

    # Lists

    def built(self, name: str) -> Searchable:
        """The list of that name, filled with all pictures."""
        if name not in self._lists:
            self._lists[name] = self._build(name)
        return self._lists[name]

    def _build(self, name: str) -> Searchable:
        if name in ENGINE_LISTS:
            gallery = self.gallery()
            return VotesList(gallery) if name == "votes" else GlobalList(gallery)
        pictures = [self.arrays(name, p) for p in self.material.pictures]
        started = time.perf_counter()
        found = self.shortlist(name)
        found.build(pictures)
        self.build_seconds[name] = time.perf_counter() - started
        return found


def photo_features(method: Method) -> list[str]:
    """Describers that a method needs of a photo."""
    if method.verifier == "obverse":
        return ["patches"]
    engine = any(s in ENGINE_LISTS for s in method.shortlists) or method.ranking == "geometry"
    lists = [s for s in method.shortlists if s not in ENGINE_LISTS]
    return list(dict.fromkeys([*lists, *(["patches"] if engine else []), *verifier_features(method)]))


def picture_features(method: Method) -> list[str]:
    """Describers that a method needs of a picture, besides what Obverse's gallery keeps."""
    lists = [s for s in method.shortlists if s not in ENGINE_LISTS]
    return list(dict.fromkeys([*lists, *verifier_features(method)]))


def verifier_features(method: Method) -> list[str]:
    """Describers whose features a method's verifier matches; none for pairs of words and for a learned matcher."""
    if not isinstance(method.verifier, Verifier) or method.verifier.features in ("words", "matcher"):
        return []
    return [method.verifier.features]


def needs_gallery(method: Method) -> bool:
    """Whether Obverse's own gallery has to be filled."""
    return any(s in ENGINE_LISTS for s in method.shortlists) or method.ranking == "geometry"


def _key(image: ComparedPhoto | ComparedPicture) -> str:
    return f"{image.sha}-{'photo' if isinstance(image, ComparedPhoto) else 'picture'}"
