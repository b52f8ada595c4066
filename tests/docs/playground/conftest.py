"""The page's own Python modules, which stand where the page's other sources stand."""

from __future__ import annotations

import sys

from tests.conformance.flask_suite import suite

from . import fetched

# They are modules at the top in the page's Python.
for folder in (fetched.SOURCES, suite.PLUGIN):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
