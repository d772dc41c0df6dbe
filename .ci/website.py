"""Build the notebooks into a website in _docs/, and look at it in Chromium.

No notebook is run: they are committed with their outputs. Only the page of explorers that work without Python is made
here, since widget state is not kept in the notebooks. Warnings are errors.
"""

import argparse
import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.cmd.build import main as sphinx_build

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_docs"
# What the pages load, which npm has: package -> files. The newest versions that were seen to work.
ASSETS = {
    "@jupyter-widgets/html-manager@1.0.14": ["dist/embed-amd.js", "dist/*.woff*"],
    "requirejs@2.3.7": ["require.js"],
    "mathjax@3.2.2": ["es5/tex-svg.js"],
}
EXPLORERS = """\
from moram.explore import find_parts, prepared
from moram.scenes import Scenes, find_nearest, find_targets

model, data = find_parts()
index = [find_nearest(find_targets(data), target) for target in (-0.78, -0.32, 0.32, 0.95)]
prepared(Scenes(model, data), index)"""
# Without formulas: the widgets and MathJax do not get on.
ABOUT_EXPLORERS = """\
# Explorers to try

> Four prepared pictures; the menu and the slider work on this page, without Python.

Above: the maps. Below: the pixel accuracy at each threshold *r*, and which pixels are right at the chosen one. In a
notebook or with `moram explore` there are all pictures, yours too, and more to choose: see [explorers](07_explore.ipynb)."""


def fetch_assets(folder):
    "Install the JavaScript that the pages load."
    folder.mkdir()
    for package, patterns in ASSETS.items():
        with tempfile.TemporaryDirectory() as place:
            packed = subprocess.run(["npm", "pack", "--silent", package], cwd=place, check=True, stdout=subprocess.PIPE, text=True)
            with tarfile.open(Path(place) / packed.stdout.strip()) as archive:
                archive.extractall(place, filter="data")
            for path in [path for pattern in patterns for path in (Path(place) / "package").glob(pattern)]:
                shutil.copy(path, folder)


def directives(cell):
    "nbdev's directives of a cell, as a dictionary."
    return dict(re.findall(r"^#\| *([\w-]+):? *(.*)$", cell.source, re.MULTILINE)) if cell.cell_type == "code" else {}


def write_notebook(path, folder):
    "A notebook as Sphinx wants it: without nbdev's directives and what they hide. Files that it links to come along."
    notebook, cells = nbformat.read(path, 4), []
    for cell in notebook.cells:
        found = directives(cell)
        if {"hide", "default_exp"} & set(found) or found.get("include") == "false":
            continue
        cell.metadata["tags"] = [f"remove-{part}" for name, part in (("echo", "input"), ("output", "output")) if found.get(name) == "false"]
        if "fig-alt" in found:
            cell.metadata["mystnb"] = {"image": {"alt": found["fig-alt"]}}
        if cell.cell_type == "code":
            cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE)
            # Live widgets would be dead here (a still stands beside each), and progress bars are not worth reading.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr" and WIDGET not in output.get("data", {})]
        else:
            for name in re.findall(r"\]\(\.\./([\w.]+)\)", cell.source):
                shutil.copy(ROOT / name, folder)
            cell.source = cell.source.replace("](../", "](")
        cells.append(cell)
    notebook.cells, notebook.metadata.language_info = cells, {"name": "python", "pygments_lexer": "python"}
    nbformat.write(notebook, folder / path.name)


WIDGET = "application/vnd.jupyter.widget-view+json"


def write_explorers(folder):
    "The page whose widgets are linked in the browser, with their state."
    notebook = new_notebook(cells=[new_markdown_cell(ABOUT_EXPLORERS), new_code_cell(EXPLORERS, metadata={"tags": ["hide-input"]})])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(notebook, timeout=600, store_widget_state=True).execute()
    for output in notebook.cells[1].outputs:
        output.get("data", {}).pop("text/plain", None)
    nbformat.write(notebook, folder / "explorers.ipynb")


def outline(node, lines, indent=""):
    "A function or class as it stands in the source, with the comments on its parameters, but without what it does."
    body = node.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    text = lines[start - 1 : body[0].end_lineno if documented else body[0].lineno - 1]
    if isinstance(node, ast.FunctionDef):
        return [*text, f"{indent}    ..."]
    for part in body[documented:]:
        if isinstance(part, ast.FunctionDef) and (not part.name.startswith("_") or part.name in ("__init__", "__call__", "__getitem__")):
            text += ["", *outline(part, lines, indent + "    ")]
        elif isinstance(part, (ast.AnnAssign, ast.Assign)):
            text += lines[part.lineno - 1 : part.end_lineno]
    return text


