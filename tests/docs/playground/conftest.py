"""Put the folders of the page's own Python modules on ``sys.path``."""

from __future__ import annotations

import sys

from tests.conformance.flask_suite import suite

from . import fetched

# In the page's Python, these modules are at the top level.
for folder in (fetched.SOURCES, suite.PLUGIN):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
