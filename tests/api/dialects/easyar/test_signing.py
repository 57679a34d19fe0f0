"""Who is let in: three vintages of signature, tokens and their acl, in every operation."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pytest

from api.accounts.apps import Apps
from api.accounts.vault import Vault
from api.dialects.easyar.contract import OPERATIONS, Operation
from engine.catalogue import Catalogue
from tests.support.drawn_pictures import photo_of
from tests.support.easyar_client import (
    UNKNOWN,
    EasyAR,
    Keys,
    acl_rule,
    b64,
    make_app,
    now,
    refused,
    signature,
    signed,
    signed_legacy,
    succeeded,
    token_of,
)
from tests.support.running_server import Caller, Server, make_user

FIVE_MINUTES = 300_000
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


def ask(client: httpx.Client, operation: Operation, fields: dict[str, Any], token: str | None = None) -> httpx.Response:
    """The fields where the operation wants them."""
    headers = {} if token is None else {"Authorization": token}
    path = operation.paths[0].replace("{target_id:str}", UNKNOWN)
    if operation.source == "query":
        return client.request(operation.verb, path, params=fields, headers=headers)
    if operation.source == "json":
        return client.request(operation.verb, path, json=fields, headers=headers)
    parts = [(name, (None, str(value))) for name, value in fields.items()]
    return client.post(path, files=parts or [("other", (None, ""))], headers=headers)


def is_let_in(response: httpx.Response) -> bool:
    """Whether what it answers is about the request, not about who sent it."""
    return response.json()["statusCode"] in (0, 404, 414)


@every_operation
class TestEveryOperation:
    """The rules that hold whatever is asked."""

    def test_current(self, gallery: EasyAR, operation: Operation) -> None:
        assert is_let_in(ask(gallery.client, operation, signed(gallery.keys, {})))

    @pytest.mark.parametrize("prefix", ["/easyar", ""])
    def test_prefix_and_slash(self, gallery: EasyAR, operation: Operation, prefix: str) -> None:
        """No redirect: each path answers in every form."""
        path = prefix + operation.paths[0].replace("{target_id:str}", UNKNOWN) + "/"
        response = gallery.client.request(operation.verb, path, json={})
        code, http = (1, 400) if operation.source != "multipart" else (414, 415)
        refused(response, code, http)

    @pytest.mark.parametrize("name", ["", "a b", "x" * 65, "ä", None])
    def test_1(self, gallery: EasyAR, operation: Operation, name: str | None) -> None:
        refused(ask(gallery.client, operation, signed(gallery.keys, {}, appId=name)), 1, 400)

    @pytest.mark.parametrize(
        "change", [{"signature": "0" * 64}, {"signature": ""}, {"apiKey": "another"}, {"apiKey": None}]
    )
    def test_2(self, gallery: EasyAR, operation: Operation, change: dict[str, str | None]) -> None:
        refused(ask(gallery.client, operation, signed(gallery.keys, {}, **change)), 2, 400)

    @pytest.mark.parametrize("moment", [-FIVE_MINUTES - 5_000, FIVE_MINUTES + 5_000])
    def test_3(self, gallery: EasyAR, operation: Operation, moment: int) -> None:
        refused(ask(gallery.client, operation, signed(gallery.keys, {}, timestamp=now() + moment)), 3, 400)

    def test_4(self, gallery: EasyAR, operation: Operation) -> None:
        refused(ask(gallery.client, operation, signed(gallery.keys, {}, appId="0" * 32)), 4, 400)

    def test_token(self, gallery: EasyAR, operation: Operation) -> None:
        """READ and WRITE each open their own operations, and no others."""
        for permission in ("READ", "WRITE"):
            token = gallery.with_token(permission).token
            response = ask(gallery.client, operation, {"appId": gallery.keys.appId}, token)
            if permission == operation.permission:
                assert is_let_in(response)
            else:
                refused(response, 6, 401)

    def test_token_of_another_app(self, gallery: EasyAR, app: EasyAR, operation: Operation) -> None:
        token = app.with_token("READ", "WRITE").token
        refused(ask(gallery.client, operation, {"appId": gallery.keys.appId}, token), 6, 401)

    def test_token_without_app(self, gallery: EasyAR, operation: Operation) -> None:
        token = gallery.with_token("READ", "WRITE").token
        refused(ask(gallery.client, operation, {}, token), 1, 400)
        refused(ask(gallery.client, operation, {"appId": "0" * 32}, token), 4, 400)

    @pytest.mark.parametrize(
        ("token", "code"),
        [
            ("no base64!", 4001018),
            ("Basic dTpw", 4001018),
            (base64.b64encode(b"x" * 80).decode(), 4001019),
            ("", 4001019),
        ],
    )
    def test_no_token(self, gallery: EasyAR, operation: Operation, token: str, code: int) -> None:
        refused(ask(gallery.client, operation, {"appId": gallery.keys.appId}, token), code, 401)


class TestSignature:
    """What is signed, and how."""

    def test_the_image_is_signed(self, gallery: EasyAR) -> None:
        """As all SDKs do it: without it, who sees a signed request could send another image."""
        fields = {"image": b64(photo_of(1))}
        response = gallery.client.post("/search", json=signed(gallery.keys, fields))
        assert succeeded(response)["target"]["name"] == "one"
        refused(gallery.client.post("/search", json=signed(gallery.keys, fields, without=("image",))), 2, 400)

    def test_the_image_need_not_be_signed(self, strict: Server) -> None:
        """By setting: a page of the vendor's documents leaves it out."""
        user = make_user(strict.folder, "without")
        keys = make_app(strict.folder, "without", user)
        fields = {"image": b64(photo_of(30))}
        refused(strict.client.post("/search", json=signed(keys, fields, without=("image",))), 17, 200)
        refused(strict.client.post("/search", json={**signed(keys, fields, without=("image",)), "more": "x"}), 2, 400)

    def test_another_image(self, gallery: EasyAR) -> None:
        """A signature of one image does not fit another; nor does any other field that was changed."""
        content = signed(gallery.keys, {"image": b64(photo_of(1)), "notracking": "true"})
        for change in ({"image": b64(photo_of(2))}, {"notracking": "false"}, {"more": "x"}):
            refused(gallery.client.post("/search", json={**content, **change}), 2, 400)

    @pytest.mark.parametrize("kind", [int, str])
    def test_timestamps(self, gallery: EasyAR, kind: type) -> None:
        """As JSON number and as string."""
        content = signed(gallery.keys, {}, timestamp=kind(now() - FIVE_MINUTES + 10_000))
        assert "tunnel" in succeeded(gallery.client.post("/tunnels", json=content))

    @pytest.mark.parametrize("moment", ["", "soon", "1e12", "-1", 12, None])
    def test_no_timestamp(self, gallery: EasyAR, moment: Any) -> None:
        refused(gallery.client.post("/tunnels", json=signed(gallery.keys, {}, timestamp=moment)), 3, 400)

    def test_numbers_and_booleans(self, gallery: EasyAR) -> None:
        """Numbers are signed as they are written, booleans as JSON writes them."""
        fields = {"a": "1.50", "b": "true", "c": "1E3"}
        auth = {"timestamp": str(now()), "appId": gallery.keys.appId, "apiKey": gallery.keys.apiKey}
        sign = signature({**fields, **auth}, gallery.keys.apiSecret)
        body = f'{{"a":1.50,"b":true,"c":1E3,{json.dumps(auth)[1:-1]},"signature":"{sign}"}}'
        headers = {"Content-Type": "application/json"}
        assert "tunnel" in succeeded(gallery.client.post("/tunnels", content=body, headers=headers))

    def test_upper_case_before_lower_case(self, gallery: EasyAR) -> None:
        assert "tunnel" in succeeded(gallery.client.post("/tunnels", json=signed(gallery.keys, {"B": "1", "a": "2"})))

    def test_replay(self, gallery: EasyAR) -> None:
        """The same signed request is accepted again within its five minutes."""
        content = signed(gallery.keys, {})
        for _ in range(2):
            succeeded(gallery.client.post("/tunnels", json=content))

    @pytest.mark.parametrize("name", ["appId", "apiKey"])
    def test_app_key_style(self, gallery: EasyAR, name: str) -> None:
        """SDK 3: appKey alone, SHA-256. The appKey is the appId of today."""
        auth = {"appId": None, "apiKey": None, "appKey": getattr(gallery.keys, name)}
        response = gallery.client.post("/search", json=signed(gallery.keys, {"image": b64(photo_of(1))}, **auth))
        assert succeeded(response)["target"]["name"] == "one"
        refused(gallery.client.post("/tunnels", json={**signed(gallery.keys, {}, **auth), "signature": "0"}), 2, 400)

    def test_legacy(self, gallery: EasyAR) -> None:
        """SHA-1 with `date`; numbers are not signed."""
        content = signed_legacy(gallery.keys, {"image": b64(photo_of(1)), "quality": 5})
        assert succeeded(gallery.client.post("/search", json=content))["target"]["name"] == "one"
        assert succeeded(gallery.client.get("/targets/count", params=signed_legacy(gallery.keys, {}))) == {"count": 3}

    def test_legacy_refusals(self, gallery: EasyAR) -> None:
        stale = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 400))
        for date, code in ((stale, 3), ("yesterday", 3)):
            refused(gallery.client.get("/targets/count", params=signed_legacy(gallery.keys, {}, date=date)), code, 400)
        content = signed_legacy(gallery.keys, {})
        refused(gallery.client.get("/targets/count", params={**content, "signature": "0" * 40}), 2, 400)
        sha256 = signature({k: v for k, v in content.items() if k != "signature"}, gallery.keys.apiSecret)
        refused(gallery.client.get("/targets/count", params={**content, "signature": sha256}), 2, 400)

    def test_query(self, gallery: EasyAR) -> None:
        """Values are signed as they are after decoding; a key that comes twice is signed once."""
        content = signed(gallery.keys, {"pageNum": 1, "pageSize": 2, "note": "a b&c=ü/+"})
        pairs = [*content.items(), ("pageNum", 1), ("pageSize", 2)]
        assert len(succeeded(gallery.client.get("/targets/infos", params=pairs))["targets"]) == 2


