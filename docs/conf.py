"""The site: ``python -m sphinx -W -b html docs docs/_build``."""

from importlib.metadata import version as installed_version

project = "wsgi_core"
release = version = installed_version("wsgi_core")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "wsgi_core"
html_show_sphinx = False
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "description"
