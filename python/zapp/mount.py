from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Callable, Iterable, NamedTuple, Optional, Sequence, Union

from .archive import Archive
from .errors import ZappError
from .file_content import FileContent
from .files_below import FilesBelow
from .headers import NO_STORE, NOSNIFF, Header, add_missing, encode_path, in_mount, soft_cache_control
from .headers import with_route_headers
from .manifest import Route
from .pattern import Match, Router
from .request_path import RequestPath, count_segments, is_scheme_relative, judge_request_path, skip_segments
from .static_file import StaticFile, parse_range, precondition
from .static_table import FolderRedirect, StaticTable, build_static_table

Get = Callable[[str], Optional[str]]
OnError = Callable[[ZappError, str], None]

_ALLOW: Header = ("Allow", "GET, HEAD")


class Request(NamedTuple):
    method: str
    #: The request-target, with the mount.
    target: str
    #: A header field by its lower-case name, or None.
    header: Get
    #: Empty, or begins with "/" and ends in none.
    mount: str = ""
    #: False: raises :class:`WouldBlock` rather than read more than a little of the archive.
    may_block: bool = True


@dataclass(frozen=True)
class Response:
    status: int
    headers: Sequence[Header]
    #: None: no body, which HEAD and 304 have not.
    body: Optional[Iterable[bytes]] = None

    @property
    def status_line(self) -> str:
        return f"{self.status} {reason(self.status)}"


@dataclass(frozen=True)
class EntryCall:
    """The request goes to an entry point; all of it is URL text."""

    entry: str
    script_name: str
    path_info: str
    #: With its "?", or empty.
    query: str
    route: Route


Answer = Union[Response, EntryCall]


@dataclass(frozen=True)
class _Compiled:
    route: Route
    table: StaticTable
    else_file: Optional[StaticFile]


