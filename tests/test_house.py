"""The house keeps its shape: who imports whom, how large rooms are, what notebooks hold.

pip install -e ".[dev]" && pytest tests/test_house.py
"""

import ast
import base64
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from docs.build import alternative_text, directives, has_picture
from moram.study.evidence import COLOURS

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "moram").rglob("*.py"))
    if path.name != "_modidx.py"
}
NOTEBOOKS = [path for path in sorted((ROOT / "nbs").rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
WINGS = ("moram.study", "moram.explorer")


def cells(notebook, kind="code"):
    "The cells of a kind, with their sources as text."
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found if cell["cell_type"] == kind]


def python(source):
    "The syntax tree of a cell, without what only IPython understands."
    return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE))


def imports(tree, module=""):
    """(module that is imported from, name or None, whether at the top) for each import of something of moram.

    A module's `__getattr__` is left out: it keeps old paths alive, when they are asked for.
    """
    top = set(tree.body)
    old_paths = {node for part in tree.body if getattr(part, "name", "") == "__getattr__" for node in ast.walk(part)}
    for node in ast.walk(tree):
        if node in old_paths:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None, node in top) for alias in node.names if alias.name.split(".")[0] == "moram")
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            if source.split(".")[0] == "moram":
                yield from ((source, alias.name, node in top) for alias in node.names)


def arrows(module):
    "The modules that a module imports, and whether at its top."
    inside = module if MODULES[module].name != "__init__.py" else f"{module}.__init__"
    for source, name, at_top in imports(ast.parse(MODULES[module].read_text(encoding="utf-8")), inside):
        yield (f"{source}.{name}" if f"{source}.{name}" in MODULES else source), at_top


def called(path):
    return path.relative_to(ROOT).as_posix()


def test_no_circle_of_imports():
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for other in sorted({name for name, _ in arrows(module)} - {module, "moram"}):
                visit(other)
            done.add(path.pop())

    for module in MODULES:
        visit(module)


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith(WINGS)])
def test_the_library_stands_without_its_wings(module):
    "Only commands, inside their functions, may use the study and the explorer."
    for other, at_top in arrows(module):
        assert not other.startswith(WINGS) or (module == "moram.cli" and not at_top), f"{module} imports {other}"


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module):
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines < 350, f"{module}: {lines} lines; make two rooms of it"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=called)
class TestNotebook:
    def test_is_short(self, notebook):
        count, size = len(json.loads(notebook.read_text(encoding="utf-8"))["cells"]), notebook.stat().st_size
        assert count <= 60, f"{count} cells; make two notebooks of it"
        assert size <= 400 * 1024, f"{size / 1024:.0f} KB; smaller figures"

    def test_exported_cells_are_short(self, notebook):
        exported = [cell["source"] for cell in cells(notebook) if re.search(r"^#\| *export", cell["source"], re.MULTILINE)]
        lines = [[line for line in source.strip().splitlines() if not line.startswith("#|")] for source in exported]
        long = [f"{len(cell)} lines: {cell[0]}" for cell in lines if len(cell) > 30]
        assert not long, long

    def test_no_test_stands_where_it_can_not_fail(self, notebook):
        "IPython shows the error of a captured cell nowhere, and goes on."
        captured = [cell["source"] for cell in cells(notebook) if re.search("^%%capture", cell["source"], re.MULTILINE)]
        assert not [source for source in captured if re.search(r"\bassert|test_fail", source)]

    def test_imports_what_it_names(self, notebook):
        for cell in cells(notebook):
            for source, name, _ in imports(python(cell["source"])):
                assert name != "*", f"from {source} import *"
                assert name is None or not name.startswith("_") or name == "__version__", f"{name} is private to {source}"

    def test_pictures_have_all_their_colours(self, notebook):
        for cell in cells(notebook):
            for output in cell["outputs"]:
                if png := output.get("data", {}).get("image/png"):
                    assert Image.open(io.BytesIO(base64.b64decode("".join(png)))).mode != "P", cell["source"][:80]

    def test_pictures_are_described(self, notebook):
        "By `#| fig-alt: ...`, or by the Markdown cell right above, whose last paragraph says what to see."
        from nbformat import read

        before, silent = None, []
        for cell in read(notebook, 4).cells:
            found = directives(cell)
            if "hide" in found or "false" in (found.get("include"), found.get("output")):
                continue
            if cell.cell_type == "code" and has_picture(cell) and len(alternative_text(cell, before)) < 10:
                silent.append(cell.source[:80])
            before = cell
        assert not silent, f"say what these figures show: {silent}"

    def test_keeps_no_state_of_widgets(self, notebook):
        "It is large, and names the machine's own models; the website makes it anew where it is wanted."
        assert "widgets" not in json.loads(notebook.read_text(encoding="utf-8"))["metadata"]

    def test_names_no_machine(self, notebook):
        found = re.search(r"/(?:root|work|home/\w+|tmp)/[\w./-]*", notebook.read_text(encoding="utf-8"))
        assert not found, f"a path of one machine: {found[0]}"


def test_modules_import_what_they_name():
    for module, path in MODULES.items():
        for source, name, _ in imports(ast.parse(path.read_text(encoding="utf-8")), module):
            assert name != "*", f"{module}: from {source} import *"
            assert name is None or not name.startswith("_") or name == "__version__", f"{module}: {name} is private to {source}"


def test_pictures_on_disk_have_all_their_colours():
    for path in [*(ROOT / "nbs").rglob("*.png"), *(ROOT / "README_files").glob("*.png")]:
        assert Image.open(path).mode != "P", called(path)


def test_families_have_one_colour_on_the_page_and_in_figures():
    css = (ROOT / "docs" / "site.css").read_text(encoding="utf-8")
    light = [colour for line in css.splitlines() if line.startswith(".family-") for colour in re.findall(r"--family: (#\w+);", line)]
    assert tuple(light) == COLOURS


def test_notebooks_are_small_together():
    assert sum(path.stat().st_size for path in NOTEBOOKS) <= 3 * 2**20  # some sixty notebooks, their figures small drawings


def test_the_checks_can_fail():
    "Each kind of arrow is seen."
    tree = ast.parse("from ..study import claims\ndef f():\n    from .scene import _x\nimport moram.cli")
    assert sorted(imports(tree, "moram.explorer.app"), key=str) == sorted(
        [("moram.study", "claims", True), ("moram.explorer.scene", "_x", False), ("moram.cli", None, True)], key=str
    )
