"""Write README.md from nbs/index.ipynb; with --check, only say whether it agrees. Nothing is run, pictures stay as they are."""

import argparse
import difflib
import posixpath
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from docs.build import WIDGET, directives  # noqa: E402

NOTEBOOK, README, FIGURES = ROOT / "nbs" / "index.ipynb", ROOT / "README.md", ROOT / "README_files"
NOTICE = "<!-- Written by .ci/readme.py from nbs/index.ipynb: edit the notebook, not this file. -->\n\n"
LINK = re.compile(r"""(\]\(|(?:src|href)=["'])([^)\s"']+)""")
CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.DOTALL | re.MULTILINE)


def move_link(match):
    "A relative link of a notebook in nbs/, so that it works one folder up."
    start, target = match.groups()
    is_elsewhere = target.startswith(("#", "/")) or re.match(r"[a-z][a-z0-9+.-]*:", target)
    return match[0] if is_elsewhere else start + posixpath.normpath(posixpath.join("nbs", target))


def prepare(cell):
    "A cell as the README shows it: nbdev's directives done, links moved (code stays as it is)."
    found = directives(cell)
    if cell.cell_type == "markdown":
        cell.source = "".join(part if i % 2 else LINK.sub(move_link, part) for i, part in enumerate(CODE.split(cell.source)))
        return cell
    if found.get("output") == "false":
        cell.outputs = []
    if found.get("echo") == "false":
        cell.metadata["transient"] = {"remove_source": True}
    cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {}) and output.get("name") != "stderr"]
    cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE)
    return folded(cell, found["code-summary"]) if "code-fold" in found else cell


def folded(cell, summary):
    "A code cell as a fold, which GitHub shows closed."
    text = f"<details>\n<summary>{summary}</summary>\n\n```python\n{cell.source}\n```\n\n</details>"
    return nbformat.v4.new_markdown_cell(text, id=cell.id)


def render():
    "The text of the README and its figures as {relative path: bytes}."
    notebook = nbformat.read(NOTEBOOK, 4)
    shown = [cell for cell in notebook.cells if "hide" not in directives(cell) and directives(cell).get("include") != "false"]
    alts = [directives(cell).get("fig-alt", "") for cell in shown]
    notebook.cells, notebook.metadata["language_info"] = [prepare(cell) for cell in shown], {"name": "python"}
    exporter = MarkdownExporter(exclude_input_prompt=True, exclude_output_prompt=True)
    body, resources = exporter.from_notebook_node(notebook, resources={"output_files_dir": FIGURES.name, "unique_key": "figure"})
    for i, alt in enumerate(alts):
        if alt:
            body = re.sub(rf"!\[\w+\](\({FIGURES.name}/figure_{i}_)", lambda match, alt=alt: f"![{alt}]{match[1]}", body)
    body = re.sub(r"[ \t]+$", "", body, flags=re.MULTILINE)
    return NOTICE + re.sub(r"\n{3,}", "\n\n", body).strip() + "\n", resources["outputs"]


def differences(text, figures):
    "What is wrong with the README on disk, as lines; none when it agrees."
    current = README.read_text(encoding="utf-8") if README.exists() else ""
    lines = difflib.unified_diff(current.splitlines(), text.splitlines(), "README.md", "nbs/index.ipynb", lineterm="")
    present = {path.relative_to(ROOT).as_posix() for path in FIGURES.glob("*")}
    return [*lines, *(f"missing or needless figure: {path}" for path in sorted(set(figures) ^ present))]


def write(text, figures):
    "Write README.md and its figures, and drop figures of an earlier version."
    shutil.rmtree(FIGURES, ignore_errors=True)
    for path, data in figures.items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_bytes(data)
    README.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when README.md is out of date")
    check, (text, figures) = parser.parse_args().check, render()
    if not check:
        write(text, figures)
    elif lines := differences(text, figures):
        sys.exit("\n".join([*lines, "README.md is out of date. Run: python .ci/readme.py"]))
    print(f"README.md is what nbs/index.ipynb renders: {len(text)} characters, figures: {len(figures)}")
