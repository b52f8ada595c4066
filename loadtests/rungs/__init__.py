"""The applications to measure. Most of them are *rungs*: small applications that do the same work, one in each file.

A rung has a whole framework, a part of a framework, or no framework. It handles a POST with a JSON object of features:
it parses the JSON, calls the model and responds with JSON. Before anything is timed, the responses of the rungs are
compared. They must be equal, apart from differences that an experiment allows.

The function ``create_app(model=...)`` of a rung returns a WSGI or ASGI application. ``work.py`` has the code that the
rungs share. The other modules have applications that are not rungs: for single cases (``cases_app.py``,
``library.py``), for parts of a request (``phases.py``, ``pieces.py``), and with injected delays (``delayed.py``).
"""
