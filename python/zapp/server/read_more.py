from __future__ import annotations

import time

from .connection import Connection
from .limits import HEAD_TIMEOUT, MIN_RATE, READ, STALL_TIMEOUT
from .refusal import Refusal


def read_more(connection: Connection) -> bool:
    """
    Adds to the buffer what has come, without blocking. What has come in time gives the client more time.

    :returns: False, if the connection has ended
    :raises Refusal: where it has ended within a body
    """
    try:
        data = connection.socket.recv(READ)
    except BlockingIOError:
        connection.has_input = False
        return True
    except OSError:
        return False
    if not data:
        if connection.state == "body":
            connection.is_ended = True
            raise Refusal(400, "The request has ended too early.")
        return False
    if connection.state == "body":
        # A byte now and then does not keep it: what comes is worth as much time as it may take by MIN_RATE.
        worth = connection.deadline + len(data) / MIN_RATE
        connection.deadline = min(worth, time.monotonic() + STALL_TIMEOUT)
    elif not connection.buffer and connection.served:
        connection.deadline = time.monotonic() + HEAD_TIMEOUT
    if len(data) < READ and not connection.has_end:
        # There was no more. What comes later is told of.
        connection.has_input = False
    connection.buffer = connection.buffer + data if connection.buffer else data
    return True
