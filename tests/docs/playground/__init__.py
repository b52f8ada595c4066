"""Build the playground into the site: ``python -m tests.docs.playground [SITE]``.

The page, its script and its style are files in docs/playground/site. This package adds the other files: CPython in
WebAssembly and the editor come from npm, Flask and its libraries from PyPI, each with a pinned version and hash, and
the project itself from this checkout. Every download is cached.
"""
