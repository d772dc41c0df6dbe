"""The explorer without Python: a page made by `static_html`, driven by mouse and keys, its canvases compared with NumPy."""

import io
import re
import subprocess
import tarfile
from base64 import b64decode
from functools import partial
from http.server import ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from conftest import Quiet
from controls import PAINTED, Driver, check_times
from PIL import Image

from moram.dataset import RectangleDataset
from moram.explorer.app import static_html
from moram.explorer.view import COLOUR_MAPS, SIGNED_COLOUR_MAPS, colour_tables
from moram.explorer.widgets import NEGATIVE_VALUES, Explorer
from moram.methods import METHODS
from moram.metric import NORMALIZATIONS, cumulative_importance, pixel_accuracy_auc, pixel_accuracy_curve
from moram.model import load_pretrained
from moram.upsample import lanczos

SCRIPTS = {"requirejs@2.3.7": "package/require.js", "@jupyter-widgets/html-manager@1.0.14": "package/dist/embed-amd.js"}
OUTCOMES = np.array([[242, 242, 242], [230, 159, 0], [86, 180, 233], [11, 60, 93]])  # left out, false alarm, missed, found
LABELS = {name: method.label for name, method in METHODS.items()}
TARGETS = (-0.78, -0.32, 0.32, 0.95)


@pytest.fixture(scope="session")
def scripts(tmp_path_factory):
    "The widgets' JavaScript, from npm."
    folder = tmp_path_factory.mktemp("scripts")
    for package, name in SCRIPTS.items():
        packed = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
            (folder / name.rsplit("/")[-1]).write_bytes(archive.extractfile(name).read())
    return folder


@pytest.fixture(scope="session")
def explorer():
    model = load_pretrained()
    data = RectangleDataset(**model.card["dataset"])
    return Explorer(model, data, fixed=[data.nearest(target, data.test) for target in TARGETS])


