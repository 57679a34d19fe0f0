"""Images fetched from addresses that clients name (`image_url`).

Whoever may name an address can make the server speak to what only the server can reach: its own ports, its network,
the metadata service of a cloud (OWASP, "Server-Side Request Forgery Prevention"). So each connection is made to an
address that was resolved and judged here, never resolved again, at every redirect anew; what a client is told is the
same whether such an address refuses, is silent, or is not allowed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpcore
import httpx

from api.edge.body import Form
from api.edge.limits import MemoryShare
from api.errors import BodyTooLarge, Busy, NotFetched
from api.settings import Settings

MOST_REDIRECTS = 5
MOST_AT_ONCE = 8
"""Images that are fetched at the same time: names are looked up by a thread each, which nothing can stop."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are the IPv4 address that a translator speaks to."""
_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is given to anybody (IANA, "IPv6 Global Unicast Address Assignments"): what lies outside is local, carries
another address, or is reserved."""
_OF_HTTPCORE = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)
"""What a connection fails with."""
_UNREACHABLE = "it leads to no public address that answers"
_log = logging.getLogger(__name__)


class _NotPublic(Exception):
    """A name leads to an address that is not everybody's."""


class Fetcher:
    """Belongs to the server's event loop."""

    def __init__(self, settings: Settings, memory: MemoryShare) -> None:
        self._settings, self._memory = settings, memory
        self._resolver = concurrent.futures.ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="resolve")
        self._at_once = 0
        self._tls: ssl.SSLContext | None = None

    @property
    def on(self) -> bool:
        """Whether the setting `image_url` allows it."""
        return self._settings.image_url

    def is_named(self, form: Form, field: str) -> bool:
        """Whether a form names an address, in FIELD_url, that may be fetched."""
        return self.on and form.text(f"{field}_url") is not None

    @contextlib.asynccontextmanager
    async def given(self, form: Form, field: str) -> AsyncIterator[bytes]:
        """A form's file, or what lies where it says. Raises what `image` does."""
        if field in form.files:
            yield form.files[field]
            return
        async with self.image(f"{field}_url", form.values[f"{field}_url"], client=form.client) as image:
            yield image

    @contextlib.asynccontextmanager
    async def image(self, field: str, url: str, *, client: str) -> AsyncIterator[bytes]:
        """The bytes behind an address; their memory is held until the block ends. field: that names it; client: whose
        share of memory they take.

        Raises NotFetched, BodyTooLarge, Busy. The log tells why.
        """
        retry = self._settings.retry_after_seconds
        if self._at_once >= MOST_AT_ONCE:
            raise Busy("too many images are being fetched", retry_after_seconds=retry)
        holding = self._memory.reserve(self._settings.max_image_bytes, address=client)
        if holding is None:
            raise Busy("too many bodies are held in memory", retry_after_seconds=retry)
        try:
            self._at_once += 1
            try:
                image = await self._fetched(field, url)
            finally:
                self._at_once -= 1
            self._memory.shrink(holding, len(image))
            yield image
        finally:
            self._memory.give_back(holding)

    async def _fetched(self, field: str, url: str) -> bytes:
        try:
            async with asyncio.timeout(self._settings.image_url_seconds):
                return await self._followed(field, url)
        except TimeoutError as error:
            _log.warning("%s was not fetched: too slow", field)
            raise NotFetched(field, f"no answer within {self._settings.image_url_seconds:g} s") from error
        except (_NotPublic, UnicodeError, OSError, *_OF_HTTPCORE) as error:
            _log.warning("%s was not fetched: %s", field, error or type(error).__name__)
            raise NotFetched(field, _UNREACHABLE) from error

    async def _followed(self, field: str, url: str) -> bytes:
        at = _checked(field, url)
        for _ in range(1 + MOST_REDIRECTS):
            async with self._pool() as pool, pool.stream("GET", str(at), headers=_headers(at)) as response:
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status in (301, 302, 303, 307, 308) and "location" in told:
                    at = _checked(field, told["location"], base=at)
                    continue
                if response.status != 200:
                    raise NotFetched(field, f"the answer is HTTP {response.status}")
                return await self._body(field, response, told.get("content-length", ""))
        raise NotFetched(field, f"it is redirected more than {MOST_REDIRECTS} times")

    async def _body(self, field: str, response: httpcore.Response, length: str) -> bytes:
        limit = self._settings.max_image_bytes
        if length.isdecimal() and (len(length) > 18 or int(length) > limit):
            raise BodyTooLarge(field, limit)
        kept = bytearray()
        async for chunk in response.aiter_stream():
            kept += chunk
            if len(kept) > limit:
                raise BodyTooLarge(field, limit)
        return bytes(kept)

    def _pool(self) -> httpcore.AsyncConnectionPool:
        """One for each address, so that no connection serves a name that was judged at another time. No proxy and no
        variable of the environment is asked."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        judged = _Judged(self._resolver, self._settings.image_url_hosts)
        return httpcore.AsyncConnectionPool(network_backend=judged, ssl_context=self._tls)

    def close(self) -> None:
        """Ends the threads; one that waits for a name ends by itself."""
        self._resolver.shutdown(wait=False, cancel_futures=True)


def _headers(url: httpx.URL) -> list[tuple[bytes, bytes]]:
    """identity: nothing is unpacked here, so that nothing small can become large."""
    return [(b"Host", url.netloc), (b"Accept", b"image/*"), (b"Accept-Encoding", b"identity")]


def _checked(field: str, url: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """Raises NotFetched for what is no address of a web server."""
    try:
        given = httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise NotFetched(field, "it is no address") from error
    if given.scheme not in ("http", "https") or not given.host or given.userinfo or (given.port or 0) > 65_535:
        raise NotFetched(field, "send http://HOST/PATH or https://HOST/PATH, without a user's name in it")
    return given.copy_with(fragment=None)


def is_public(address: str) -> bool:
    """Whether an IP address is everybody's: neither private, loopback, link-local, multicast nor reserved, nor one that
    carries such an address within."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        within = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if within is None and parsed in _NAT64:
            within = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if within is not None:
            return is_public(str(within))
        if parsed not in _UNICAST:
            return False
    return parsed.is_global and not parsed.is_multicast


class _Judged(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are public, or to hosts that the operator has named."""

    def __init__(self, resolver: concurrent.futures.Executor, hosts: Iterable[str]) -> None:
        self._resolver, self._hosts = resolver, {host.lower() for host in hosts}
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await asyncio.get_running_loop().run_in_executor(
            self._resolver, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        if host.lower() not in self._hosts:
            for address in addresses:
                if not is_public(address):
                    raise _NotPublic(f"{host} leads to {address}, which is not public")
        *others, last = addresses
        for address in others:
            with contextlib.suppress(httpcore.ConnectError):
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)
