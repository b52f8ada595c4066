"""Measure what a web framework costs: the applications to measure, the instrument that times them, and the report.

``python -m loadtests`` (= ``wsgi-core overhead``) runs a study. The main part of the default study is the *ladder*:
applications that do the same work, from a plain WSGI function up to Flask. Each application is a *rung*, with more of a
framework than the rung below it. In process, a study calls the applications without a server: several processes time
all rungs in short, alternating blocks of requests. Behind a server, a study measures the server's CPU time at a fixed
rate, the rate at saturation, and latencies.

``wsgi_core`` and ``flask_equiv`` never import this package. Read ``studies.py`` for what is measured, ``rungs/`` for
the applications, ``instrument/driver.py`` and ``instrument/asgi.py`` for how a block is timed, ``instrument/stats.py``
for how an interval is computed, ``load/served.py`` for the measurements behind a server, ``load/openloop.py`` for the
latencies, and ``distributed.md`` for load from other machines.
"""
