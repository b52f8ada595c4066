"""The tests. This folder is a package, so that ``python -m tests.conformance.flask_suite`` works in a checkout."""
