"""The explorer with Python behind it: as an app in Voila, with bad pictures, and in JupyterLab."""

import io
import re
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
import torch
from controls import Driver, check_times
from PIL import Image

from moram.model import load_pretrained
from moram.pictures import open_picture, picture_tensor

MINE = """
from torch import nn
from moram.pictures import picture_tensor

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)).requires_grad_(False)

def prepare(picture):
    return picture_tensor(picture, (48, 64)) - 0.5
"""
PNG = b"\x89PNG\r\n\x1a\n"


def encoded(picture, kind="PNG", **options):
    picture.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bad_pictures():
    "Thirty files that are no pictures, or none that can be shown: name -> content."
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    kinds = {kind: encoded(noise, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")}
    bad = {f"cut-{share}.{kind.lower()}": content[: len(content) * share // 100] for kind, content in kinds.items() for share in (1, 40)}
    bad |= {f"zeros.{kind.lower()}": content[:12] + bytes(len(content) - 12) for kind, content in kinds.items()}
    bad |= {"empty.png": b"", "text.png": b"hello", "page.svg.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "paper.pdf.png": b"%PDF-1.4\n"}
    bad["huge.png"] = PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)) + chunk(b"IEND", b"")
    bad["nothing.png"] = PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)) + chunk(b"IEND", b"")
    bad["integers.tiff"] = encoded(Image.fromarray(np.full((8, 8), 70_000, np.int32)), "TIFF")
    bad["floats.tiff"] = encoded(Image.fromarray(np.full((8, 8), 2.5, np.float32)), "TIFF")
    bad["nan.tiff"] = encoded(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF")
    return bad


def good_pictures():
    "Pictures of unusual kinds that are shown: name -> content."
    ramp = np.linspace(0, 1, 64)[None].repeat(64, 0)
    return {"sixteen.png": encoded(Image.fromarray((65535 * ramp).astype(np.uint16))),
            "floats.tiff": encoded(Image.fromarray(ramp.astype(np.float32)), "TIFF"),
            "ink.jpg": encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG"),
            "wide.png": encoded(Image.new("RGB", (200, 50), "white"))}


@pytest.fixture(scope="module")
def start(serve, free_port):
    "`start(code)` serves an app, and gives its address and its process."

    def run(arguments, folder=None):
        port = free_port()
        code = f"import os; os.chdir({str(folder or '.')!r}); from moram.explorer.app import launch; launch(port={port}, browser=False, {arguments})"
        # Voila's static files: a page would start a kernel.
        return f"http://127.0.0.1:{port}/", serve([sys.executable, "-c", code], f"http://127.0.0.1:{port}/static/")

    return run


@pytest.fixture(scope="module")
def app(start):
    return start("listed=40, mean_over=8")


def kernels(server):
    "Python processes that the server has started."
    return subprocess.run(["ps", "-o", "args=", "--ppid", str(server.pid)], stdout=subprocess.PIPE, text=True, check=False).stdout.count("ipykernel")


def open_app(page, address):
    page.goto(address)
    page.locator(".moram-pixels").first.wait_for()


def find_negative(page):
    "Show the picture that the measured controls change."
    page.get_by_placeholder("a number, then Enter").fill("-0.78")
    page.keyboard.press("Enter")
    page.locator(".moram-head span").filter(has_text="target −0.7").wait_for()


def upload(page, files):
    payload = [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in files.items()]
    page.locator(".moram-view input[type=file]").set_input_files(payload)


def test_asks_python_for_pictures_sorting_and_layers(page, app):
    open_app(page, app[0])
    name, about = page.locator(".moram-head strong"), page.locator(".moram-head span")
    first = name.inner_text()
    page.get_by_label("next picture").press("Enter")
    name.filter(has_not_text=first).wait_for()
    page.get_by_placeholder("a number, then Enter").fill("0.95")
    page.keyboard.press("Enter")
    about.filter(has_text=re.compile("target 0.9[45]")).wait_for()
    page.locator(".widget-dropdown").filter(has_text="order").locator("select").select_option(label="by error, largest first")
    page.locator(".widget-select option").filter(has_text="says").first.wait_for()
    page.locator(".widget-dropdown").filter(has_text="layer").locator("select").select_option(label="features.22 (16 x 16)")
    page.locator(".moram-title").get_by_text("16 x 16 cells").wait_for()
    assert page.locator(".moram-note").get_by_text("RAM needs a model").is_visible()
    page.get_by_label("mean curves of 8 pictures, thin").check()
    page.locator(".moram-legend").filter(has_text="(mean 0.").wait_for()


def test_another_model_goes_on_where_the_one_before_was_left(page, app):
    open_app(page, app[0])
    target = re.compile(r"target ([−\d.]+)")
    before = float(target.search(page.locator(".moram-head span").inner_text())[1].replace("−", "-"))
    page.get_by_label("MoRAM", exact=True).uncheck()
    page.locator(".moram-curve").press("Home")
    page.locator(".widget-dropdown").filter(has=page.get_by_text("model", exact=True)).locator("select").select_option(label="quarter-64")
    page.wait_for_function("document.querySelector('.moram-pixels')?.width === 64")
    page.wait_for_function("document.querySelector('.moram-curve').getAttribute('aria-valuenow') === '0'")
    assert page.locator(".moram-view").count() == 1 and not page.get_by_label("MoRAM", exact=True).is_checked()
    assert abs(float(target.search(page.locator(".moram-head span").inner_text())[1].replace("−", "-")) - before) < 0.02


@pytest.mark.parametrize("by", ["keys", "mouse"])
def test_every_control_in_voila(page, app, by):
    open_app(page, app[0])
    driver = Driver(page, by == "keys")
    driver.everything()
    driver.asking()


def test_fits_a_screen_and_a_phone(page, app):
    "All within 1000 px of height at 1400 px of width; stacked on a phone, maps first."
    open_app(page, app[0])
    assert page.evaluate("document.querySelector('.moram-explorer').getBoundingClientRect().bottom") <= 1000
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    maps, side = (page.locator(name).bounding_box() for name in (".moram-view", ".moram-side"))
    assert maps["y"] + maps["height"] <= side["y"] and side["x"] + side["width"] <= 390


COUNT_MESSAGES = """() => {
    const send = WebSocket.prototype.send
    window.sent = 0
    WebSocket.prototype.send = function (message) { window.sent++; return send.call(this, message) }
}"""
SIXTY_MOVES = """async () => {
    const named = node => node.querySelector('label').textContent === 'threshold r'
    const handle = [...document.querySelectorAll('.widget-slider')].find(named).querySelector('.noUi-handle'), before = window.sent
    for (let k = 0; k < 60; k++) {
        handle.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }))
        await new Promise(requestAnimationFrame)
    }
    return window.sent - before
}"""


def test_a_control_tells_python_once_it_is_at_rest(page, app):
    page.add_init_script(f"({COUNT_MESSAGES})()")
    open_app(page, app[0])
    page.wait_for_timeout(500)
    assert page.evaluate(SIXTY_MOVES) < 10  # on a busy machine a frame may be as long as a rest
    page.wait_for_function("window.sent > 0")


def test_a_moved_slider_is_painted_within_a_frame_in_voila(page, app, record_property):
    open_app(page, app[0])
    find_negative(page)
    check_times(page, record_property)


NEXT_PICTURES = """async moves => {
    const button = document.querySelector('[aria-label="next picture"]'), name = document.querySelector('.moram-head strong'), times = []
    for (let k = 0; k < moves; k++) {
        const before = name.textContent, start = performance.now()
        button.click()
        while (name.textContent === before) await new Promise(requestAnimationFrame)
        await new Promise(done => { const channel = new MessageChannel(); channel.port1.onmessage = done; channel.port2.postMessage(0) })
        times.push(performance.now() - start)
        await new Promise(done => setTimeout(done, 100))
    }
    return times.sort((a, b) => a - b)[moves >> 1]
}"""


def test_a_new_picture_is_painted_soon(page, app, record_property):
    "Asked of Python, which runs the model: from the click to the painted maps."
    open_app(page, app[0])
    median = page.evaluate(NEXT_PICTURES, 20)
    record_property("next picture", median)
    print(f"{median:.0f} ms from the click to the next picture painted, median of 20")
    assert median <= 600  # 150 on an idle machine; tests may share theirs


def test_an_upload_leaves_nothing_of_the_picture_before(page, app):
    open_app(page, app[0])
    model = load_pretrained("quarter-128")
    for name, content in good_pictures().items():
        upload(page, {name: content})
        page.locator(".moram-head strong").filter(has_text=f"upload {name}").wait_for()
        about = page.locator(".moram-head span").inner_text()
        assert "target" not in about and page.locator(".moram-alert").inner_text() == ""
        with torch.no_grad():  # one photo gets one prediction everywhere
            prediction = model(picture_tensor(open_picture(content, name), 128, "pad")[None]).item()
        assert abs(float(re.search(r"prediction ([−\d.]+)", about)[1].replace("−", "-")) - prediction) < 0.006 * abs(prediction), name
        assert page.get_by_text("No true region is known for this picture").is_visible() and not page.locator(".moram-curve").is_visible()
    # The wide picture is not squashed: black above and below.
    row = page.locator(".moram-pixels").first.evaluate("canvas => [8, 64].map(y => canvas.getContext('2d').getImageData(64, y, 1, 1).data[0])")
    assert row == [0, 255]


def test_thirty_bad_pictures_are_refused_by_name(page, app):
    bad = bad_pictures()
    assert len(bad) == 30
    open_app(page, app[0])
    shown = page.locator(".moram-head strong").inner_text()
    upload(page, bad)
    alert = page.locator(".moram-alert")
    alert.filter(has_text="nan.tiff").wait_for()
    lines = alert.inner_text().splitlines()
    refused = {name for name in bad if any(line.startswith(name) for line in lines)}
    taken = {option.split("upload ")[1] for option in page.locator(".widget-select option").all_inner_texts() if "upload " in option}
    assert refused | taken == set(bad) and len(refused) >= 26, set(bad) - refused
    if not taken:
        assert page.locator(".moram-head strong").inner_text() == shown
    page.get_by_label("next picture").press("Enter")
    page.wait_for_function("document.querySelector('.moram-alert').textContent === ''")


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(page, app):
    open_app(page, app[0])
    page.locator(".moram-view input[type=file]").evaluate("""input => {
        const files = new DataTransfer()
        files.items.add(new File([new Uint8Array(110e6)], 'large.png'))
        input.files = files.files
        input.dispatchEvent(new Event('change', { bubbles: true }))
    }""")
    page.locator(".moram-alert").filter(has_text="large.png has 110 MB, and at most 100 MB can be uploaded").wait_for()
    page.get_by_label("next picture").press("Enter")  # the connection is still there
    page.wait_for_function("document.querySelector('.moram-alert').textContent === ''")


def test_27_megabytes_can_be_uploaded(page, app, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), np.uint8)).save(tmp_path / "large.bmp")
    open_app(page, app[0])
    page.locator(".moram-view input[type=file]").set_input_files(tmp_path / "large.bmp")
    page.locator(".moram-head strong").filter(has_text="upload large.bmp").wait_for()


