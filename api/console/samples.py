"""The same question from a program: a request of each dialect, as curl, Python and JavaScript.

Keys are never filled in: a page may be shown to others."""

from __future__ import annotations

from typing import NamedTuple

from api.console.console import Console
from api.edge.refusals import AnyRequest

_KIVICUBE_CURL = """\
curl -F username="$USERNAME" -F secretkey="$SECRETKEY" \\
     -F channel=CHANNEL -F image=@photo.jpg BASE/FindImage"""
_KIVICUBE_PYTHON = """\
import httpx

fields = {"username": USERNAME, "secretkey": SECRETKEY, "channel": "CHANNEL"}
with open("photo.jpg", "rb") as photo:
    answer = httpx.post("BASE/FindImage", data=fields, files={"image": photo}).json()
print(answer.get("identifier") if answer["returncode"] == 0 else answer["message"])"""
_KIVICUBE_JAVASCRIPT = """\
const form = new FormData();
form.append("username", USERNAME);
form.append("secretkey", SECRETKEY);
form.append("channel", "CHANNEL");
form.append("image", photo);  // a File or a Blob
const answer = await (await fetch("BASE/FindImage", {method: "POST", body: form})).json();
console.log(answer.returncode === 0 ? answer.identifier : answer.message);"""
_EASYAR_CURL = """\
{ printf '{"appId": "%s", "image": "' "$APP_ID"; base64 -w0 photo.jpg; printf '"}'; } |
    curl -H "Authorization: $TOKEN" -H "Content-Type: application/json" --data-binary @- BASE/search"""
_EASYAR_PYTHON = """\
import base64, httpx

with open("photo.jpg", "rb") as photo:
    image = base64.b64encode(photo.read()).decode()
answer = httpx.post("BASE/search", json={"appId": APP_ID, "image": image}, headers={"Authorization": TOKEN}).json()
print(answer["result"]["target"]["name"] if answer["statusCode"] == 0 else answer["result"]["message"])"""
_EASYAR_JAVASCRIPT = """\
import { Obverse } from "BASE/console/assets/obverse.js";

const client = new Obverse({ base: "BASE", dialect: "easyar", appId: APP_ID, token: TOKEN });
const found = await client.find(photo);  // a File or a Blob
console.log(found.identifier ?? "nothing");"""


class Sample(NamedTuple):
    """One request in one language."""

    dialect: str
    language: str
    text: str


def samples(base: str, channel: str) -> list[Sample]:
    """base: the server's address without a slash at its end."""
    texts = {
        ("Kivicube", "curl"): _KIVICUBE_CURL,
        ("Kivicube", "Python"): _KIVICUBE_PYTHON,
        ("Kivicube", "JavaScript"): _KIVICUBE_JAVASCRIPT,
        ("EasyAR", "curl"): _EASYAR_CURL,
        ("EasyAR", "Python"): _EASYAR_PYTHON,
        ("EasyAR", "JavaScript"): _EASYAR_JAVASCRIPT,
    }
    return [
        Sample(dialect, language, text.replace("BASE", base).replace("CHANNEL", channel))
        for (dialect, language), text in texts.items()
    ]


def address_of(request: AnyRequest, console: Console, path: str) -> str:
    """Of a path of this server, as the browser knows it: by the host that it asked for."""
    host = request.headers.get("host", "localhost")
    return f"{request.scope['scheme']}://{host}{console.base}{path}"
