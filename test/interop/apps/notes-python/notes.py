"""A notebook, written twice: notes-node/notes.js must answer every request with the same bytes."""

import base64
import html
import json
import os
from urllib.parse import parse_qs

FOLDER = os.environ["NOTES_DIR"]
LIMIT = 64 * 1024
PLAIN = [("Content-Type", "text/plain; charset=utf-8")]


def application(environ, start_response):
    method, path, base = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["SCRIPT_NAME"]
    head = method == "HEAD"
    status, headers, parts = answer("GET" if head else method, path, base, environ)
    # Without a length only where the answer is a stream.
    if isinstance(parts, bytes):
        if not status.startswith(("204", "304")):
            headers = [*headers, ("Content-Length", str(len(parts)))]
        parts = [parts]
    start_response(status, headers)
    return [] if head else parts


def answer(method, path, base, environ):
    if (method, path) in (("GET", ""), ("GET", "/")):
        author = cookie(environ, "author")
        text = "".join(f"<p id={id}>{html.escape(note)}</p>\n" for id, note in notes())
        page = f'<link rel=stylesheet href="{base}/assets/site.css">\n<h1>Notes of {html.escape(author)}</h1>\n{text}'
        return "200 OK", [("Content-Type", "text/html; charset=utf-8")], page.encode()
    if (method, path) == ("POST", "/notes"):
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if size > LIMIT:
            return "413 Content Too Large", PLAIN, b"A note may have at most 64 KB.\n"
        form = parse_qs(environ["wsgi.input"].read(size).decode())
        if "text" not in form:
            return "400 Bad Request", PLAIN, b"A note needs some text.\n"
        keep(form["text"][0])
        author = form.get("author", ["nobody"])[0]
        return "303 See Other", [("Location", f"{base}/"), ("Set-Cookie", f"author={author}; Path={base}/")], b""
    if (method, path) == ("POST", "/echo"):
        size = int(environ.get("CONTENT_LENGTH") or 0)
        return "200 OK", [("Content-Type", environ.get("CONTENT_TYPE") or "none")], environ["wsgi.input"].read(size)
    if method == "GET" and path.startswith("/where/"):
        seen = {"base": base, "path": utf8(path), "query": environ["QUERY_STRING"]}
        body = json.dumps(seen, ensure_ascii=False, separators=(",", ":")).encode()
        return "200 OK", [("Content-Type", "application/json")], body
    if (method, path) == ("GET", "/headers"):
        names = ("ACCEPT_LANGUAGE", "AUTHORIZATION", "X_ONE")
        seen = {name: environ.get(f"HTTP_{name}", "") for name in names}
        return "200 OK", [("Content-Type", "application/json")], json.dumps(seen, separators=(",", ":")).encode()
    if (method, path) == ("GET", "/stream"):
        return "200 OK", PLAIN, (b"%06d\n" % number for number in range(100_000))
    if (method, path) == ("GET", "/private"):
        kind, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind != "Basic":
            return "401 Unauthorized", [*PLAIN, ("WWW-Authenticate", 'Basic realm="notes"')], b"Who is there?\n"
        return "200 OK", PLAIN, base64.b64decode(given).split(b":")[0] + b"\n"
    if (method, path) == ("GET", "/nothing"):
        return "204 No Content", [], b""
    if (method, path) == ("GET", "/same"):
        return "304 Not Modified", [("ETag", '"same"')], b""
    if (method, path) == ("DELETE", "/notes"):
        for name in os.listdir(FOLDER):
            os.remove(os.path.join(FOLDER, name))
        return "204 No Content", [], b""
    return "404 Not Found", PLAIN, b"No such page.\n"


def cookie(environ, name):
    for pair in environ.get("HTTP_COOKIE", "").split("; "):
        key, _, value = pair.partition("=")
        if key == name:
            return value
    return "nobody"


def notes():
    for name in sorted(os.listdir(FOLDER)):
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            yield name, file.read()


def keep(text):
    with open(os.path.join(FOLDER, f"{len(os.listdir(FOLDER)):04}"), "x", encoding="utf-8") as file:
        file.write(text)


def utf8(text):
    return text.encode("latin-1").decode("utf-8", "replace")
