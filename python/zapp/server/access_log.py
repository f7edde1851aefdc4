from __future__ import annotations

import re
import time

from .connection import Connection

_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\]')
_last: "tuple[int, str]" = (0, "")


def access_line(connection: Connection, status: int, started: float, app: str) -> str:
    """
    As ``zapp serve`` writes it (src/host/access-log.ts):

        2026-01-31T12:00:00.000Z 127.0.0.1 "GET /shop/ HTTP/1.1" 200 5123 3.2ms /shop

    :param started: seconds since 1970
    :param app: mount of the app that answered, ``-`` if none did
    """
    line = connection.line
    words = "-"
    if line is not None:
        target = _UNSAFE.sub(lambda match: f"\\x{ord(match.group()):02x}", line.target)
        words = f"{line.method} {target} HTTP/1.{line.minor}"
    environ = connection.template or connection.environ
    peer = environ.get("REMOTE_ADDR") or "-"
    is_broken = connection.state == "broken"
    ms = (time.time() - started) * 1000
    end = " aborted" if is_broken else ""
    count = connection.sent + len(connection.out)
    return f'{_time(started)} {peer} "{words}" {status} {count} {ms:.1f}ms {app}{end}\n'


def _time(moment: float) -> str:
    global _last
    whole = int(moment)
    second, text = _last
    if second != whole:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        _last = (whole, text)
    return f"{text}.{int((moment - whole) * 1000):03d}Z"
