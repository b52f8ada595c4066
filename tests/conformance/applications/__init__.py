"""Whole applications on Flask and on the core: the same requests get the same responses.

The command is ``python -m tests.conformance.applications``. `programs` has the files that run in an application's own
virtual environment, and `visits` has the requests. `answers` makes responses comparable, and `run` starts an
application on one side.
"""
