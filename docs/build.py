"""Build the website: `python docs/build.py`, then open _docs/index.html. Warnings are errors.

No notebook is run: they are committed with their outputs. Only those with a cell marked `#| live` are, since the state of
widgets that work on the page without Python is not kept in notebooks. Such a notebook has no formulas: MathJax and the
widgets do not get on.
"""

import argparse
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_markdown_cell
from sphinx.cmd.build import main as sphinx_build

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]  # this checkout's moram, and what lies beside this file

import cards

from moram.study.trials import read_trials

NOTEBOOKS = ROOT / "nbs"
# What the pages load, which npm has: package -> files. The newest versions that were seen to work.
ASSETS = {
    "@jupyter-widgets/html-manager@1.0.14": ["dist/embed-amd.js", "dist/*.woff*"],
    "requirejs@2.3.7": ["require.js"],
    "mathjax@3.2.2": ["es5/tex-svg.js"],
}
# The sidebar: heading -> pages.
GROUPS = {
    "Use": ["guides/*", "*_cli"],
    "Method": ["[0-9]*"],
    "Evidence": ["study/*"],
    "Explore": ["try", "explorer/*"],
    "Develop": ["contributing", "api/*"],
}
# What readers look for, perhaps in other words than the page's own: the search finds these pages, and puts them first.
SEARCHED = {
    "guides/00_own_model": ["my own model", "preprocess", "photo"],
    "06_metric": ["pixel accuracy", "area under the curve", "cumulative importance"],
    "guides/01_blank_map": ["blank map", "black map"],
    "guides/02_other_packages": ["Grad-CAM", "Captum"],
}
# Sphinx's weights, but for the pages above.
SCORER = """const homes = %s
var Scorer = {
  score: ([page, , , , score]) => {
    const asked = new URLSearchParams(location.search).get("q").toLowerCase()
    return (homes[page] || []).some(words => asked.includes(words.toLowerCase())) ? score + 100 : score
  },
  objNameMatch: 11, objPartialMatch: 6, objPrio: {0: 15, 1: 5, 2: -5}, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
}
"""
WIDGET = "application/vnd.jupyter.widget-view+json"
OPEN_LINES = 12  # longer code is folded
COLUMN = 736  # px


def directives(cell):
    "nbdev's directives of a cell, as a dictionary."
    return dict(re.findall(r"^#\| *([\w-]+):?[ \t]*(.*)$", cell.source, re.MULTILINE)) if cell.cell_type == "code" else {}


def has_picture(cell):
    return any(kind.startswith("image/") for output in cell.get("outputs", []) for kind in output.get("data", {}))


def plain_text(markdown):
    "Markdown as it is read aloud: no marks, no formulas' dollars, links by their words."
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"\s+", " ", re.sub(r"[*`$>|#]", "", text)).strip()


def alternative_text(cell, before):
    "The `#| fig-alt:` of a cell with a picture, else the last paragraph of the Markdown cell above it; empty if there is none."
    if "fig-alt" in directives(cell):
        return directives(cell)["fig-alt"].strip().strip('"')
    if before is None or before.cell_type != "markdown":
        return ""
    paragraphs = [part for part in before.source.split("\n\n") if part.strip() and not part.startswith(("$$", "#"))]
    return plain_text(paragraphs[-1])[:300] if paragraphs else ""


def kind_of_code(source, found, page):
    "What a fold is called: imports, tests, source or code; empty for code that stays open."
    lines = [line for line in source.splitlines() if line.strip()]
    starts = re.findall(r"^(?:\w+|[^\s\w#)])", source, re.MULTILINE)  # the first word of each line that is not indented
    if starts and set(starts) <= {"import", "from"}:
        return "Imports"
    if 2 * sum(word.startswith(("assert", "test")) for word in starts) >= len(starts) > 0 and "export" not in found:
        return "Tests"
    if "code-fold" in found:
        return found["code-summary"]
    if page.startswith("guides/") or page == "index":
        return ""
    if len(lines) > OPEN_LINES or page.startswith(("study/", "explorer/", "try")):
        return "Source" if "export" in found else "Code"
    return ""


