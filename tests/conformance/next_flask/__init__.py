"""Find out what will differ with Flask's next version: ``python -m tests.conformance.next_flask --flask CHECKOUT``.

`observe` runs in a process that imports the next Flask. It records the golden cases, and compares random programs with
the core. `report` makes docs/flask-next.md. The core stays at Flask 3.1.3, so a difference is not a failure.
"""
