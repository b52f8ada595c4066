"""Flask's own test suite, run unchanged against `wsgi_core`: ``python -m tests.conformance.flask_suite``.

`fetch` brings Flask's source distribution and the pinned packages, `suite` runs its tests in a process of
their own where the plugin answers ``import flask``, `denominator` knows which tests count, `report` judges.
"""
