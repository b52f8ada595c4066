"""The applications to measure. Most are *rungs*: small applications that do the same work, one in each file.

A rung handles a POST with a JSON object of features: it parses the JSON, calls the model and responds with JSON. It
uses a whole framework, a part of a framework, or no framework. Before anything is timed, the responses of the rungs are
compared. A rung's ``create_app(model=...)`` returns the application.

These modules have no rungs: ``work.py`` (shared code), ``cases_app.py`` and ``library.py`` (applications for single
cases), ``phases.py`` and ``pieces.py`` (parts of a request), ``delayed.py`` (delays).
"""
