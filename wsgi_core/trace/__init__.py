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

`trace` sends one request. `recording` records the requests that are sent in its ``with`` block. `compare` aligns the
events of two traces. Two events are equal if their kind, name and detail are equal. `compare_answers` compares two
responses: status, headers and body.

With ``snapshots=True``, each event has a `Snapshot` of the state, such as the source lines, the contexts and the hooks.

In some places, the two frameworks do the same thing in different ways. Therefore, both are recorded by these rules:

- *signal sent* is recorded only if the signal has a receiver. The reason is that Flask always calls ``send``, but the
  core calls ``send`` only if there is a receiver. With ``signals=True``, every signal of the framework has a receiver.
- *session opened* is recorded at the first push of the request context. If the core defers the opening until the
  session is used, the event has a note.
- *session saved* is recorded if saving changes the response's headers or raises an exception. It is also recorded if
  the app's session interface defines its own ``save_session``.
- *request context pushed* is recorded after the events of the application context, just before the request context
  becomes current.
- *request context popped* is recorded after the teardown functions, just before the request context stops being
  current.
- *view* has a note if the view is a generator function, because its call only creates the generator.
- *raises*, in the detail of an event, means that an exception left the function.

The code of the frameworks and of the app is not changed. The Python interpreter reports the calls (see `watcher`).
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