def website_cell(cell, before, page):
    "A code cell as MyST-NB wants it: folded where it should be, its pictures described."
    found, source = directives(cell), re.sub(r"^(#\||%matplotlib|%load_ext).*\n?", "", cell.source, flags=re.MULTILINE)
    tags = [f"remove-{part}" for name, part in (("echo", "input"), ("output", "output")) if found.get(name) == "false"]
    kind = kind_of_code(source, found, page)
    if kind and "remove-input" not in tags:
        tags.append("hide-input")
    cell.metadata["tags"], cell.metadata["mystnb"] = tags, {"code_prompt_show": kind, "code_prompt_hide": kind}
    if has_picture(cell):
        cell.metadata["mystnb"]["image"] = {"alt": alternative_text(cell, before)}
    cell.source = source
    return cell


def enlarge_drawing(output):
    "A figure of 6 in, as wide as a notebook's may be, becomes as wide as the column of text."
    drawing = output.get("data", {}).get("image/svg+xml")
    if drawing:  # the sides of the whole are in points; what is within has units of its own
        drawing = re.sub(r' (width|height)="([\d.]+)pt"', lambda side: f' {side[1]}="{float(side[2]) / 72 / 6 * COLUMN:.0f}"', drawing)
        output["data"]["image/svg+xml"] = drawing
    return output


def move_links(markdown, page, target):
    "Files outside the notebooks' folder that a page links to come along; CONTRIBUTING.md is a page itself."

    def move(match):
        path = (NOTEBOOKS / page).parent.joinpath(match[1]).resolve()
        if path == ROOT / "CONTRIBUTING.md":
            return "](" + os.path.relpath(target / "contributing.md", (target / page).parent) + ")"
        if path.is_relative_to(NOTEBOOKS) or not path.is_file():
            return match[0]
        (target / "files").mkdir(exist_ok=True)
        shutil.copy(path, target / "files" / path.name)
        return "](" + os.path.relpath(target / "files" / path.name, (target / page).parent) + ")"

    markdown = re.sub(r"\]\((\.\./[^)#\s]+)\)", move, markdown)
    # Jupyter's anchors are a heading's words with dashes, MyST's the same in small letters.
    return re.sub(r"\]\(([\w./-]*\.ipynb)?#[^)\s]+\)", lambda match: match[0].lower(), markdown)


def claim_cards(page):
    "The cell with the cards of the paper's claims."
    claims, index = (nbformat.read(NOTEBOOKS / name, 4) for name in ("study/06_claims.ipynb", "index.ipynb"))
    drawn = cards.draw_cards(cards.read_cards(claims, index), measured_claims(), page)
    return new_markdown_cell(f"```{{raw}} html\n{drawn}\n```")


@cache
def measured_claims():
    return cards.measure(read_trials(NOTEBOOKS / "study" / "results"))


