from __future__ import annotations

import select
import selectors
from typing import List, Optional, Protocol, Tuple

Events = List[Tuple[int, int]]

READ, WRITE, ENDED = 1, 2, 4


class Poller(Protocol):
    """
    Tells when descriptors turn ready. Of connections it tells each turn once, and nothing more until ``rearm``, or
    until the next one comes: a connection that a thread is busy with wakes nobody again and again. One that was never
    waited for is not known here.
    """

    def watch(self, descriptor: int) -> None:
        """A listener, a channel: told of as long as there is something to read."""

    def rearm(self, descriptor: int, for_output: bool) -> None:
        """A connection is to be waited for."""

    def remove(self, descriptor: int) -> None: ...

    def poll(self, timeout: Optional[float]) -> Events: ...

    def close(self) -> None: ...


def make_poller() -> Poller:
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()


class EpollPoller:
    """Edge-triggered: one system call for the whole life of a connection, and none where all has come at once."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._in, self._out = select.EPOLLIN, select.EPOLLOUT
        self._ended = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
        self._edges = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        self._known: set[int] = set()

    def watch(self, descriptor: int) -> None:
        # Without EPOLLEXCLUSIVE: where several processes wait for one listener, the one that is woken may decline.
        self._epoll.register(descriptor, select.EPOLLIN)
        self._known.add(descriptor)

    def rearm(self, descriptor: int, for_output: bool) -> None:
        if descriptor not in self._known:
            # What has come before it is told of as well.
            self._epoll.register(descriptor, self._edges)
            self._known.add(descriptor)

    def remove(self, descriptor: int) -> None:
        if descriptor not in self._known:
            return
        self._known.remove(descriptor)
        try:
            self._epoll.unregister(descriptor)
        except OSError:
            pass

    def poll(self, timeout: Optional[float]) -> Events:
        read, write, ended = self._in, self._out, self._ended
        return [
            (descriptor, (READ if mask & read else 0) | (WRITE if mask & write else 0) | (ENDED if mask & ended else 0))
            for descriptor, mask in self._epoll.poll(timeout)
        ]

    def close(self) -> None:
        self._epoll.close()


class SelectorPoller:
    """For systems without epoll: what was told of is watched again when it is asked for."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._watched: set[int] = set()

    def watch(self, descriptor: int) -> None:
        self._watched.add(descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ)

    def rearm(self, descriptor: int, for_output: bool) -> None:
        events = selectors.EVENT_WRITE if for_output else selectors.EVENT_READ
        try:
            self._selector.modify(descriptor, events)
        except KeyError:
            self._selector.register(descriptor, events)

    def remove(self, descriptor: int) -> None:
        self._watched.discard(descriptor)
        try:
            self._selector.unregister(descriptor)
        except (KeyError, ValueError):
            pass

    def poll(self, timeout: Optional[float]) -> Events:
        events = []
        for key, mask in self._selector.select(timeout):
            if key.fd not in self._watched:
                self._selector.unregister(key.fd)
            events.append((key.fd, (READ if mask & selectors.EVENT_READ else 0) | (WRITE if mask & 2 else 0)))
        return events

    def close(self) -> None:
        self._selector.close()
