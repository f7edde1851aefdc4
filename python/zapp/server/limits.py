"""What a client may cost. The same numbers as the host for Node has, and for the same reasons."""

from __future__ import annotations

#: Bytes of request line and fields: what servers in front of us use as well.
MAX_HEAD = 16 * 1024
#: Bytes of a request-target.
MAX_TARGET = 8 * 1024
#: More than any browser or proxy sends.
MAX_FIELDS = 100
#: Bytes of a line that begins a chunk, and of all trailers together: nobody uses either.
MAX_CHUNK_LINE = 256
MAX_TRAILERS = 4 * 1024

#: Bytes that are read at once.
READ = 64 * 1024
#: Bytes of a body that are there before the app is called, so that a slow client holds no thread.
BODY_AHEAD = 64 * 1024
#: Bytes of a response that may wait for a slow client after the app is done with it.
OUT_AHEAD = 1024 * 1024

#: Bytes of a body that the app has left unread, which are read for the sake of the connection.
MAX_DISCARD = 1024 * 1024

#: Seconds for a head, or the first part of a body, to arrive; it is answered 408 then.
HEAD_TIMEOUT = 15.0
#: Longer than the 60 s of usual load balancers, so that it is never they who write into a closed connection.
KEEP_ALIVE = 65.0
#: Seconds without a byte of a body, or without a byte that the client takes.
STALL_TIMEOUT = 30.0
#: Bytes in a second that a client must send of a body, or take of a response, while it is waited for: as Apache's
#: mod_reqtimeout. Judged after STALL_TIMEOUT.
MIN_RATE = 500
#: Seconds for a client to notice that its request is not read any further.
LINGER_TIMEOUT = 2.0
#: Seconds that an idle connection is kept in a process that another one takes over from.
IDLE_DRAIN = 5.0
#: Connections at once in one process, where the limit of open files is not lower.
MAX_CONNECTIONS = 10_000
