"""Trace one request through the core and through Flask, and compare the two traces.

>>> from wsgi_core import App
>>> app = App("example")
>>> @app.get("/")
... def index():
...     return "hello"
>>> seen = trace(app, "/")
>>> seen.status
'200 OK'
>>> [event.name for event in seen.events if event.kind == "view"]
['index']

`trace` sends one request. `recording` records the requests inside its ``with`` block. `compare` aligns two lists
of events. Two events are equal if their kind, name and detail are equal: the other fields of `Event`, such as its time,
are not compared. `compare_answers` compares the responses: status, headers and body.

In some places the two frameworks do the same thing in different ways. These rules make the traces comparable there:

- *signal sent* is recorded only if the signal has a receiver. Flask always calls ``send``, and the core calls ``send``
  only if there is a receiver. An application cannot see the difference. With ``signals=True`` every signal of the
  framework has a receiver.
- *session opened* is recorded when the session becomes usable, at the first push of the request context. The core
  may defer the opening if the request has no cookie and the session has not been used yet. In this case, the event
  has a note.
- *session saved* is recorded if saving changed the response's headers or raised an exception, or if the app's session
  interface defines its own ``save_session``. Flask also calls ``save_session`` for an unmodified session, which usually
  changes no header.
- *request context pushed* comes after the events of the application context, just before the request context becomes
  current. *request context popped* comes after the teardown functions, just before the request context stops being
  current.
- *view*: if the view is a generator function, its call only creates the generator. In this case, the event has a note.
- *raises*, in an event's detail, means that an exception left the function.

With ``snapshots=True`` each event has a `Snapshot` of the state, such as the source lines, the contexts and the hooks.

The code of the frameworks and of the app is not changed, because the interpreter reports the calls (`watcher`).
"""

from __future__ import annotations

from .align import Row, compare
from .drive import Recording, build_environ, recording, trace
from .events import GROUPS, Event, Snapshot, Trace
from .responses import compare_answers

__all__ = [
    "GROUPS",
    "Event",
    "Recording",
    "Row",
    "Snapshot",
    "Trace",
    "build_environ",
    "compare",
    "compare_answers",
    "recording",
    "trace",
]
