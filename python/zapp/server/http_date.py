from __future__ import annotations

import time
from email.utils import formatdate

_last: tuple[int, str] = (0, "")


def http_date() -> str:
    """Now, as the field Date has it (RFC 9110 §5.6.7); made once in a second."""
    global _last
    now = int(time.time())
    second, text = _last
    if second != now:
        text = formatdate(now, usegmt=True)
        _last = (now, text)
    return text
