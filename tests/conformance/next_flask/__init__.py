"""What will differ with Flask's next version: ``python -m tests.conformance.next_flask --flask CHECKOUT``.

`observe` runs in a process that imports the next Flask: it records the golden cases and runs random programs against
the core. `report` writes docs/flask-next.md. The core stays at Flask 3.1.3, so a difference is no failure.
"""
