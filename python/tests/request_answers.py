"""Runs the vectors of fixtures/requests and prints as JSON what the loader answers to each row, by suite."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from zapp.archive import open_archive
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


def main() -> None:
    answers = {}
    for path in sorted(FOLDER.glob("*.json")):
        suite = json.loads(path.read_text("utf-8"))
        with open_archive(FOLDER / suite["archive"]) as archive:
            mount = Mount(archive)
            answers[path.name] = [answer_of(mount, row["request"]) for row in suite["rows"]]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
