from __future__ import annotations

from typing import Any, Callable, Iterable, Optional
from urllib.parse import unquote_to_bytes

from .headers import Header, add_missing
from .mount import EntryCall, Request, Response
from .mounted_archive import MountedArchive
from .request_path import target_of, whole_mount

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

#: Key of environ: the request-target in origin form. No client can name it, and nothing else is called that.
RAW_TARGET = "zapp.request_target"


class Application(MountedArchive):
    """A WSGI application (PEP 3333) that answers as an archive says. Made by :func:`zapp.load`."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = request_of(environ, self.mount)
        answer = self._mounted.answer(request)
        if isinstance(answer, Response):
            return _send(answer, start_response)
        app: Optional[WsgiApp] = self._app(answer.entry)
        if app is None:
            return _send(self._mounted.error(500, request), start_response)
        return app(_environ_of(answer, environ), _with_headers(start_response, answer.route.headers))

    def start(self) -> None:
        """
        Imports the code of all entry points now, not with their first request. In a server that forks: after the fork.

        :raises ZappError: ENTRY_LOAD, ENTRY_EXPORT; what building the run tree raises
        """
        for entry in self._entries.values():
            entry.get()


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
    whole = whole_mount(_text(script), mount) if script else mount
    return Request(environ["REQUEST_METHOD"], target, lambda name: _header(environ, name), whole)


def _text(script: str) -> str:
    """Escaped, where it is no UTF-8."""
    data = script.encode("latin-1")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return target_of(data, "")


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
