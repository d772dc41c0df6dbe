"""Sphinx's settings for the website. build.py lays out the pages and starts Sphinx with this file."""

import re
from pathlib import Path

from fastcore.docments import docments

project = "moram"
author = copyright = "moram developers"
extensions = ["myst_nb", "sphinx.ext.autodoc"]

nb_execution_mode = "off"  # notebooks are committed with their outputs
nb_merge_streams = True
nb_render_markdown_format = "gfm"  # else tables in outputs stay bars and dashes
nb_code_prompt_show = "{type}"
nb_code_prompt_hide = "{type}"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource", "undoc-members": True}
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "moram"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_show_sourcelink = False
html_copy_source = False
# Nothing is loaded from elsewhere: the pages work where there is no network.
mathjax_path = "tex-svg.js"
nb_ipywidgets_js = {"require.js": {}, "widgets.js": {}, "embed-amd.js": {}}


def as_rest(text):
    "Our docstrings are plain English with `code` in them: nothing else in them is markup."
    parts = re.split(r"`([^`]+)`", text)
    return "".join(f"``{part}``" if i % 2 else re.sub(r"([*|_\\])", r"\\\1", part) for i, part in enumerate(parts))


def add_docments(app, what, name, thing, options, lines):
    "The comments behind the parameters, as Sphinx writes parameters."
    lines[:] = as_rest(re.sub(r"^\x08\n(.+):\n", r"\1::\n\n", "\n".join(lines), flags=re.MULTILINE)).split("\n")  # Click's \b
    if what not in ("function", "method") or not callable(thing):
        return
    try:
        found = docments(thing, returns=True)
    except (OSError, TypeError, SyntaxError):  # no source of its own
        return
    said = {key: as_rest(" ".join(text.split())) for key, text in found.items() if text}
    fields = [f":returns: {text}" if key == "return" else f":param {key}: {text}" for key, text in said.items()]
    lines += ["", *fields, ""]


def setup(app):
    app.connect("autodoc-process-docstring", add_docments)
    return {"parallel_read_safe": True}
