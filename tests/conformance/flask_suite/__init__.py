"""Flask's own test suite, run unchanged against `wsgi_core`: ``python -m tests.conformance.flask_suite``.

`fetch` downloads Flask's source distribution and the pinned packages. `suite` runs its tests in a separate process, in
which a plugin makes ``import flask`` import wsgi_core. `denominator` lists the tests that count. `report` judges the
outcomes and writes the page.
"""