class Mount:
    """
    An open archive answers requests (FORMAT.md §Routing, §Static answers). Never raises because of a request, but
    WouldBlock where it must not block.
    """

    def __init__(self, archive: Archive, on_error: OnError = lambda error, where: None):
        self._content = FileContent(archive)
        self._on_error = on_error
        below = FilesBelow(archive.entries.values())
        self._router = Router((route.pattern, _compile(archive, below, route)) for route in archive.manifest.routes)
        self._pages = {
            status: StaticFile(archive, archive.entries[path], NO_STORE, ())
            for status, path in archive.manifest.errors.items()
        }

    def answer(self, request: Request) -> Answer:
        path = judge_request_path(request.method, request.target, request.header("host"), request.mount)
        if isinstance(path, int):
            return self.error(path, request, [_ALLOW] if path == 405 else [])
        match = self._router.match(path.decoded or "/")
        if match is None:
            return self.error(404, request)
        route = match.value.route
        if route.kind == "redirect":
            headers = with_route_headers([soft_cache_control(route.cache), NOSNIFF], route.headers)
            return _redirect(route.status, in_mount(route.target, request.mount), headers)
        if route.kind == "entry":
            return self._call(route.target, route, match.matched if route.strip else "", path, request)
        return self._static(match, path, request)

    def error(self, status: int, request: Request, extra: Sequence[Header] = ()) -> Response:
        """
        The app's page for the status, else for its class, else a line of text: an answer of the loader itself. With the
        semantics of GET or HEAD whatever was asked, and without conditions: it is not what they are about.
        """
        answer = self._page(status, request) or text_error(status, request.method)
        # The page describes itself: a route's Content-Type is that of its files.
        return Response(status, add_missing(answer.headers, extra), answer.body)

    def _page(self, status: int, request: Request) -> Optional[Response]:
        page = self._pages.get(str(status)) or self._pages.get(f"{status // 100}xx")
        if page is None:
            return None
        chosen = page.choose(request.header("accept-encoding"))
        headers = [header for header in chosen.headers if header[0] not in ("ETag", "Accept-Ranges")]
        try:
            body = None if request.method == "HEAD" else self._content.open(chosen, may_block=request.may_block)
        except ZappError as error:
            self._on_error(error, chosen.entry.path)
            return None
        return Response(status, headers, body)

    def _static(self, match: Match[_Compiled], path: RequestPath, request: Request) -> Answer:
        route, table, otherwise = match.value.route, match.value.table, match.value.else_file
        reads = request.method in ("GET", "HEAD")
        hit = table.get(match.rest if path.decoded else "") if reads and path.plain else None
        if isinstance(hit, StaticFile):
            return self._file(hit, route, request)
        if isinstance(hit, FolderRedirect):
            return _redirect(308, in_mount(hit.location, request.mount) + path.query, hit.headers)
        if route.else_entry is not None:
            return self._call(route.else_entry, route, "", path, request)
        if not path.plain:
            return self.error(400, request, route.headers)
        if not reads:
            return self.error(405, request, [_ALLOW, *route.headers])
        if otherwise is not None:
            return self._file(otherwise, route, request)
        return self.error(404, request, route.headers)

    def _file(self, file: StaticFile, route: Route, request: Request) -> Response:
        chosen = file.choose(request.header("accept-encoding"))
        verdict = precondition(request.header, chosen.etag)
        if verdict == 304:
            return Response(304, chosen.not_modified)
        if verdict == 412:
            return self.error(412, request, route.headers)
        if request.method == "HEAD":
            return Response(200, chosen.headers)
        if_range = request.header("if-range")
        field = request.header("range") if if_range is None or if_range.strip() == chosen.etag else None
        wanted = parse_range(field, chosen.length)
        if isinstance(wanted, str):
            content_range = ("Content-Range", f"bytes */{chosen.length}")
            return self.error(416, request, [content_range, *route.headers])
        try:
            if wanted is None:
                return Response(200, chosen.headers, self._content.open(chosen, may_block=request.may_block))
            first, last = wanted
            body = self._content.open(chosen, first, last, request.may_block)
        except ZappError as error:
            self._on_error(error, chosen.entry.path)
            return self.error(500, request, route.headers)
        length = str(last - first + 1)
        headers = [(name, length if name == "Content-Length" else value) for name, value in chosen.headers]
        headers.append(("Content-Range", f"bytes {first}-{last}/{chosen.length}"))
        return Response(206, headers, body)

    def _call(self, entry: str, route: Route, prefix: str, path: RequestPath, request: Request) -> Answer:
        path_info = skip_segments(path.raw, count_segments(prefix))
        if is_scheme_relative(path_info):
            return self.error(400, request)
        return EntryCall(entry, _script_name(prefix, request.mount), path_info, path.query, route)


@lru_cache(maxsize=256)
def _script_name(prefix: str, mount: str) -> str:
    """As URL text. There are few: a prefix is one of the routes'."""
    return in_mount(encode_path(prefix), mount)


def _compile(archive: Archive, below: FilesBelow, route: Route) -> _Compiled:
    if route.kind != "static":
        return _Compiled(route, {}, None)
    otherwise = None
    if route.else_file is not None:
        entry = archive.entries[route.else_file]
        otherwise = StaticFile(archive, entry, soft_cache_control(route.cache), route.headers)
    return _Compiled(route, build_static_table(archive, below, route), otherwise)


def _redirect(status: int, location: str, headers: Sequence[Header]) -> Response:
    return Response(status, [("Location", location), ("Content-Length", "0"), *headers])


def text_error(status: int, method: str) -> Response:
    """An error of the loader where no page of the archive tells it."""
    data = f"{status} {reason(status)}\n".encode("ascii")
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(data))), NO_STORE, NOSNIFF]
    return Response(status, headers, None if method == "HEAD" else [data])


#: Where the runtime's phrases are those of an older text than RFC 9110.
_REASONS = {413: "Content Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}


def reason(status: int) -> str:
    try:
        return _REASONS.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"
