"""The website, as readers meet it: pages, tables, pictures, widths, themes, search."""

import re
from urllib.parse import unquote

import nbformat
import pytest
from controls import Driver

from docs.build import NOTEBOOKS, cards, directives, has_picture

WIDTHS = (390, 800, 1320, 1400)  # at 1320 both sidebars come in


@pytest.fixture(scope="session")
def names(site_folder):
    "All pages, without those that hold no text of ours."
    return sorted(path.relative_to(site_folder).as_posix() for path in site_folder.rglob("*.html") if not path.name.startswith("genindex"))


def shown(cell):
    found = directives(cell)
    return not ({"hide", "default_exp"} & set(found) or "false" in (found.get("include"), found.get("output")))


def notebooks():
    return [path for path in sorted(NOTEBOOKS.rglob("*.ipynb")) if not any(part.startswith((".", "_")) for part in path.parts)]


def outputs(path):
    "What the cells of a notebook show on its page. Cards stand for the list of verdicts."
    shown_cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code" and shown(cell)]
    return [output.get("data", {}) for cell in shown_cells if not cards.is_list_of_verdicts(cell) for output in cell.outputs]


def is_table(data):
    return "<table" in data.get("text/html", "") or re.search(r"^\|? *:?-+:? *\|", data.get("text/markdown", ""), re.MULTILINE)


def test_pages_open_and_none_scrolls_sideways(page, site_address, names):
    missing, wide = [], []
    page.on("response", lambda response: response.status >= 400 and missing.append(response.url))
    for name in names:
        page.goto(f"{site_address}/{name}")
        assert page.locator("h1, .sidebar-search").first.is_visible(), name
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(f"{name} at {width} px")
    assert not missing and not wide


def test_tables_in_outputs_are_tables(page, site_address):
    "As many as the notebooks hold, and no bars and dashes."
    for path in notebooks():
        expected = sum(bool(is_table(data)) for data in outputs(path))
        if expected:
            page.goto(f"{site_address}/{path.relative_to(NOTEBOOKS).with_suffix('.html').as_posix()}")
            found = page.locator(".cell_output")
            assert found.locator("table").count() >= expected, path.name
            assert not re.search(r"\|\s*:?---", "\n".join(found.all_inner_texts())), path.name


@pytest.mark.parametrize("name", ["index", "study/06_claims"])
def test_claims_are_cards(page, site_address, name):
    "Eight, each with a sign, its dots (C1 is an identity), its evidence in a fold, and a link to its section."
    page.goto(f"{site_address}/{name}.html")
    for k, card in enumerate(page.locator(".claim-card").all(), 1):
        assert card.locator(".claim-verdict").inner_text()[0] in "✓±✗?" and f"C{k} " in card.locator(".claim-words").inner_text()
        assert k == 1 or (card.locator("svg circle").count() and len(card.locator("svg").get_attribute("aria-label")) > 40)
        assert not card.locator("details p").is_visible() and card.locator("p").nth(2).is_visible()
        card.locator("summary").click()
        assert card.locator("details p").is_visible()
    links = page.locator(".claim-words a").evaluate_all("links => links.map(link => link.href)")
    assert len(links) == 8
    page.goto(links[0])
    missing = page.evaluate("ids => ids.filter(id => !document.getElementById(id))", [unquote(link.split("#")[1]) for link in links])
    assert not missing


def test_pictures_are_described(page, site_address):
    "No picture without words, and none with a file's name for words."
    silent = []
    for path in notebooks():
        if any(has_picture(cell) for cell in nbformat.read(path, 4).cells):
            page.goto(f"{site_address}/{path.relative_to(NOTEBOOKS).with_suffix('.html').as_posix()}")
            texts = page.locator(".content img").evaluate_all("images => images.map(image => image.alt)")
            silent += [(path.name, text) for text in texts if len(text) < 10 or re.search(r"[0-9a-f]{20}|\.png$", text)]
    assert not silent


