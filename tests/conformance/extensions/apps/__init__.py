"""One application for each extension: ``create_app()`` makes it, and ``visit(send)`` sends a client's requests."""
