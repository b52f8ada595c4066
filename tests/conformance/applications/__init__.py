"""Whole applications on Flask and on the core: the same requests get the same responses.

The command is ``python -m tests.conformance.applications``. `programs` has what runs in an application's own
environment, `visits` the requests, `answers` what is compared of a response; `run` starts an application on one side.
"""
