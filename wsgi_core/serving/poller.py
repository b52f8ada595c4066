"""Which connections are ready: what each waits for is told to the system once, and again only when it changes.

waitress asks every connection what it waits for on each turn of its loop, so that a turn takes the longer the more
clients there are, and nothing is read meanwhile.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from contextlib import suppress
from typing import Any

from waitress import wasyncore

# Connections to be handled before the next look: who comes new should not wait for a crowd.
_IN_A_TURN = 64
# epoll would have to be told of each change by a call that gives up the interpreter, see `nonblocking`; poll() is told
# when it waits. select() is what there is on Windows, where it takes 512 sockets.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Poller(dict[int, Any]):
    """wasyncore's map of dispatchers by file number: who is in it is watched.

    Only the thread that calls `step` may add and remove; `changed` may be called from any.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Selector()
        self._watched: dict[int, int] = {}
        self._last = -1
        self._changed: deque[Any] = deque()

    def __setitem__(self, number: int, dispatcher: Any) -> None:
        """Watch it, once it is ready to say for what."""
        super().__setitem__(number, dispatcher)
        self._changed.append(dispatcher)

    def __delitem__(self, number: int) -> None:
        """Watch it no longer; its file is still open."""
        super().__delitem__(number)
        self._watch(number, 0, None)

    def changed(self, dispatcher: Any) -> bool:
        """Whether a dispatcher waits for something else than it did, so that the loop has to be woken up."""
        if self._watched.get(dispatcher._fileno, 0) == _wish(dispatcher):
            return False
        self._changed.append(dispatcher)
        return True

    def step(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds for something to do, and do it."""
        while self._changed:
            self._look_at(self._changed.popleft())
        if not self._watched:  # which select() on Windows takes for a mistake
            time.sleep(timeout)
            return
        ready = self._selector.select(timeout)
        if len(ready) > _IN_A_TURN:
            # Who accepts comes first, and then whoever was not reached the last time.
            ready.sort(key=lambda one: (not one[0].data.accepting, one[0].fd <= self._last, one[0].fd))
            del ready[_IN_A_TURN:]
            self._last = ready[-1][0].fd
        for key, events in ready:
            dispatcher = key.data
            if events & selectors.EVENT_READ and self.get(key.fd) is dispatcher:
                wasyncore.read(dispatcher)
            if events & selectors.EVENT_WRITE and self.get(key.fd) is dispatcher:
                wasyncore.write(dispatcher)
            self._look_at(dispatcher)

    def close(self) -> None:
        """Give the system's own object back."""
        self._selector.close()

    def _look_at(self, dispatcher: Any) -> None:
        number = dispatcher._fileno
        if self.get(number) is not dispatcher:
            return
        if self._watch(number, _wish(dispatcher), dispatcher):
            # It may have changed meanwhile, and its thread have compared it with what was watched before.
            self.changed(dispatcher)

    def _watch(self, number: int, wish: int, dispatcher: Any) -> bool:
        """Tell the system, unless it knows."""
        before = self._watched.get(number, 0)
        if wish == before:
            return False
        self._watched[number] = wish
        if not wish:
            del self._watched[number]
            with suppress(KeyError):
                self._selector.unregister(number)
        elif before:
            self._selector.modify(number, wish, dispatcher)
        else:
            self._selector.register(number, wish, dispatcher)
        return True


def _wish(dispatcher: Any) -> int:
    """What a dispatcher waits for: some of selectors' events, or 0."""
    reading = selectors.EVENT_READ if dispatcher.readable() else 0
    # One that accepts is never written to.
    return reading | (selectors.EVENT_WRITE if not dispatcher.accepting and dispatcher.writable() else 0)
