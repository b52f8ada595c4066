"""The rungs of the ladder: one small application a file, all doing the same work.

Each takes a POST of a JSON object of features, parses it, calls the model and answers JSON, with the same
bytes on every rung; ``loadtests.instrument.driver`` compares them before anything is timed. A rung is a function
``create_app(model=...)`` that gives a WSGI callable; ``work.py`` holds what they share.
"""
