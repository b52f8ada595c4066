"""The page's own Python modules, which are in the folder of the page's other sources."""

from __future__ import annotations

import sys

from tests.conformance.flask_suite import suite

from . import fetched

# They are modules at the top in the page's Python.
for folder in (fetched.SOURCES, suite.PLUGIN):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
