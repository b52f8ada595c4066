"""One application for each extension: ``create_app()``, and ``visit(send)``, which is what a client does there."""