@pytest.fixture(scope="session")
def static_address(explorer, scripts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("static")
    static_html(explorer, folder / "index.html", scripts)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def view(page, static_address):
    page.goto(static_address)
    page.locator(".moram-pixels").first.wait_for()
    settle(page)
    return page


def settle(page):
    "Wait until the frame after the next is painted."
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")


def panel(page, row, title):
    return page.locator(f".moram-{row} figure:visible").filter(has=page.locator("figcaption", has_text=re.compile(f"^{re.escape(title)}$")))


def pixels(canvas):
    "A canvas as [H, W, 3]."
    data = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    return np.array(Image.open(io.BytesIO(b64decode(data.split(",")[1]))).convert("RGB")).astype(int)


def scene_maps(state):
    "Method -> map [H, W] by the project's own Lanczos; the mask."
    cells = torch.frombuffer(bytearray(state["maps"]), dtype=torch.float32).view(len(state["names"]), *state["grid"])
    maps = lanczos(cells, tuple(state["size"]))
    mask = torch.frombuffer(bytearray(state["mask"]), dtype=torch.uint8).view(state["size"]).bool()
    return dict(zip(state["names"], maps, strict=True)), mask


def expected_map(state, name, shown, colours, opacity, raw, one_scale):
    "What a map's canvas must show, by NumPy."
    maps = {key: values.numpy().astype(np.float64) for key, values in scene_maps(state)[0].items()}
    limit = max(abs(maps[key]).max() for key in (shown if one_scale else [name]))
    low = -limit if name in state["signed"] else 0
    place = np.clip(np.rint((maps[name] - low) * 255 / (limit - low)), 0, 255).astype(int)
    table = colour_tables()[(*COLOUR_MAPS, *SIGNED_COLOUR_MAPS).index(colours[name in state["signed"]])].astype(float)
    image = np.frombuffer(state["image"], np.uint8).reshape(*state["size"], 3)
    grey = 80 + 0.4 * (image @ np.array([0.299, 0.587, 0.114]))
    alpha = np.ones_like(grey) if raw else opacity * np.clip(abs(maps[name]) / limit, 0, 1)
    return np.rint(alpha[..., None] * table[place] + (1 - alpha[..., None]) * grey[..., None] * (not raw))


def slide(page, label, value, step):
    "Move a slider with its keys, from where it is."
    slider = page.locator(".widget-slider").filter(has=page.get_by_text(label, exact=True))
    handle, now = slider.locator(".noUi-handle"), float(slider.locator(".widget-readout").inner_text())
    for _ in range(round(abs(value - now) / step)):
        handle.press("ArrowRight" if value > now else "ArrowLeft")


def choose(page, label, option):
    page.locator(".widget-dropdown").filter(has=page.get_by_text(label, exact=True)).locator("select").select_option(label=option)


STATES = [  # picture, methods, opacity, colours, signed colours, one scale, raw
    (0, ("ram", "moram", "grad_cam"), 1.0, "magma", "RdBu_r", True, False),
    (1, ("ram", "moram", "grad_cam"), 1.0, "magma", "RdBu_r", True, False),
    (2, ("ram", "moram", "grad_cam"), 0.5, "magma", "RdBu_r", True, False),
    (3, ("ram", "moram", "grad_cam"), 0.5, "viridis", "RdBu_r", True, False),
    (3, ("ram", "moram", "grad_cam"), 0.5, "viridis", "PuOr_r", False, False),
    (3, ("ram", "moram", "grad_cam"), 0.5, "viridis", "PuOr_r", False, True),
    (2, ("ram", "moram", "grad_cam"), 0.0, "inferno", "PRGn_r", False, False),
    (2, ("moram",), 0.75, "inferno", "PRGn_r", True, False),
    (1, ("moram", "raising", "lowering"), 0.75, "cividis", "PRGn_r", True, False),
    (0, ("moram", "raising", "lowering"), 0.75, "cividis", "PRGn_r", True, True),
    (0, ("grad_ram", "grad_cam_pp"), 0.25, "magma", "RdBu_r", True, False),
    (0, ("grad_ram", "grad_cam_pp"), 0.25, "magma", "RdBu_r", False, True),
]


@pytest.mark.parametrize("by", ["keys", "mouse"])
def test_every_control_without_python(view, by):
    Driver(view, by == "keys").everything()


def test_maps_equal_numpy_in_a_dozen_states(view, explorer):
    view.get_by_role("button", name="Display options").press("Space")
    for position, shown, opacity, colours, signed_colours, one_scale, raw in STATES:
        view.locator(".widget-select select").select_option(index=position)
        for name in explorer.view.kept[0]["names"]:
            view.get_by_label(LABELS[name], exact=True).set_checked(name in shown)
        slide(view, "opacity", opacity, 0.05)
        choose(view, "colours", colours)
        choose(view, "signed maps", signed_colours)
        choose(view, "scale", "one for all maps" if one_scale else "each map its own")
        view.get_by_label("maps alone, without the picture").set_checked(raw)
        settle(view)
        assert view.locator(".moram-maps figure:visible").count() == len(shown) + 1
        for name in shown:
            found = pixels(panel(view, "maps", LABELS[name]).locator(".moram-pixels"))
            expected = expected_map(explorer.view.kept[position], name, shown, (colours, signed_colours), opacity, raw, one_scale)
            # To 1/255 of the colour range: the colour of the same place in the table, or of the next.
            assert abs(found - expected).max() <= 6 and (abs(found - expected) > 1).mean() < 1e-3, (position, name)


@pytest.mark.parametrize("position", [0, 3])
def test_curves_and_outcomes_equal_the_metric(view, explorer, position):
    state = explorer.view.kept[position]
    maps, mask = scene_maps(state)
    view.locator(".widget-select select").select_option(index=position)
    for normalize, r in zip(NORMALIZATIONS, (0.5, 0.23, 0.7, 0.01), strict=True):
        choose(view, "negative values", NEGATIVE_VALUES[normalize])
        slide(view, "threshold r", r, 0.01)
        settle(view)
        legend = view.locator(".moram-legend").inner_text()
        for name in ("ram", "moram", "grad_cam"):
            area = pixel_accuracy_auc(maps[name][None], mask[None], normalize).item()
            accuracy = pixel_accuracy_curve(maps[name][None], mask[None], [r], normalize).item()
            shown = re.search(rf"{LABELS[name]}: area ([\d.]+), at r ([\d.]+)", legend)
            assert abs(float(shown[1]) - area) < 0.001 and abs(float(shown[2]) - accuracy) < 0.001, (name, normalize)
            found = pixels(panel(view, "kinds", LABELS[name]).locator(".moram-pixels"))
            kinds = 2 * mask.long() + (cumulative_importance(maps[name][None], normalize)[0] >= r)
            assert (found != OUTCOMES[kinds.numpy()]).any(2).sum() <= 8, (name, normalize)  # of 16,384, by rounding
            inside = mask.sum()
            found_share, missed = (round(100 * ((kinds == kind).sum() / inside).item()) for kind in (3, 2))
            assert f"{found_share}% found, {missed}% missed" in panel(view, "kinds", LABELS[name]).locator(".moram-text").inner_text()


def test_r_by_mouse_and_keys_on_the_curve(view):
    curve, readout = view.locator(".moram-curve"), view.locator(".widget-readout").first
    box = curve.bounding_box()
    axis = (46, box["width"] - 12)
    view.mouse.move(box["x"] + axis[0] + 0.2 * (axis[1] - axis[0]), box["y"] + 100)
    view.mouse.down()
    view.mouse.move(box["x"] + axis[0] + 0.8 * (axis[1] - axis[0]), box["y"] + 100)
    view.mouse.up()
    settle(view)
    assert abs(float(curve.get_attribute("aria-valuenow")) - 0.8) < 0.011 and readout.inner_text() == f"{float(curve.get_attribute('aria-valuenow')):.2f}"
    curve.press("Home")
    curve.press("ArrowRight")
    curve.press("PageUp")
    settle(view)
    assert curve.get_attribute("aria-valuenow") == "0.11" and "MoRAM" in curve.get_attribute("aria-valuetext")
    curve.press("End")
    settle(view)
    assert readout.inner_text() == "1.00"


def test_values_by_mouse_and_keys(view, explorer):
    maps, _ = scene_maps(explorer.view.kept[0])
    canvas = panel(view, "maps", "MoRAM").locator(".moram-pixels")
    box = canvas.bounding_box()
    canvas.hover(position={"x": 100.5 / 128 * box["width"], "y": 70.5 / 128 * box["height"]})
    settle(view)
    for name in ("ram", "moram", "grad_cam"):
        text = panel(view, "maps", LABELS[name]).locator(".moram-text").inner_text()
        value = maps[name][70, 100].item()
        assert abs(float(text.replace("−", "-")) - value) <= 0.006 * abs(value) + 1e-9, (name, text, value)
    view.mouse.move(5, 5)
    canvas.focus()
    canvas.press("ArrowDown")
    canvas.press("Shift+ArrowRight")
    settle(view)
    assert panel(view, "maps", "picture").locator(".moram-text").inner_text() == "row 65, column 74"
    view.wait_for_timeout(600)
    assert f"MoRAM {maps['moram'][65, 74].item():+.3g}".replace("-", "−") in view.locator("[role=status]").text_content()
    canvas.press("Escape")
    settle(view)
    assert panel(view, "maps", "picture").locator(".moram-text").inner_text() == ""


def test_next_previous_and_the_list_go_together(view, explorer):
    names = [state["name"] for state in explorer.view.kept]
    assert view.get_by_label("previous picture").is_disabled()
    view.get_by_label("next picture").press("Enter")
    settle(view)
    assert view.locator(".moram-head strong").inner_text() == names[1]
    assert view.locator(".widget-select select").evaluate("list => list.selectedIndex") == 1
    view.locator(".widget-select select").press("End")
    settle(view)
    assert view.locator(".moram-head strong").inner_text() == names[3] and view.get_by_label("next picture").is_disabled()


def test_mean_curves_are_named(view, explorer):
    view.get_by_label("mean curves of 64 pictures, thin").check()
    settle(view)
    assert f"(mean {explorer.view.means['moram/sum']['area']:.3f})" in view.locator(".moram-legend").inner_text()


def test_an_empty_map_says_so(page, scripts, tmp_path):
    "A network that only lowers: Grad-CAM has nothing to show."
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 1))
    model[4].weight.data = -model[4].weight.data.abs()
    static_html(Explorer(model, torch.rand(2, 3, 32, 48), fixed=[0, 1]), tmp_path / "index.html", scripts)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    Thread(target=server.serve_forever, daemon=True).start()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    panel(page, "maps", "Grad-CAM").locator(".moram-empty").get_by_text("no positive evidence").wait_for()
    assert page.get_by_text("No true region is known for this picture").is_visible() and not page.locator(".moram-curve").is_visible()
    assert set(np.unique(pixels(panel(page, "kinds", "MoRAM").locator(".moram-pixels")))) == {0, 255}  # black and white
    server.shutdown()


