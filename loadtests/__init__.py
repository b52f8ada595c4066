"""What does the framework cost? The ladder of rungs, the instrument that measures it, and the report.

``python -m loadtests`` (= ``wsgi-core overhead``) runs a study: in process, rung against rung in interleaved
blocks over several processes, and served, by waitress under Locust's load. Nothing imports this package.

Read ``studies.py`` for what is measured, ``rungs/`` for the applications, ``driver.py`` for how one block is
timed, ``stats.py`` for how an interval comes about, and ``served.py`` for the part that goes over the wire.
"""