def test_your_own_model_and_pictures(page, start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "photos").mkdir()
    (folder / "mine.py").write_text(MINE)
    for name, content in (good_pictures() | {"broken.png": b"no picture"}).items():
        (folder / "photos" / name).write_bytes(content)
    address, _ = start("model='mine:make', images='photos', prepare='mine:prepare'", folder)
    open_app(page, address)
    notes = page.locator(".moram-title").inner_text()
    assert notes.count("broken.png") == 1 and str(folder) not in notes and "rectangles" not in notes
    size = page.locator(".moram-pixels").first.evaluate("canvas => [canvas.height, canvas.width]")
    assert size == [48, 64] and "shown stretched from" in page.locator(".moram-head").inner_text()


def test_twenty_reloads_leave_one_kernel(page, app):
    address, server = app
    for _ in range(20):
        open_app(page, address)
    deadline = time.monotonic() + 90
    while kernels(server) > 1 and time.monotonic() < deadline:
        time.sleep(1)
    assert kernels(server) == 1
    page.get_by_label("next picture").press("Enter")  # the open page keeps its own
    page.wait_for_function("document.querySelector('.moram-head strong').textContent.endsWith('1')")


def test_every_control_in_jupyterlab(run_notebook, record_property):
    page = run_notebook("app.ipynb")
    find_negative(page)
    check_times(page, record_property)
    for keys in (True, False):
        Driver(page, keys).everything()
        Driver(page, keys).asking()


def test_keys_of_jupyterlab_leave_the_cells_alone(run_notebook):
    page = run_notebook("explorer/02_view.ipynb")
    view = page.locator(".moram-view").first
    view.scroll_into_view_if_needed()
    curve, cells = view.locator(".moram-curve"), page.locator(".jp-Cell").count()
    curve.press("Home")
    curve.press("ArrowRight")
    page.wait_for_function("document.querySelector('.moram-curve').getAttribute('aria-valuenow') === '0.01'")
    canvas = view.locator(".moram-pixels").first
    for key in ("ArrowDown", "d", "d", "x", "b"):  # in JupyterLab two d delete a cell, x cuts it, b adds one
        canvas.press(key)
    view.locator(".moram-text").filter(has_text="row 65, column 64").wait_for()
    assert page.locator(".jp-Cell").count() == cells
