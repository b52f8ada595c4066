"""The tests. This folder is a package, so that ``python -m tests.conformance.flask_suite`` works in a checkout."""

import os

# Otherwise each process that imports Hypothesis also imports trio.
os.environ.setdefault("HYPOTHESIS_NO_PLUGINS", "1")