def write_api(module, folder):
    "A page with the public functions and classes of a module."
    source = module.read_text()
    tree, lines = ast.parse(source), source.splitlines()
    page = [f"# moram.{module.stem}", ast.get_docstring(tree) or ""]
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            page.append("\n".join([f"## {node.name}", "", "```python", *outline(node, lines), "```"]))
    (folder / f"{module.stem}.md").write_text("\n\n".join(page) + "\n")


def toctree(caption, pages):
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"])


def write_pages(source):
    "Everything that Sphinx reads."
    (source / "api").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "conf.py", source)
    shutil.copytree(ROOT / "nbs" / "images", source / "images")
    fetch_assets(source / "_static")
    # Furo's column is made for prose; code and pictures want more.
    (source / "_static" / "wide.css").write_text("@media (min-width: 82em) { .content { width: 52em; } }\n")
    notebooks = sorted(path for path in (ROOT / "nbs").glob("*.ipynb") if not path.name.startswith("_"))
    for path in notebooks:
        write_notebook(path, source)
    write_explorers(source)
    modules = sorted(path for path in (ROOT / "moram").glob("*.py") if not path.name.startswith("_"))
    for path in modules:
        write_api(path, source / "api")
    index = nbformat.read(source / "index.ipynb", 4)
    names = [path.stem for path in notebooks if path.stem != "index"]
    trees = [toctree("Notebooks", ["explorers", *names]), toctree("Reference", [f"api/{path.stem}" for path in modules])]
    index.cells.append(new_markdown_cell("\n\n".join(trees)))
    nbformat.write(index, source / "index.ipynb")


def build():
    "From nothing, so that no page of an earlier build stays."
    with tempfile.TemporaryDirectory() as place:
        source, pages = Path(place) / "source", Path(place) / "pages"
        write_pages(source)
        if sphinx_build(["-q", "-W", "--keep-going", "-b", "html", "-d", str(Path(place) / "doctrees"), str(source), str(pages)]):
            sys.exit("the website has warnings")
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.move(pages, SITE)
    (SITE / ".nojekyll").touch()  # else GitHub Pages leaves out folders that start with an underscore
    print(f"{SITE.name}: {len(list(SITE.rglob('*.html')))} pages, {sum(f.stat().st_size for f in SITE.rglob('*')) / 1e6:.0f} MB")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def check(screenshots):
    "The main pages open without an error, the search finds, and the explorers' pictures follow their controls."
    from browser import open_page

    screenshots.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    with open_page(screenshots, "website", 1400, 1200) as page:
        missing = []
        page.on("response", lambda response: response.status >= 400 and missing.append(response.url))
        for name in sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")):
            page.goto(f"{address}/{name}")
            assert page.locator("h1, .sidebar-search").first.is_visible(), name
        page.goto(f"{address}/index.html")
        page.screenshot(path=screenshots / "website-front.png")
        page.get_by_placeholder("Search").fill("pixel accuracy")
        page.keyboard.press("Enter")
        page.locator("ul.search li a").first.wait_for()
        page.goto(f"{address}/05_metric.html")
        page.locator("mjx-container svg").first.wait_for()
        check_explorers(page, address, screenshots)
        assert page.problems == page.left == missing == [], (page.problems, page.left, missing)
    server.shutdown()
    print("the pages open, the search finds, the explorers work; no error, no request that leaves the machine")


def check_explorers(page, address, screenshots):
    "Each choice shows another picture."
    page.goto(f"{address}/explorers.html")
    images = page.locator("img.widget-image:visible")
    images.nth(1).wait_for()
    page.screenshot(path=screenshots / "website-explorers.png")

    def shown():
        return [images.nth(i).get_attribute("src") for i in (0, 1)]

    first = shown()
    page.locator(".noUi-handle").press("ArrowRight")
    page.wait_for_function(CHANGED, arg=first[1])
    second = shown()
    assert second[0] == first[0] and second[1] != first[1]
    page.locator(".widget-dropdown select").select_option(index=2)
    page.wait_for_function(CHANGED, arg=second[1])
    assert shown()[0] != first[0]


CHANGED = """before => [...document.querySelectorAll('img.widget-image')]
    .filter(image => image.checkVisibility()).every(image => image.complete && image.src !== before)"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="look at the pages in Chromium, too")
    parser.add_argument("--screenshots", type=Path, default=Path(tempfile.gettempdir()), help="folder for the screenshots")
    arguments = parser.parse_args()
    build()
    if arguments.check:
        check(arguments.screenshots.resolve())


if __name__ == "__main__":
    main()
