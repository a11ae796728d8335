"""How Sphinx makes the site of these pages: `make docs`."""

import mlmw

project = "mlmw"
author = "the mlmw authors"
version = release = mlmw.__version__
extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["example"]

# Links to headings count as links: one that leads nowhere stops the build, as all warnings do.
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = "mlmw"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "friendly"
copybutton_exclude = ".linenos, .gp, .go"
