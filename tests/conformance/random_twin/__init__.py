"""The random twin: one program, drawn as data, built on Flask and on wsgi_core, and watched on both.

`program` says what a program is, `ops` and `ends` what its functions do and how they end, `strategy` draws
programs, `build` makes the app of one, `run` sends its requests and notes what happened, and `compare` says
whether both sides did the same. ``python -m tests.conformance.random_twin`` runs as many as you like.
"""
