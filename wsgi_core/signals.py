"""The signals that the lifecycle sends, on blinker, under Flask's names.

The lifecycle looks at ``signal.receivers`` before it sends: a signal that nobody listens to costs one
attribute read and no call.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

appcontext_pushed = _signals.signal("appcontext-pushed")
request_started = _signals.signal("request-started")
before_render_template = _signals.signal("before-render-template")
template_rendered = _signals.signal("template-rendered")
message_flashed = _signals.signal("message-flashed")
got_request_exception = _signals.signal("got-request-exception")
request_finished = _signals.signal("request-finished")
request_tearing_down = _signals.signal("request-tearing-down")
appcontext_tearing_down = _signals.signal("appcontext-tearing-down")
appcontext_popped = _signals.signal("appcontext-popped")
