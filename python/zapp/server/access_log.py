from __future__ import annotations

import re
import sys
import time
from bisect import bisect_left
from typing import Any, Callable, Optional, Protocol

from .connection import Connection

_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\]')


class AccessLog(Protocol):
    def add(self, connection: Connection, status: int, started: float, app: str) -> None:
        """
        One request, or what a client sent in the place of one, is over. From any thread.

        :param started: seconds since 1970
        :param app: mount of the app that answered, ``-`` if none did
        """

    def flush(self, is_last: bool) -> Optional[float]:
        """Writes what waits, or not yet. :returns: seconds until it shall be called again; None: whenever"""


class LineLog:
    """
    On stderr, as ``zapp serve`` writes it (src/host/access-log.ts):

        2026-01-31T12:00:00.000Z 127.0.0.1 "GET /shop/ HTTP/1.1" 200 5123 3.2ms /shop
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._second = 0
        self._text = ""

    def add(self, connection: Connection, status: int, started: float, app: str) -> None:
        line = connection.line
        words = "-"
        if line is not None:
            target = _UNSAFE.sub(lambda match: f"\\x{ord(match.group()):02x}", line.target)
            words = f"{line.method} {target} HTTP/1.{line.minor}"
        ms = (time.time() - started) * 1000
        end = " aborted" if connection.state == "broken" else ""
        peer, count = _peer(connection), _count(connection)
        self._lines.append(f'{self._time(started)} {peer} "{words}" {status} {count} {ms:.1f}ms {app}{end}\n')

    def flush(self, is_last: bool) -> Optional[float]:
        if self._lines:
            lines, self._lines = self._lines, []
            sys.stderr.write("".join(lines))
            sys.stderr.flush()
        return None

    def _time(self, moment: float) -> str:
        whole = int(moment)
        if whole != self._second:
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
            self._second = whole
        return f"{self._text}.{int((moment - whole) * 1000):03d}Z"


#: Seconds in which requests are told of together, and how many of them: a message for each would cost more than a request.
_TOGETHER = 0.05
_MANY = 256
#: Upper bounds in seconds, as src/host/metrics.ts has them.
_LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class HostLog:
    """
    For a host that counts the requests of all its workers, and writes the log: what was answered on connections that it has
    handed over.
    """

    def __init__(self, say: Callable[[dict[str, Any]], None]):
        """:param say: gets messages as src/host/workers/messages.ts has them"""
        self._say = say
        #: Whether the host writes a log; else it counts only.
        self.writes = True
        self._records: list[list[Any]] = []
        #: Status, bytes and seconds.
        self._counts: list[tuple[int, int, float]] = []
        #: By the monotonic clock.
        self._due = 0.0

    def add(self, connection: Connection, status: int, started: float, app: str) -> None:
        if not connection.origin.is_handed_over:
            return
        seconds = time.time() - started
        is_broken = connection.state == "broken"
        if self.writes:
            line = connection.line
            method, target, version = (line.method, line.target, f"1.{line.minor}") if line else ("-", "-", "-")
            request = (_peer(connection), method, target, version)
            environ = connection.fields.environ if connection.fields else {}
            told = (connection.request_id, environ.get("HTTP_REFERER", ""), environ.get("HTTP_USER_AGENT", ""))
            answer = (status, _count(connection), round(seconds * 1_000_000), int(is_broken), int(app == "-"))
            self._records.append([int(started * 1000), *request, *answer, *told])
        elif app != "-":
            self._counts.append((0 if is_broken else status, _count(connection), seconds))
        connection.request_id = "-"

    def flush(self, is_last: bool) -> Optional[float]:
        count = len(self._records) + len(self._counts)
        if not count:
            return None
        now = time.monotonic()
        if not self._due:
            self._due = now + _TOGETHER
        if count < _MANY and now < self._due and not is_last:
            return self._due - now
        self._due = 0.0
        if self._records:
            self._send_records()
        if self._counts:
            self._send_counts()
        return None

    def _send_records(self) -> None:
        records, self._records = self._records, []
        texts: dict[str, int] = {}
        for record in records:
            record[-2:] = [texts.setdefault(text, len(texts)) for text in record[-2:]]
        self._say({"type": "access", "texts": list(texts), "records": records})

    def _send_counts(self) -> None:
        counts, self._counts = self._counts, []
        requests: dict[str, int] = {}
        latency = [0] * (len(_LATENCIES) + 1)
        size, total = 0, 0.0
        for status, length, seconds in counts:
            kind = f"{status // 100}xx" if status else "aborted"
            requests[kind] = requests.get(kind, 0) + 1
            latency[bisect_left(_LATENCIES, seconds)] += 1
            size += length
            total += seconds
        told = {"requests": requests, "bytes": size, "latency": latency, "seconds": total}
        self._say({"type": "report", "counts": told, "lines": "", "lost": 0})


def _peer(connection: Connection) -> str:
    return (connection.template or connection.environ).get("REMOTE_ADDR") or "-"


def _count(connection: Connection) -> int:
    """Bytes of the response; what still waits for the client is on its way."""
    return connection.sent + len(connection.out)
