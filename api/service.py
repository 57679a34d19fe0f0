"""One data folder's parts, wired together: engine, accounts, counts, lanes and limits, and the rules on them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from api.accounts.apps import Apps
from api.accounts.databases import Databases
from api.accounts.poor_targets import PoorTargets
from api.accounts.store import Accounts
from api.accounts.vault import Vault
from api.edge.door import Door
from api.edge.fetch import Fetcher
from api.edge.limits import MemoryShare, RateLimiter
from api.edge.metrics import DoorNumbers, GallerySizes, Metrics
from api.rules.access import AccessRules
from api.rules.changes import ChangeRules
from api.rules.counts import CountRules
from api.rules.frames import Cameras
from api.rules.imports import ImportRules
from api.rules.misses import MissRules
from api.rules.pages import PageRules
from api.rules.pictures import PictureRules
from api.rules.recognition import RecognitionRules
from api.settings import Settings
from api.stats.numbers import CountNumbers
from api.stats.store import CountStore
from api.stats.writer import CountWriter
from engine.catalogue import Catalogue
from engine.errors import ObverseError
from engine.recognizer import Recognizer

logger = logging.getLogger(__name__)


class Readiness:
    """Whether requests can be answered, and how the server came to its end. `ready`, `stuck` and `unsaved` are for
    reading."""

    def __init__(self) -> None:
        self.ready = False
        self.stuck = False
        self.unsaved = False
        self._stopping = False

    def warmed_up(self) -> None:
        """Requests can be answered, unless the server is stopping already."""
        self.ready = not self._stopping

    def stopping(self) -> None:
        """No more requests can be answered."""
        self.ready, self._stopping = False, True

    def hung(self) -> None:
        """Calls were still running when the server had waited for them long enough."""
        self.stuck = True

    def not_saved(self) -> None:
        """Something could not be saved at the end. What was acknowledged is durable all the same."""
        self.unsaved = True


def _counts(catalogue: Catalogue) -> CountStore:
    """Where nothing may be written nothing is counted, and recognition goes on."""
    if catalogue.read_only:
        logger.warning("the data folder is only read: matches are not counted")
    return CountStore(catalogue.folder, read_only=catalogue.read_only, setting_aside=True)


class Service:
    """One data folder's service. Safe for use by many threads; coroutines belong to the server's event loop."""

    def __init__(self, settings: Settings, recognizer: Recognizer, *, token: str = "") -> None:
        self.settings, self.recognizer = settings, recognizer
        self.token = token or secrets.token_hex(32)
        self.readiness = Readiness()
        self.is_stopping: Callable[[], bool] = lambda: False
        """Whether the server was asked to stop: answers that go on for ever end then."""
        catalogue = recognizer.catalogue
        self.accounts = accounts = Accounts(catalogue.database)
        self.vault = Vault(catalogue.folder, read_only=catalogue.read_only)
        self.apps = Apps(catalogue.database, self.vault)
        self.databases = Databases(catalogue.database, self.vault)
        self.poor_targets = PoorTargets(catalogue.database)
        self.count_store = _counts(catalogue)
        self._writer = CountWriter(self.count_store, time_zone=settings.time_zone)
        self.door = Door(settings)
        self.memory = MemoryShare(settings.max_buffered_bytes)
        self.fetcher = Fetcher(settings, self.memory)
        self.metrics = Metrics()
        self.metrics.registry.register(GallerySizes(recognizer))
        self.metrics.registry.register(DoorNumbers(self.door))
        self.metrics.registry.register(CountNumbers(self.count_store))
        self.access = AccessRules(settings, catalogue, accounts, RateLimiter(settings.rate_limit_per_minute))
        self.pages = PageRules(catalogue, most_bytes=settings.max_page_bytes)
        self.changes = ChangeRules(catalogue, self.access)
        self.counts = CountRules(settings, catalogue, self.count_store, self._writer)
        cameras = Cameras(settings.frame_seconds)
        self.misses = MissRules(settings, catalogue, recognizer, self.door.long)
        self.recognition = RecognitionRules(
            recognizer, self.access, self.counts, self.door.long, self.metrics, cameras, self.misses
        )
        self.pictures = PictureRules(settings, recognizer, self.access, self.recognition, self.door.long)
        self.imports = ImportRules(settings, catalogue, accounts, self.pictures, self.fetcher)

    @property
    def catalogue(self) -> Catalogue:
        return self.recognizer.catalogue

    def close(self) -> None:
        """Commits and checkpoints everything, and closes it, whatever of it fails: the log says what, and `readiness`
        that. Nothing may be in flight any more."""
        self.fetcher.close()
        self.misses.close()
        for close in (self._writer.close, self.count_store.close, self.recognizer.close):
            try:
                close()
            except ObverseError as error:
                self.readiness.not_saved()
                logger.error("not all is saved; what was acknowledged is durable: %s", error)
