"""How the documentation is built (``make docs``): nothing is fetched, and pages load nothing from elsewhere."""

import sys
from pathlib import Path

import heatproof

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "heatproof"
author = "the authors of heatproof"
version = release = heatproof.__version__
copyright = author  # shown in the footer

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml", "commands", "docstrings", "needs"]
exclude_patterns = ["_ext"]
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*"), ("py:.*", r"(?!heatproof\.).*")]  # signatures name what has no page

smartquotes = False  # "--option" is no dash
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 4

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
add_module_names = False
napoleon_numpy_docstring = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "heatproof"
html_static_path = ["_static"]
html_css_files = ["heatproof.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True, "source_edit_link": ""}
