"""One corpus, run against both apps."""
