"""Measure what a web framework costs: the applications, the instrument that times them, and the report.

``python -m loadtests`` is the same command as ``wsgi-core overhead``. It runs a study. The default study measures the
*ladder*: applications that do the same work, from a plain WSGI function up to Flask. Each application is a *rung*.

In process, a study calls the applications without a server. Several processes time them in short, alternating blocks of
requests. Behind a server, a study measures the server's CPU time per request, the maximum rate, and latencies.

Where to read:

- ``studies.py``: what is measured
- ``rungs/``: the applications
- ``instrument/driver.py`` and ``instrument/asgi.py``: how a block of requests is timed
- ``instrument/stats.py``: how an interval is computed
- ``load/served.py`` and ``load/openloop.py``: how servers and latencies are measured
- ``distributed.md``: how to send requests from other machines
"""
