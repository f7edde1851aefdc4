from __future__ import annotations

import logging
from typing import Any, Callable, Iterable, Mapping, Optional
from urllib.parse import unquote_to_bytes

from .archive import Archive
from .errors import ZappError
from .headers import Header, add_missing
from .manifest import Manifest
from .mount import EntryCall, Mount, Request, Response
from .python_entry import PythonEntry
from .request_path import target_of

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

#: Key of environ: the request-target in origin form. No client can name it, and nothing else is called that.
RAW_TARGET = "zapp.request_target"

_log = logging.getLogger("zapp")


class Application:
    """A WSGI application (PEP 3333) that answers as an archive says. Made by :func:`zapp.load`."""

    def __init__(
        self, archive: Archive, mount: str, entries: Mapping[str, PythonEntry], release: Callable[[], None]
    ):
        self.manifest: Manifest = archive.manifest
        self.mount = mount
        self._archive = archive
        self._entries = entries
        self._release = release
        self._is_closed = False
        self._mounted = Mount(archive, self._report)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = request_of(environ, self.mount)
        answer = self._mounted.answer(request)
        if isinstance(answer, Response):
            return _send(answer, start_response)
        try:
            app: WsgiApp = self._entries[answer.entry].get()
        except ZappError as error:
            self._report(error, answer.entry)
            return _send(self._mounted.error(500, request), start_response)
        return app(_environ_of(answer, environ), _with_headers(start_response, answer.route.headers))

    def start(self) -> None:
        """
        Imports the code of all entry points now, not with their first request. In a server that forks: after the fork.

        :raises ZappError: ENTRY_LOAD, ENTRY_EXPORT; what building the run tree raises
        """
        for entry in self._entries.values():
            entry.get()

    def close(self) -> None:
        """Lets go of the archive and of the environment; idempotent. Modules that were imported stay in the process."""
        if not self._is_closed:
            self._is_closed = True
            self._release()
            self._archive.close()

    def _report(self, error: ZappError, where: str) -> None:
        _log.error("%s: %s %s: %s", self.manifest.name, where, error.code, error, exc_info=error.__cause__)


def request_of(environ: Environ, mount: str) -> Request:
    """
    What a WSGI server tells about a request. The path is decoded already (FORMAT.md §Request paths): one character is
    one byte of it. Our own server tells the target as it was sent.
    """
    script = environ.get("SCRIPT_NAME", "")
    target = environ.get(RAW_TARGET)
    if target is None:
        path = script + environ.get("PATH_INFO", "")
        target = target_of(path.encode("latin-1") or b"/", environ.get("QUERY_STRING", ""))
    return Request(environ["REQUEST_METHOD"], target, lambda name: _header(environ, name), _whole_mount(script, mount))


def _whole_mount(script: str, mount: str) -> str:
    """
    The mount that the app was loaded with and the one that the container has cut off already, together. Where the
    latter ends in the former, it is the same mount, said twice.
    """
    if not script:
        return mount
    data = script.encode("latin-1")
    try:
        outer = data.decode("utf-8")
    except UnicodeDecodeError:
        outer = target_of(data, "")
    return outer if outer.endswith(mount) else outer + mount


def _header(environ: Environ, name: str) -> Optional[str]:
    key = name.upper().replace("-", "_")
    return environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")


def _environ_of(call: EntryCall, environ: Environ) -> Environ:
    changed = dict(environ)
    # It says nothing about what is left of the path.
    changed.pop(RAW_TARGET, None)
    changed["SCRIPT_NAME"] = _decoded(call.script_name)
    changed["PATH_INFO"] = _decoded(call.path_info)
    changed["QUERY_STRING"] = call.query[1:]
    return changed


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("latin-1") if "%" in text else text


def _with_headers(start_response: StartResponse, headers: tuple[Header, ...]) -> StartResponse:
    """Adds the route's headers where the app sends none of that name."""
    if not headers:
        return start_response

    def start(status: str, own: list[Header], *exc_info: Any) -> Any:
        return start_response(status, add_missing(own, headers), *exc_info)

    return start


def _send(answer: Response, start_response: StartResponse) -> Iterable[bytes]:
    headers = list(answer.headers)
    # wsgiref.validate wants one in every answer but 204 and 304, also where there is no content.
    if answer.status != 304:
        headers = add_missing(headers, [("Content-Type", "text/plain; charset=utf-8")])
    start_response(answer.status_line, headers)
    return [] if answer.body is None else answer.body
