"""Sphinx's settings for the website. website.py copies this file beside the pages that it writes."""

project = "moram"
author = copyright = "moram developers"
extensions = ["myst_nb"]
nb_execution_mode = "off"  # notebooks are committed with their outputs
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "moram"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_sourcelink = False
html_copy_source = False
# Nothing is loaded from elsewhere: the page works where there is no network.
mathjax_path = "tex-svg.js"
nb_ipywidgets_js = {"require.js": {}, "embed-amd.js": {"data-jupyter-widgets-cdn-only": "false"}}
