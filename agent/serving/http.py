"""HTTP responses before the websocket upgrade: the page, health, metrics, and refusals."""

from __future__ import annotations

import hmac
import json
from http import HTTPStatus
from importlib import resources
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from embodio.agent.client.messages import WATCH_PROTOCOL

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page() -> Response:
    """The web page."""
    text = resources.files("embodio.agent.serving").joinpath("page.html").read_text(encoding="utf-8")
    return respond(HTTPStatus.OK, text, "text/html; charset=utf-8", {"Content-Security-Policy": _POLICY})


def refuse(status: HTTPStatus, name: str, message: str) -> Response:
    """A refusal that `RemoteAgent` turns into the error of this name."""
    return respond(status, json.dumps({"name": name, "message": message}), "application/json")


def respond(status: HTTPStatus, text: str, kind: str, more: dict[str, str] | None = None) -> Response:
    """An HTTP response."""
    body = text.encode()
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **(more or {})})
    return Response(status.value, status.phrase, headers, body)


def may_enter(request: Request, token: str | None) -> bool:
    """Whether a request has the token, as a bearer token or, from a page, in hex among its sub-protocols."""
    if token is None:
        return True
    given = [value.removeprefix("Bearer ") for value in request.headers.get_all("Authorization")]
    for value in request.headers.get_all("Sec-WebSocket-Protocol"):
        for part in value.split(","):
            offered = part.strip().removeprefix(f"{WATCH_PROTOCOL}.")
            if offered != part.strip() and all(c in "0123456789abcdef" for c in offered) and len(offered) % 2 == 0:
                given.append(bytes.fromhex(offered).decode("utf-8", "replace"))
    return any(hmac.compare_digest(one.encode(), token.encode()) for one in given)


def from_own_page(request: Request, *, trusted: bool) -> bool:
    """Whether a browser's request comes from the page of this server; other programs send no origin.

    Args:
        request: the request.
        trusted: accept any host name. Otherwise only IP addresses and localhost, as a foreign page could resolve its
            own name to this machine (DNS rebinding).
    """
    origins, hosts = request.headers.get_all("Origin"), request.headers.get_all("Host")
    if not origins:
        return True
    name = urlsplit(f"//{hosts[0]}").hostname or "" if hosts else ""
    own = trusted or name == "localhost" or name.replace(".", "").isdigit() or ":" in name
    return own and [urlsplit(origin).netloc for origin in origins] == hosts


def is_websocket(request: Request) -> bool:
    """Whether a request is a websocket upgrade."""
    return any("websocket" in value.lower() for value in request.headers.get_all("Upgrade"))
