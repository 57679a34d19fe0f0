"""Compiling the kernels with Numba, and where their machine code is kept.

Each kernel is compiled when it is first called and kept on disk, since compiling all of them takes many seconds. It is
looked for, and then kept, in the first of these places that has it, or takes it:

1. the folder of the variable NUMBA_CACHE_DIR, where it is set;
2. `__pycache__` beside the kernel's own module, also where that may only be read, as in a container's image;
3. a folder of this user among the system's temporary files.

Where none takes it the kernel works all the same, and the log says once that it is compiled anew in each process. The
data folder is not among them: machine code is run as it is found, and a data folder may come from somebody else.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator, _Cache

from engine.own_folder import own_folder

_log = logging.getLogger(__name__)
_told: set[str] = set()
"""What the log was told already: once a process is enough, though there are a dozen kernels."""


def kernel(*, fastmath: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compiles a function when it is called, without the GIL, and keeps it on disk.

    fastmath: sums may be taken in another order, and no value is NaN or infinite."""

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher: Any = numba.njit(nogil=True, fastmath=fastmath)(function)
        # Not `cache=True`: that looks for its folder at the import, and ends it where there is none to write to.
        dispatcher._cache = _Kept(function)
        return dispatcher

    return compiled


def part_of_kernels(function: Callable[..., Any]) -> Any:
    """Compiles a function into each kernel that calls it; on disk it is a part of these."""
    return numba.njit(nogil=True)(function)


class _Kept(_Cache):
    """The places of one kernel, looked at when it is first called: an import opens none."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._found: list[Any] | None = None

    @property
    def cache_path(self) -> str | None:
        """The first of the places, for Numba's own report."""
        return next((cache.cache_path for cache in self._places()), None)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        for cache in self._places():
            try:
                found = cache.load_overload(sig, target_context)
            except Exception as error:  # a file cut short or of another Numba may raise anything; it is made anew
                _tell("a kept kernel cannot be read and is compiled anew", cache.cache_path, error)
                with contextlib.suppress(OSError):
                    cache.flush()  # else it could not be replaced: saving begins by reading what there is
                continue
            if found is not None:
                return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        last: Exception | None = None
        for cache in self._places():
            try:
                cache.save_overload(sig, data)
            except Exception as error:  # a full disk, a folder that may only be read, or a damaged file to be replaced
                last = error
                continue
            return
        _tell(
            "no folder takes the compiled kernels: each process compiles them anew, which takes seconds; "
            "NUMBA_CACHE_DIR may name one",
            None,
            last,
        )

    def enable(self) -> None:
        """There is always a cache."""

    def disable(self) -> None:
        self._found = []

    def flush(self) -> None:
        for cache in self._places():
            cache.flush()

    def _places(self) -> list[Any]:
        if self._found is None:
            self._found = [_Files(self._function, place) for place in _places(self._function)]
        return self._found


def _tell(what: str, where: str | None, error: Exception | None) -> None:
    if what not in _told:
        _told.add(what)
        _log.warning("%s%s%s", what, f" ({where})" if where else "", f": {error}" if error else "")


class _Files(FunctionCache):
    """Numba's own files of one kernel, in a place of our choice."""

    def __init__(self, function: Callable[..., Any], place: _Place) -> None:
        self._impl_class: Any = lambda _: _At(function, place)
        super().__init__(function)  # type: ignore[no-untyped-call]


class _At(CompileResultCacheImpl):
    """Takes the place that it is given; Numba's takes the first that it can write to."""

    def __init__(self, function: Callable[..., Any], place: _Place) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = place
        module = Path(function.__code__.co_filename).stem
        self._filename_base: str = self.get_filename_base(f"{module}.{function.__qualname__}", "")  # type: ignore[no-untyped-call]


class _Place(InTreeCacheLocator):
    """Beside the kernel's module, or in a folder for many modules."""

    def __init__(self, function: Callable[..., Any], folder: str | None, parts: str) -> None:
        file = function.__code__.co_filename
        super().__init__(function, file)  # type: ignore[no-untyped-call]
        self._parts = parts
        if folder is not None:
            self._cache_path: str = str(Path(folder) / self.get_suitable_cache_subpath(file))  # type: ignore[no-untyped-call]

    def get_source_stamp(self) -> Any:
        """Numba looks at the kernel's own file alone: a layout or a number that changed elsewhere went unnoticed."""
        return super().get_source_stamp(), self._parts  # type: ignore[no-untyped-call]


def _places(function: Callable[..., Any]) -> Iterator[_Place]:
    """In the order in which they are tried."""
    if not Path(function.__code__.co_filename).is_file():
        return  # a module in an archive, or typed in: whether it has changed since cannot be told
    parts = _digest(function).hexdigest()
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield _Place(function, chosen, parts)
    yield _Place(function, None, parts)
    if (own := own_folder("kernels")) is not None:
        yield _Place(function, str(own), parts)


def _digest(function: Any) -> Any:
    """Of what is compiled in from elsewhere: the functions that a kernel calls, and the numbers that it names."""
    digest = hashlib.sha256()
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        inner = getattr(value, "py_func", None) or getattr(value, "_defn", None)
        if inner is not None:
            content = b"".join(
                code.co_code + repr([c for c in code.co_consts if not isinstance(c, types.CodeType)]).encode()
                for code in _codes(inner.__code__)
            )
            digest.update(content + _digest(inner).digest())
        elif isinstance(value, np.ndarray):
            digest.update(f"{name}{value.dtype}{value.shape}".encode() + value.tobytes())
        elif isinstance(value, int | float | np.generic | tuple):
            digest.update(f"{name}={value!r}".encode())
    return digest


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
