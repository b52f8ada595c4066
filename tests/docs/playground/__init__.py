"""Builds the playground into the site: ``python -m tests.docs.playground [SITE]``.

The page, its script and its style are plain files of docs/playground/site, which Sphinx copies. What they load is made
here: CPython in WebAssembly and the editor from npm, Flask and its libraries from PyPI, each in the version and with
the hash that docs/playground names, and the project itself. Nothing is fetched twice.
"""
