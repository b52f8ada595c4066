"""The tests. A package, so that ``python -m tests.conformance.flask_suite`` finds this folder and no other."""
