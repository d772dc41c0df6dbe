"""Write README.md from nbs/index.ipynb without Quarto; with --check, only say whether it agrees."""

import argparse
import difflib
import os
import posixpath
import re
import shutil
import sys
from pathlib import Path

import nbformat
from execnb.nbio import nb2str
from nbconvert import MarkdownExporter
from nbdev.process import NBProcessor
from nbdev.processors import clean_magics, filter_stream_, hide_, hide_line, rm_export, rm_header_dash, strip_ansi

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "nbs" / "index.ipynb"
README = ROOT / "README.md"
FIGURES = ROOT / "README_files"
NOTICE = "<!-- Written by .ci/readme.py from nbs/index.ipynb: edit the notebook, not this file. -->\n\n"
# Those of nbdev's own processors that make sense outside its site: no front matter, no links to hosted pages.
PROCESSORS = [strip_ansi, hide_line, filter_stream_, rm_header_dash, rm_export, clean_magics, hide_]

LINK = re.compile(r"""(\]\(|(?:src|href)=["'])([^)\s"']+)""")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def directive(cell, name):
    "The value of `#| name: value` in `cell`, or an empty string."
    return " ".join(cell.directives_.get(f"{name}:", []))


def is_readable(output):
    "Whether `output` says anything in a README: progress bars and live widgets do not."
    is_widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    return not is_widget and output.get("name") != "stderr"


def move_links(markdown):
    "Rewrite the relative links of a notebook in nbs/ so that they work one folder up; code stays as it is."

    def move(match):
        start, target = match.groups()
        is_elsewhere = target.startswith(("#", "/")) or re.match(r"[a-z][a-z0-9+.-]*:", target)
        return match[0] if is_elsewhere else start + posixpath.normpath(posixpath.join("nbs", target))

    code = CODE.findall(markdown)
    prose = [LINK.sub(move, part) for part in CODE.split(markdown)]
    return "".join(part for pair in zip(prose, [*code, ""], strict=True) for part in pair)


def prepare(cell):
    "Apply the directives that Quarto would."
    if cell.cell_type == "markdown":
        cell.source = move_links(cell.source)
    if cell.cell_type != "code":
        return
    is_left_out = directive(cell, "include") == "false"
    if is_left_out or directive(cell, "output") == "false":
        cell.outputs = []
    if is_left_out or directive(cell, "echo") == "false":
        cell.metadata["transient"] = {"remove_source": True}
    cell.outputs = [output for output in cell.outputs if is_readable(output)]
    cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE)


def render():
    "The text of the README and its figures as {relative path: bytes}. Nothing is executed."
    notebook = NBProcessor(NOTEBOOK, PROCESSORS, process=True).nb
    for cell in notebook.cells:
        prepare(cell)
    alts = [directive(cell, "fig-alt") for cell in notebook.cells]
    notebook = nbformat.reads(nb2str(notebook), as_version=4)
    notebook.metadata["language_info"] = {"name": "python"}
    exporter = MarkdownExporter(exclude_input_prompt=True, exclude_output_prompt=True)
    body, resources = exporter.from_notebook_node(
        notebook, resources={"output_files_dir": FIGURES.name, "unique_key": "figure"}
    )
    for index, alt in enumerate(alts):
        if alt:
            body = re.sub(rf"!\[\w+\](\({FIGURES.name}/figure_{index}_)", lambda m, alt=alt: f"![{alt}]{m[1]}", body)
    body = re.sub(r"[ \t]+$", "", body, flags=re.MULTILINE)
    return NOTICE + re.sub(r"\n{3,}", "\n\n", body).strip() + "\n", resources["outputs"]


def check(text, figures):
    "What is wrong with the README on disk, as lines; none when it agrees."
    current = README.read_text(encoding="utf-8") if README.exists() else ""
    lines = difflib.unified_diff(current.splitlines(), text.splitlines(), "README.md", "nbs/index.ipynb", lineterm="")
    present = {path.relative_to(ROOT).as_posix() for path in FIGURES.glob("*")}
    missing = [f"missing figure: {path}" for path in sorted(set(figures) - present)]
    stale = [f"figure that nothing shows: {path}" for path in sorted(present - set(figures))]
    return [*lines, *missing, *stale]


def write(text, figures):
    "Write README.md and its figures, and drop figures of an earlier version."
    shutil.rmtree(FIGURES, ignore_errors=True)
    for path, data in figures.items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_bytes(data)
    README.write_text(text, encoding="utf-8", newline="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when README.md is out of date")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    text, figures = render()
    if not arguments.check:
        write(text, figures)
        print(f"README.md written: {len(text)} characters, figures: {len(figures)}")
    elif problems := check(text, figures):
        print(*problems, "README.md is out of date. Run: python .ci/readme.py", sep="\n", file=sys.stderr)
        sys.exit(1)
    else:
        print("README.md is what nbs/index.ipynb renders")


if __name__ == "__main__":
    main()