@pytest.mark.parametrize("width", [390, 800, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_page(page, static_address, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 1000})
    page.goto(static_address)
    page.locator(".moram-pixels").first.wait_for()
    settle(page)
    across, down = page.evaluate("[document.documentElement.scrollWidth, document.querySelector('.moram-explorer').scrollHeight]")
    assert across <= width and (width < 1400 or down <= 1000)
    light = "(colour => colour.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + +b, 0) > 384)"
    for text in page.locator(".moram-explorer :is(.widget-label, .widget-readout, figcaption, strong, button, h2):visible").all():
        assert text.evaluate(f"node => {light}(getComputedStyle(node).color)") == (scheme == "dark"), text.inner_text()


def test_focus_is_seen_at_every_stop_of_the_tab_key(view):
    view.locator("body").press("Tab")
    stops = []
    for _ in range(40):
        stop, outline = view.evaluate("""() => [document.activeElement.className || document.activeElement.type || document.activeElement.tagName,
            getComputedStyle(document.activeElement).outlineStyle]""")
        if stop == "BODY":
            break
        assert outline != "none", stop
        stops.append(stop)
        view.keyboard.press("Tab")
    assert "moram-curve" in stops and stops.count("moram-pixels") == 4 and sum("noUi-handle" in stop for stop in stops) == 1


def test_maps_are_saved(view, explorer):
    with view.expect_download() as download:
        view.get_by_role("button", name="Save PNG").press("Enter")
    saved = np.array(Image.open(download.value.path()).convert("RGB"))
    assert download.value.suggested_filename.startswith("image-") and saved.shape[1] == 24 + 4 * 504 and saved.std() > 20


def test_a_moved_slider_is_painted_within_a_frame(view, record_property):
    check_times(view, record_property)


def test_500_moves_leave_no_memory_behind(view):
    def used():
        view.evaluate("() => { for (let k = 0; k < 4; k++) globalThis.gc?.() }")
        return view.evaluate("performance.memory.usedJSHeapSize")

    view.evaluate(PAINTED, ["threshold r", 60, ""])
    before = used()
    view.evaluate(PAINTED, ["threshold r", 500, ""])
    grown = used() - before
    print(f"{grown / 1e3:.0f} kB more after 500 moves, of {before / 1e6:.1f} MB")
    assert grown < 1e6
