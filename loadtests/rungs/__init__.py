"""The rungs of the ladder: one small application per file. All of them do the same work.

Each rung takes a POST with a JSON object of features, parses it, calls the model and responds with JSON. All rungs
respond with the same bytes; ``loadtests.instrument.driver`` compares them before anything is timed. A rung is a
function ``create_app(model=...)`` that returns a WSGI callable. ``work.py`` has the code that all rungs share.
"""
