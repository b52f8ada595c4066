"""What does the framework cost? The ladder of rungs, the instrument that measures it, and the report.

``python -m loadtests`` (= ``wsgi-core overhead``) runs a study: in process, rung against rung in interleaved
blocks over several processes, and served: CPU time at a fixed rate, saturation, and latencies of an open loop beside
Locust's closed one. Nothing imports this package.

Read ``studies.py`` for what is measured, ``rungs/`` for the applications, ``driver.py`` (``asgi.py``) for how one
block is timed, ``stats.py`` for how an interval comes about, ``served.py`` for the part that goes over the wire,
``openloop.py`` for its latencies, and ``distributed.md`` for load from other machines.
"""
