from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Callable, Deque, Optional

if TYPE_CHECKING:
    from .connection import Connection

#: Seconds that a request may take before somebody else looks after the other connections.
PATIENCE = 0.002
#: Seconds; a request that takes longer is no quick one.
QUICK = 0.001
#: Share of requests that are not quick from which on nobody waits for PATIENCE to pass.
SLOW_SHARE = 0.3


class Member:
    """A thread of the crew."""

    def __init__(self, may_run: bool):
        #: Whether it may call the app. The keeper may not.
        self.may_run = may_run
        #: Released by who hands the baton to this thread.
        self.turn = threading.Lock()
        self.turn.acquire()
        #: When the request that it is in began, by the monotonic clock; 0: it is in none.
        self.since = 0.0
        #: Of that request, or the last one.
        self.connection: Optional["Connection"] = None


class Crew:
    """
    Threads that share one loop. Whoever holds the baton runs the loop, and answers what it finds by itself: a quick
    request never changes threads. While it is in the app the baton lies there to be taken: if it is there for
    longer than PATIENCE, the keeper hands it to an idle thread, and who comes back from the app finds itself without.

    So threads switch only for requests that take time; one more thread than may call the app sees to it that
    somebody always can listen, even if all others are busy.
    """

    def __init__(self, count: int, lead: Callable[[Member], None], assist: Callable[[Member], bool]):
        """
        :param count: threads that may be in the app at once
        :param lead: runs the loop, with the baton; returns without it, or at the end
        :param assist: without the baton: answers one request that waits for a thread. False: there is none
        """
        self._lead = lead
        self._assist = assist
        self._baton = threading.Lock()
        self._idle: Deque[Member] = deque()
        self.members = [Member(True) for _ in range(count)]
        self._keeper = Member(False)
        self._offers = 0
        self._sleeps = False
        self._bell = threading.Lock()
        self._bell.acquire()
        self._slow = 0.0
        self.is_over = False
        #: Called by the keeper now and then while requests run.
        self.inspect: Optional[Callable[[], None]] = None
        #: Called by a thread that has nothing to do, so that a keeper who leads passes the baton on.
        self.nudge: Callable[[], None] = lambda: None

    def run(self) -> None:
        """Leads from this thread on; returns when ``end`` was called."""
        self._baton.acquire()
        for member in self.members[1:]:
            threading.Thread(target=self._work, args=(member, False), name="zapp", daemon=True).start()
        threading.Thread(target=self._keep, name="zapp-keeper", daemon=True).start()
        self._work(self.members[0], True)

    def end(self) -> None:
        self.is_over = True
        for member in self.members:
            _release(member.turn)
        _release(self._bell)

    def before_app(self, member: Member, now: float) -> bool:
        """Lays the baton down, or hands it over at once. :returns: whether it may be there afterwards"""
        member.since = now
        if self._slow > SLOW_SHARE and self.pass_on():
            return False
        self._baton.release()
        self._offers += 1
        if self._sleeps:
            _release(self._bell)
        return True

    def after_app(self, member: Member, now: float) -> None:
        self._slow += ((now - member.since > QUICK) - self._slow) / 16
        member.since = 0.0

    def retake(self) -> bool:
        return self._baton.acquire(False)

    def pass_on(self) -> bool:
        """Gives the baton to an idle thread, if there is one."""
        try:
            member = self._idle.pop()
        except IndexError:
            return False
        member.turn.release()
        return True

    @property
    def has_idle(self) -> bool:
        return bool(self._idle)

    def _work(self, me: Member, leads: bool) -> None:
        while not self.is_over:
            if leads:
                self._lead(me)
            while not self.is_over:
                leads = self.retake()
                if leads or not self._assist(me):
                    break
            if not leads and not self.is_over:
                self._idle.append(me)
                self.nudge()
                me.turn.acquire()
                leads = True

    def _keep(self) -> None:
        """Takes the baton from who does not come back in time."""
        seen, quiet = 0, 0
        while not self.is_over:
            if quiet > 10:
                # Nothing has happened for a while: sleep until the next request, or look at those that run still.
                self._sleeps = True
                if self._baton.locked():
                    busy = any(member.since for member in self.members)
                    self._bell.acquire(timeout=0.5 if busy else 60)
                self._sleeps = False
                quiet = 0
            time.sleep(PATIENCE)
            if self.inspect:
                self.inspect()
            if self._offers != seen:
                seen, quiet = self._offers, 0
            elif self.retake():
                if not self.pass_on():
                    self._lead(self._keeper)
            else:
                quiet += 1


def _release(lock: threading.Lock) -> None:
    try:
        lock.release()
    except RuntimeError:
        pass
