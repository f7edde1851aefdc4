"""
Runs the vectors of fixtures/requests and prints as JSON what the loader answers to each row, by suite: as it answers
under WSGI, and with the argument "asgi" as it does under ASGI.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from zapp.archive import Archive, open_archive
from zapp.asgi import AsgiApplication
from zapp.headers import in_mount
from zapp.mount import EntryCall, Mount, Request
from zapp.request_path import target_of

FOLDER = Path(__file__).resolve().parent.parent.parent / "fixtures" / "requests"


def answer_of(mount: Mount, request: dict[str, Any]) -> dict[str, Any]:
    target = request["rawTarget"]
    if target is None:
        target = target_of(request["pathBytes"].encode("latin-1"), request.get("query", "")[1:])
    headers = {name.lower(): value for name, value in request["headers"].items()}
    answer = mount.answer(Request(request["method"], target, headers.get, request.get("mount", "")))
    if isinstance(answer, EntryCall):
        return {
            "entry": answer.entry,
            "scriptName": answer.script_name,
            "pathInfo": answer.path_info,
            "query": answer.query,
        }
    body = None if answer.body is None else base64.b64encode(b"".join(answer.body)).decode("ascii")
    return {"status": answer.status, "headers": answer.headers, "body": body}


class AsgiEntry:
    """Stands for an entry point of any language; keeps what it is given."""

    def __init__(self, name: str, called: "list[Any]"):
        self._name = name
        self._called = called

    def get(self) -> Any:
        return self._call

    async def _call(self, scope: Any, receive: Any, send: Any) -> None:
        script_name = in_mount("", scope["root_path"])
        assert unquote(scope["raw_path"].decode()) == scope["path"], scope
        path_info = scope["raw_path"].decode()[len(script_name) :]
        query = "?" + scope["query_string"].decode() if scope["query_string"] else ""
        self._called.append(
            {"entry": self._name, "scriptName": script_name, "pathInfo": path_info, "query": query}
        )


async def asgi_answer(archive: Archive, request: "dict[str, Any]") -> "dict[str, Any]":
    called: "list[Any]" = []
    entries: Any = {name: AsgiEntry(name, called) for name in archive.manifest.entries}
    app = AsgiApplication(archive, request.get("mount", ""), entries, lambda: None)
    sent: "list[Any]" = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return await asyncio.Event().wait()

    await app(asgi_scope(request), receive, send)
    if called:
        return dict(called[0])
    start, *bodies = sent
    body = b"".join(message["body"] for message in bodies)
    has_body = request["method"] != "HEAD" and start["status"] != 304
    return {
        "status": start["status"],
        "headers": [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]],
        "body": base64.b64encode(body).decode("ascii") if has_body else None,
    }


def asgi_scope(request: "dict[str, Any]") -> "dict[str, Any]":
    target = request["rawTarget"]
    if target is None:
        path = request["pathBytes"].encode("latin-1").decode("utf-8", "surrogateescape")
        raw_path, query = None, request.get("query", "")[1:]
    else:
        raw, _, query = target.partition("?")
        path, raw_path = unquote(raw), raw.encode("latin-1")
    return {
        "type": "http",
        "method": request["method"],
        "path": path,
        "raw_path": raw_path,
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in request["headers"].items()],
    }


def main(args: "list[str]") -> None:
    answers = {}
    for path in sorted(FOLDER.glob("*.json")):
        suite = json.loads(path.read_text("utf-8"))
        requests = [row["request"] for row in suite["rows"]]
        with open_archive(FOLDER / suite["archive"]) as archive:
            if args == ["asgi"]:
                answers[path.name] = asyncio.run(_each(archive, requests))
            else:
                mount = Mount(archive)
                answers[path.name] = [answer_of(mount, request) for request in requests]
    json.dump(answers, sys.stdout)


async def _each(archive: Archive, requests: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    return [await asgi_answer(archive, request) for request in requests]


if __name__ == "__main__":
    main(sys.argv[1:])
