"""Tokens: what `POST /token/v2` makes, the header Authorization carries, and the ids of tunnels.

Both are sealed by the vault, so that none is stored and all survive a restart. A token names its apiKey and the
mark of its secret: it ends with the app, and when the app gets a new secret.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import time
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from api.accounts.apps import App, Apps
from api.accounts.vault import Vault
from api.dialects.easyar import errors, signing
from api.dialects.easyar.parameters import Parameters
from api.edge.body import SMALL_FIELD_BYTES
from engine.errors import InvalidValue

Permission = Literal["READ", "WRITE"]
SERVICE = "ecs:crs"
LONGEST_SECONDS = 366 * 86_400
TUNNEL_SECONDS = 300


class Rule(msgspec.Struct, kw_only=True):
    """One entry of an acl."""

    service: str
    resource: list[str]
    effect: Literal["Allow", "Deny"]
    permission: list[Permission]


class Token(msgspec.Struct, kw_only=True, tag="token"):
    """What a token holds."""

    key: str
    """The apiKey that asked for it."""
    mark: str
    """The mark of its secret at that time."""
    until: float
    """Seconds since 1970."""
    acl: list[Rule]

    def allows(self, app_id: str, permission: Permission) -> bool:
        """What one rule denies no other allows."""
        effects = {
            rule.effect
            for rule in self.acl
            if rule.service == SERVICE and app_id in rule.resource and permission in rule.permission
        }
        return effects == {"Allow"}


class Tunnel(msgspec.Struct, kw_only=True, tag="tunnel"):
    """What the id of a tunnel holds."""

    app: str
    """The appId that asked for it."""
    mark: str = ""
    """The mark of its secret at that time."""
    until: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Makes and opens tokens and tunnels."""

    apps: Apps
    vault: Vault

    def make(self, parameters: Parameters) -> dict[str, Any]:
        """The result of POST /token/v2. Raises the TokenRefused errors."""
        app = self.apps.by_api_key(self._text(parameters, "apiKey"))
        if app is None:
            raise errors.ApiKeyUnknown
        if not signing.is_fresh(signing.milliseconds(self._text(parameters, "timestamp"))):
            raise errors.TokenTimestampWrong(signing.WINDOW_MINUTES)
        if not signing.is_signed(parameters, app.api_secret):
            raise errors.TokenSignatureWrong
        acl = self._acl(app, self._text(parameters, "acl"))
        seconds = self._text(parameters, "expires")
        digits = seconds.isascii() and seconds.isdigit() and len(seconds) <= 12
        if not (digits and 0 < int(seconds) <= LONGEST_SECONDS):
            raise errors.TokenRefused
        until = time.time() + int(seconds)
        token = Token(key=app.api_key, mark=app.secret_mark, until=until, acl=acl)
        moment = dt.datetime.fromtimestamp(until, dt.UTC)
        return {
            "apiKey": app.api_key,
            "expires": int(seconds),
            "token": self._sealed(token),
            "expiration": moment.isoformat(timespec="milliseconds").replace("+00:00", "+0000"),
        }

    def _acl(self, app: App, text: str) -> list[Rule]:
        if len(text) > SMALL_FIELD_BYTES:
            raise errors.TokenRefused
        try:
            acl = msgspec.json.decode(text, type=list[Rule])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise errors.TokenRefused from error
        named = {resource for rule in acl for resource in rule.resource}
        if not named:
            raise errors.NoResources
        if named != {app.app_id}:
            raise errors.AppNotAuthorised
        return acl

    def app_of(self, header: str, parameters: Parameters, permission: Permission) -> App:
        """The app that a token lets in. Raises WrongToken, WrongAppId, UnknownApp."""
        token = self._opened(header.removeprefix("Bearer ").strip())
        if token.until < time.time():
            raise errors.TokenExpired
        holder = self.apps.by_api_key(token.key)
        if holder is None or holder.secret_mark != token.mark:
            raise errors.TokenUnreadable
        app = signing.named_app(self.apps, parameters)
        if app.app_id != holder.app_id or not token.allows(app.app_id, permission):
            raise errors.WrongToken
        return app

    def make_tunnel(self, app: App) -> str:
        tunnel = Tunnel(app=app.app_id, mark=app.secret_mark, until=time.time() + TUNNEL_SECONDS)
        return self.vault.seal(msgspec.json.encode(tunnel).decode())

    def app_of_tunnel(self, tunnel: str) -> App:
        """Raises WrongToken, UnknownApp."""
        text = self.vault.open(tunnel)
        try:
            found = msgspec.json.decode(text or "", type=Tunnel)
        except msgspec.MsgspecError as error:
            raise errors.WrongToken("no such tunnel") from error
        if found.until < time.time():
            raise errors.WrongToken("the tunnel was not used in time; ask for another")
        app = self.apps.by_app_id(found.app)
        if app is None:
            raise errors.UnknownApp
        if app.secret_mark != found.mark:
            raise errors.WrongToken("the app has a new secret; ask for another tunnel")
        return app

    def _sealed(self, token: Token) -> str:
        """The sealed token in plain base64, because clients are told that the header is."""
        sealed = self.vault.seal(msgspec.json.encode(token).decode())
        return base64.b64encode(base64.urlsafe_b64decode(sealed)).decode()

    def _opened(self, header: str) -> Token:
        try:
            sealed = base64.urlsafe_b64encode(base64.b64decode(header, validate=True)).decode()
        except (binascii.Error, ValueError) as error:
            raise errors.TokenNotBase64 from error
        try:
            return msgspec.json.decode(self.vault.open(sealed) or "", type=Token)
        except msgspec.MsgspecError as error:
            raise errors.TokenUnreadable from error

    @staticmethod
    def _text(parameters: Parameters, name: str) -> str:
        try:
            return parameters.text(name) or ""
        except InvalidValue:
            return ""
