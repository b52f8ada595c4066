"""The applications to measure. A rung of the ladder is a small application, one per file, and all rungs do the same
work.

A rung handles a POST with a JSON object of features: it parses the JSON, calls the model and responds with JSON. Before
anything is timed, the responses of the rungs are compared. They must be equal, apart from differences that an
experiment allows.

The function ``create_app(model=...)`` of a rung returns a WSGI or ASGI application. ``work.py`` has the code that the
rungs share. The other modules have applications that are not rungs: for single cases (``cases_app.py``,
``library.py``), for parts of a request (``phases.py``, ``pieces.py``), and with injected delays (``delayed.py``).
"""