def test_text_is_readable_in_both_themes(page, site_address):
    "Labels, text and code stand out from what is behind them: WCAG's contrast of 4.5."
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for name in ("index", "06_metric", "study/06_claims", "guides/01_blank_map", "api/moram.methods", "try"):
            page.goto(f"{site_address}/{name}.html")
            for words in page.evaluate(FAINT):
                raise AssertionError(f"{theme}, {name}: {words}")


# Text of the page's body whose contrast with the first opaque background behind it is too small.
FAINT = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number)
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0)
    const behind = node => {
        for (; node; node = node.parentElement) {
            const colour = numbers(getComputedStyle(node).backgroundColor)
            if (colour.length === 3 || colour[3] === 1) return colour
        }
        return [255, 255, 255]
    }
    return [...document.querySelectorAll('.content p, .content li, .content td, .content th, .content label, .content summary span')]
        .filter(node => node.checkVisibility() && node.innerText.trim()).flatMap(node => {
            const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))]
            const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
            return contrast < 4.5 ? [`${node.innerText.slice(0, 60)}: ${contrast.toFixed(1)}`] : []
        })
}"""


@pytest.mark.parametrize(
    ("words", "home"),
    [("preprocess", "guides/"), ("pixel accuracy", "06_metric"), ("my own model", "guides/")],
)
def test_search_finds(page, site_address, words, home):
    "The page where it is explained is among the first three."
    page.goto(f"{site_address}/index.html")
    page.get_by_placeholder("Search").fill(words)
    page.keyboard.press("Enter")
    page.locator("ul.search li a").first.wait_for()
    page.locator(".search-summary", has_text=re.compile("finished|found", re.IGNORECASE)).wait_for()
    links = page.locator("ul.search li > a").evaluate_all("links => links.map(link => link.href)")
    assert any(home in unquote(link) for link in links[:3]), links[:5]


def test_the_explorer_works_offline(page, site_address):
    "Every control, with the network gone."
    page.goto(f"{site_address}/try.html")
    page.locator(".moram-pixels").first.wait_for()
    page.context.set_offline(True)
    Driver(page, keys=True).everything()
    page.context.set_offline(False)


def test_figures_are_drawings(page, site_address):
    "Sharp on any screen; what is as wide as a notebook allows, 6 in, is as wide as the text."
    page.goto(f"{site_address}/06_metric.html")
    for figure in page.locator(".cell_output img").all():
        assert figure.get_attribute("src").endswith(".svg")
    page.goto(f"{site_address}/00_dataset.html")
    column = page.locator(".content p").first.bounding_box()["width"]
    assert abs(page.locator(".cell_output img").first.bounding_box()["width"] / column - 1) < 0.1


def test_formulas_are_drawn(page, site_address):
    page.goto(f"{site_address}/06_metric.html")
    page.locator("mjx-container svg").first.wait_for()


def test_sidebar_is_in_groups(page, site_address):
    page.goto(f"{site_address}/index.html")
    captions = [text.strip().lower() for text in page.locator(".sidebar-tree .caption").all_inner_texts()]
    assert captions == ["use", "method", "evidence", "explore", "develop"]
    assert page.locator(".sidebar-tree a", has_text="06 The metric").is_visible()


def test_each_page_of_the_method_leads_to_the_next():
    "Read from the first to the last, none is left out. The last leads on to the study."
    pages = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    for page, following in zip(pages, [*(path.name for path in pages[1:]), "study/00_shapes.ipynb"]):
        end = [cell.source for cell in nbformat.read(page, 4).cells if cell.cell_type == "markdown"][-1]
        assert re.search(r"Next: \[[^\]]+\]\(([^)]+)\)", end)[1] == following, page.name


def test_tests_are_folded(page, site_address):
    page.goto(f"{site_address}/06_metric.html")
    fold = page.locator("details.hide", has_text="Tests").first
    assert not fold.locator("pre").first.is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").first.is_visible()