class TestToken:
    def test_ok(self, gallery: EasyAR) -> None:
        """The token looks like base64 and says how long it lives."""
        response = gallery.make_token(expires=60)
        assert response.json()["msg"] == "Success"
        result = succeeded(response)
        assert set(result) == {"apiKey", "expires", "token", "expiration"}
        assert (result["apiKey"], result["expires"]) == (gallery.keys.apiKey, 60)
        assert base64.b64decode(result["token"], validate=True)
        moment = time.strptime(result["expiration"].split(".")[0], "%Y-%m-%dT%H:%M:%S")
        assert result["expiration"].endswith("+0000")
        assert time.strftime("%Y", moment) == time.strftime("%Y", time.gmtime(time.time() + 60))

    @pytest.mark.parametrize("path", ["/token/v2/", "/easyar/token/v2"])
    def test_paths(self, gallery: EasyAR, path: str) -> None:
        fields = {"apiKey": gallery.keys.apiKey, "expires": "60", "acl": json.dumps([acl_rule(gallery.keys)])}
        fields["timestamp"] = str(now())
        fields["signature"] = signature(fields, gallery.keys.apiSecret)
        assert succeeded(gallery.client.post(path, json=fields))["expires"] == 60

    @pytest.mark.parametrize("spelling", ["{}", "Bearer {}"])
    def test_use(self, gallery: EasyAR, spelling: str) -> None:
        """In the header alone, in query, JSON and multipart, with the appId beside it."""
        token = spelling.format(token_of(gallery.make_token()))
        with_token = EasyAR(client=gallery.client, keys=gallery.keys, token=token)
        assert with_token.call("GET", "/targets/count") == {"count": 3}
        assert with_token.call("POST", "/similar", {"image": b64(photo_of(2))})["results"][0]["name"] == "two"
        parts = [("image", ("p.jpg", photo_of(2), "image/jpeg")), ("appId", (None, gallery.keys.appId))]
        response = gallery.client.post("/v2/search", files=parts, headers={"Authorization": token})
        assert succeeded(response)["target"]["name"] == "two"

    def test_4001024(self, gallery: EasyAR) -> None:
        """Expired."""
        short = gallery.with_token("READ", expires=1)
        succeeded(short.send("GET", "/targets/count"))
        time.sleep(1.1)
        refused(short.send("GET", "/targets/count"), 4001024, 401)

    def test_deny(self, gallery: EasyAR) -> None:
        """What one rule denies no other allows; rules of other services do not count."""
        deny = acl_rule(gallery.keys, effect="Deny", permission=["READ"])
        other = acl_rule(gallery.keys, service="ecs:spatialmap")
        for acl in ([acl_rule(gallery.keys), deny], [other], [acl_rule(gallery.keys, permission=[])]):
            token = token_of(gallery.make_token(acl=acl))
            refused(EasyAR(client=gallery.client, keys=gallery.keys, token=token).send("GET", "/targets/count"), 6, 401)

    def test_4001011(self, gallery: EasyAR) -> None:
        for key in ("nobody", "", ["x"]):
            refused(gallery.make_token(apiKey=key, signature="0"), 4001011)

    @pytest.mark.parametrize("moment", [-FIVE_MINUTES - 5_000, FIVE_MINUTES + 5_000])
    def test_4001012(self, gallery: EasyAR, moment: int) -> None:
        refused(gallery.make_token(timestamp=now() + moment), 4001012)
        refused(gallery.make_token(timestamp="soon"), 4001012)

    def test_4001015(self, gallery: EasyAR) -> None:
        refused(gallery.make_token(signature="0" * 64), 4001015)

    def test_4001017(self, gallery: EasyAR, app: EasyAR) -> None:
        refused(gallery.make_token(acl=[acl_rule(app.keys)]), 4001017)
        refused(gallery.make_token(acl=[acl_rule(gallery.keys), acl_rule(app.keys)]), 4001017)

    @pytest.mark.parametrize("acl", ["[]", '[{"service":"ecs:crs","resource":[],"effect":"Allow","permission":[]}]'])
    def test_4001022(self, gallery: EasyAR, acl: str) -> None:
        refused(gallery.make_token(acl=acl), 4001022)

    @pytest.mark.parametrize(
        "change",
        [
            *({"acl": acl} for acl in ("x", "{}", '[{"service":1}]')),
            *({"expires": seconds} for seconds in (0, "x", 10**9, "000000000060" + "0" * 9, "1" * 5_000)),
        ],
    )
    def test_4001025(self, gallery: EasyAR, change: dict[str, Any]) -> None:
        refused(gallery.make_token(**change), 4001025)

    def test_a_rotation_ends_tokens(self, easyar_server: Server, app: EasyAR) -> None:
        """And signatures with the old secret; those with the new one are good."""
        old = app.with_token("READ")
        catalogue = Catalogue(easyar_server.folder)
        apps = Apps(catalogue.database, Vault(easyar_server.folder))
        rotated = apps.rotate(catalogue.channel(app.keys.channel))
        catalogue.close()
        refused(old.send("GET", "/targets/count"), 4001019, 401)
        refused(app.send("GET", "/targets/count"), 2, 400)
        keys = Keys(appId=rotated.app_id, apiKey=rotated.api_key, apiSecret=rotated.api_secret, channel=rotated.channel)
        assert EasyAR(client=app.client, keys=keys).call("GET", "/targets/count") == {"count": 0}


class TestSecrets:
    def test_at_rest(self, easyar_server: Server, owner: Caller) -> None:
        """The secret stands in no file and no log; the key file is its owner's alone."""
        keys = make_app(easyar_server.folder, "at-rest", owner)
        EasyAR(client=easyar_server.client, keys=keys).call("GET", "/targets/count")
        files = [path for path in easyar_server.folder.rglob("*") if path.is_file()]
        assert len(files) > 2
        assert not any(keys.apiSecret.encode() in path.read_bytes() for path in files)
        assert keys.apiSecret not in easyar_server.log_text()
        assert (easyar_server.folder / "secrets.key").stat().st_mode & 0o777 == 0o600