def website_notebook(path, page, target):
    "A notebook as the website shows it."
    notebook, cells, before = nbformat.read(path, 4), [], None
    notebook.metadata.pop("widgets", None)
    live = any("live" in directives(cell) for cell in notebook.cells)
    if live:
        NotebookClient(notebook, timeout=900, store_widget_state=True, resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        found = directives(cell)
        if {"hide", "default_exp"} & set(found) or found.get("include") == "false":
            continue
        if page in ("index", "study/06_claims") and cards.is_list_of_verdicts(cell):
            cell = claim_cards(page)
        elif cell.cell_type == "code":
            # Progress bars are not worth reading; widgets that need Python are dead here, and a still stands beside each.
            keep = [o for o in cell.outputs if o.get("name") != "stderr" and (live or WIDGET not in o.get("data", {}))]
            cell.outputs = [enlarge_drawing(output) for output in keep]
            cell = website_cell(cell, before, page)
        else:
            cell.source = move_links(cell.source, page, target)
            if page == "index":
                cell.source = re.sub(r"(!\[[^\]]*\]\(images/explorer\.png\))", r"[\1](try.ipynb)\n\n[Try it here](try.ipynb), without Python.", cell.source)
        before = cell
        cells.append(cell)
    if page in SEARCHED:
        cells.insert(1, new_markdown_cell(f"```{{eval-rst}}\n.. meta::\n   :keywords: {', '.join(SEARCHED[page])}\n```"))
    notebook.cells, notebook.metadata.language_info = cells, {"name": "python", "pygments_lexer": "python"}
    return notebook


def fetch_assets(folder):
    "Install the JavaScript that the pages load, and say where anywidget's is."
    folder.mkdir()
    shutil.copy(ROOT / "docs" / "site.css", folder)
    for package, patterns in ASSETS.items():
        with tempfile.TemporaryDirectory() as place:
            packed = subprocess.run(["npm", "pack", "--silent", package], cwd=place, check=True, stdout=subprocess.PIPE, text=True)
            with tarfile.open(Path(place) / packed.stdout.strip()) as archive:
                archive.extractall(place, filter="data")
            for path in [path for pattern in patterns for path in (Path(place) / "package").glob(pattern)]:
                shutil.copy(path, folder)
    anywidget = Path(sysconfig.get_path("data")) / "share" / "jupyter" / "nbextensions" / "anywidget" / "index.js"
    shutil.copy(anywidget, folder / "anywidget.js")
    (folder / "widgets.js").write_text('requirejs.config({paths: {anywidget: new URL("anywidget", document.currentScript.src).href}})\n')


def write_api(folder):
    "One page for each module; Sphinx finds the names."
    folder.mkdir()
    for module in pkgutil.walk_packages([str(ROOT / "moram")], "moram."):
        if not module.ispkg and not module.name.rpartition(".")[2].startswith("_"):
            text = f"# {module.name}\n\n```{{eval-rst}}\n.. automodule:: {module.name}\n```\n"
            (folder / f"{module.name}.md").write_text(text)


def entry(path, source):
    "A line of the sidebar: the number that the file bears, and the page's title."
    page = path.relative_to(source).with_suffix("").as_posix()
    text = nbformat.read(path, 4).cells[0].source if path.suffix == ".ipynb" else path.read_text()
    title = re.search(r"^# +(.+)$", text, re.MULTILINE)[1]
    number = re.match(r"\d+[a-z]?(?=_)", path.stem)
    return f"{number[0] + ' ' if number else ''}{plain_text(title)} <{page}>"


def toctrees(source):
    "The sidebar's groups, each page in the first that takes it."
    taken, trees = {source / "index.ipynb"}, []
    for heading, patterns in GROUPS.items():
        pages = [path for pattern in patterns for path in sorted(source.glob(f"{pattern}.*")) if path.suffix in (".ipynb", ".md")]
        pages = [path for path in dict.fromkeys(pages) if path not in taken]
        taken |= set(pages)
        trees.append("\n".join(["```{toctree}", ":hidden:", f":caption: {heading}", "", *(entry(path, source) for path in pages), "```"]))
    return "\n\n".join(trees)


def write_pages(source):
    "Everything that Sphinx reads."
    for path in sorted(NOTEBOOKS.rglob("*")):
        place = source / path.relative_to(NOTEBOOKS)
        if any(part.startswith((".", "_")) for part in place.relative_to(source).parts):
            continue
        if path.suffix in (".ipynb", ".png", ".jpg", ".svg", ".gif", ".json"):
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".ipynb":
                page = place.relative_to(source).with_suffix("").as_posix()
                nbformat.write(website_notebook(path, page, source), place)
            else:
                shutil.copy(path, place)
    nbformat.write(website_notebook(ROOT / "docs" / "try.ipynb", "try", source), source / "try.ipynb")
    shutil.copy(ROOT / "docs" / "conf.py", source)
    (source / "contributing.md").write_text((ROOT / "CONTRIBUTING.md").read_text().replace("](nbs/", "]("))
    (source / "scorer.js").write_text(SCORER % json.dumps(SEARCHED))
    fetch_assets(source / "_static")
    write_api(source / "api")
    index = nbformat.read(source / "index.ipynb", 4)
    index.cells.append(new_markdown_cell(toctrees(source)))
    nbformat.write(index, source / "index.ipynb")


def build(folder, draft=False):
    "From nothing, so that no page of an earlier build stays. A draft may have warnings."
    with tempfile.TemporaryDirectory() as place:
        source, pages = Path(place) / "source", Path(place) / "pages"
        source.mkdir()
        write_pages(source)
        strict = [] if draft else ["-W", "--keep-going"]
        if sphinx_build(["-q", *strict, "-b", "html", "-d", str(Path(place) / "doctrees"), str(source), str(pages)]):
            sys.exit("the website has warnings")
        (pages / ".nojekyll").touch()  # else GitHub Pages leaves out folders that start with an underscore
        shutil.rmtree(folder, ignore_errors=True)
        shutil.move(pages, folder)
    print(f"{folder}: {len(list(folder.rglob('*.html')))} pages, {sum(f.stat().st_size for f in folder.rglob('*')) / 1e6:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "_docs", help="where the pages go")
    parser.add_argument("--draft", action="store_true", help="build it although it has warnings")
    arguments = parser.parse_args()
    build(arguments.folder.resolve(), arguments.draft)
