"""What does the framework cost? The ladder of rungs, the instrument that measures them, and the report.

``python -m loadtests`` (= ``wsgi-core overhead``) runs a study. In process, it measures the rungs in interleaved blocks
over several processes. Served, it measures CPU time at a fixed rate, the rate at saturation, and latencies in an open
loop beside Locust's closed loop.

No other package imports this one. Read ``studies.py`` for what is measured, ``rungs/`` for the applications,
``instrument/driver.py`` and ``instrument/asgi.py`` for how a block is timed, ``instrument/stats.py`` for how an
interval is computed, ``load/served.py`` for the served part, ``load/openloop.py`` for its latencies, and
``distributed.md`` for load from other machines.
"""
