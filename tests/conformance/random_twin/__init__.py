"""The random twin: random programs that are built on Flask and on wsgi_core, and must behave the same on both.

A program is data: an application and its requests. `program` defines it, `ops` and `ends` have what its functions do
and how they end, and `strategy` draws programs. `build` makes the app of a program, and `run` sends its requests,
records what happens, and compares both sides. ``python -m tests.conformance.random_twin`` runs any number of programs.
"""
