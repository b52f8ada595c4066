"""The configuration of the site. Build the site with ``python -m sphinx -W -b html docs docs/_build``."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

project = "wsgi_core"
release = version = installed_version("wsgi_core")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
# A button copies the commands of a block, without the prompts and the output.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_line_continuation_character = "\\"
# The chapters include these files. They are not pages.
exclude_patterns = ["_build", "course/*.price.md", "course/*.exercises.md"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "wsgi_core"
html_static_path = ["_static"]
# The page of the playground. Its other files are built by: python -m tests.docs.playground
html_extra_path = ["playground/site"]
html_css_files = ["site.css"]
html_favicon = "../wsgi_core/service/static/icon.svg"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False

# In docstrings, as in Markdown, text in single backticks is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
suppress_warnings = ["ref.python"]


def skip_what_is_not_ours(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Return True, which leaves out a member, if another package defines the member, such as Werkzeug."""
    module = getattr(getattr(obj, "fget", obj), "__module__", None)
    return True if module and not module.startswith("wsgi_core") else None


def write_traces(app: Sphinx) -> None:
    """Write an HTML page for each recorded trace."""
    from tests.docs.traces import write_pages

    write_pages()


def setup(app: Sphinx) -> None:
    app.connect("autodoc-skip-member", skip_what_is_not_ours)
    app.connect("builder-inited", write_traces)
