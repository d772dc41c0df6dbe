"""The explorers in a real browser: do the pictures on the screen follow the controls, and how fast?

JupyterLab runs nbs/07_explore.ipynb, Voila the app. Every picture that is compared is compared pixel by pixel with what
the pure function of moram.scenes gives for the state that the controls were brought to.
"""

import argparse
import re
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from browser import decode, free_port, open_page, pixels, serve, serve_lab, wait_for
from PIL import Image

from moram.explore import find_parts
from moram.scenes import CurveState, HeatmapState, MeanCurves, Scenes, curve_picture, find_nearest, find_targets, heatmap_picture

ROOT = Path(__file__).resolve().parents[1]
METHODS = ("ram", "moram", "grad_cam")


class Looker:
    "One explorer on a page, and what it should show."

    def __init__(self, page, box, dataset, model, index):
        self.page, self.box, self.scenes, self.index = page, box, Scenes(model, dataset), index
        self.means, self.targets = MeanCurves(self.scenes), find_targets(dataset)
        self.heatmap, self.curve = HeatmapState(METHODS), CurveState(METHODS)
        self.heatmaps, self.curves = (box.locator("img.widget-image").nth(i) for i in (0, 1))

    def control(self, label, inner):
        "What the keyboard focuses in the control of this label: `inner` within its box."
        text = self.page.locator("label.widget-label", has_text=re.compile(f"^{label}$"))
        return self.box.locator(".widget-inline-hbox", has=text).locator(inner)

    def press(self, label, inner, *keys):
        control = self.control(label, inner)
        control.focus()
        for key in keys:
            control.press(key)

    def type(self, label, value):
        self.control(label, "input").fill(str(value))
        self.control(label, "input").press("Enter")

    def tick(self, label):
        self.box.get_by_label(label, exact=True).press("Space")

    def check(self, **changes):
        "The screen shows the pictures of the state, after these changes of it."
        for name in ("heatmap", "curve"):
            state = getattr(self, name)
            setattr(self, name, replace(state, **{key: value for key, value in changes.items() if hasattr(state, key)}))
        scene = self.scenes[self.index]
        wait_for(self.heatmaps, heatmap_picture(scene, self.heatmap).png)
        wait_for(self.curves, curve_picture(scene, self.curve, self.means).png)
        assert not self.box.get_by_role("alert").is_visible()


def check_controls(look, folder):
    "Every kind of control, by keyboard and by mouse."
    slider, menu = ".noUi-handle", "select"
    down = ("Space", "ArrowDown", "Enter")  # in JupyterLab the arrow keys alone belong to the notebook
    look.check()
    look.press("Opacity", slider, *["ArrowLeft"] * 3)
    look.check(opacity=0.65)
    track = look.control("Opacity", ".noUi-target")
    track.click(position={"x": track.bounding_box()["width"] * 0.3, "y": 2})
    look.check(opacity=float(look.control("Opacity", ".widget-readout").inner_text()))
    look.press("Colours", menu, *down)
    look.check(colours="inferno")
    look.control("Signed maps", menu).select_option("PuOr_r")
    look.press("Scale", menu, *down)
    look.check(signed_colours="PuOr_r", one_scale=False)
    look.tick("Mask outline")
    look.tick("Read the maps at")
    look.type("Row", 70)
    look.type("Column", 31)
    look.check(outline=False, pixel=(70, 31))
    look.press("R by", menu, *down)
    look.press("r", slider, *["ArrowRight"] * 7)
    look.check(normalize="minmax", r=0.57)
    look.box.get_by_label("Grad-CAM", exact=True).click()
    look.check(methods=("ram", "moram"))
    look.tick("Grad-CAM")
    look.type("Image", 5)
    look.index = 5
    look.check(methods=METHODS)
    look.type("Target", -0.32)
    look.index = find_nearest(look.targets, -0.32)
    look.check()
    check_upload(look, folder)
    check_save(look, folder)


def check_upload(look, folder):
    "A picture is explained; a file that is none is refused, where the reader sees it; the next picture is right again."
    button = look.box.get_by_role("button", name=re.compile("Upload image"))
    (folder / "notes.txt").write_text("hello")
    picture = Image.radial_gradient("L").resize((200, 150))
    picture.save(folder / "rings.png")
    for name in ("rings.png", "notes.txt"):
        with look.page.expect_file_chooser() as chooser:
            button.click()
        chooser.value.set_files(folder / name)
        if name == "rings.png":
            look.index = look.scenes.gallery.upload(name, (folder / name).read_bytes())
            look.check()
    look.box.get_by_role("alert").filter(has_text="notes.txt: not a picture").wait_for()
    look.type("Target", 0.5)
    look.index = find_nearest(look.targets, 0.5)
    look.box.get_by_role("alert").wait_for(state="detached")
    look.check()


def check_save(look, folder):
    "The saved file is the picture that is shown."
    for i, image in enumerate((look.heatmaps, look.curves)):
        look.box.get_by_role("button", name="Save PNG").nth(i).press("Enter")
        with look.page.expect_download() as download:
            look.box.locator("a[download]").nth(i).press("Enter")
        download.value.save_as(folder / "saved.png")
        assert (decode((folder / "saved.png").read_bytes()) == pixels(image)).all()


WATCH = """image => {
    window.watched?.abort()
    window.watched = new AbortController()
    window.times = []
    window.pictures = 0
    let moved = null
    for (const kind of ['keydown', 'change']) {
        const listen = event => { moved = moved ?? event.timeStamp }
        document.addEventListener(kind, listen, {capture: true, signal: window.watched.signal})
    }
    const observer = new MutationObserver(async () => {
        window.pictures += 1
        const start = moved
        moved = null
        try { await image.decode() } catch { return }  // replaced meanwhile
        const painted = () => { if (start !== null) window.times.push(performance.now() - start) }
        requestAnimationFrame(() => setTimeout(painted))  // after the frame that shows it
    })
    observer.observe(image, {attributes: true, attributeFilter: ['src']})
    window.watched.signal.addEventListener('abort', () => observer.disconnect())
}"""


def measure(look, image, label, move, values):
    "Median milliseconds from a move of a control to the new picture on the screen, and the slowest."
    image.evaluate(WATCH)
    for i, value in enumerate(values):
        move(value)
        look.page.wait_for_function("n => window.times.length >= n", arg=i + 1)
    times = look.page.evaluate("window.times")
    print(f"{label:9} median {statistics.median(times):3.0f} ms, slowest {max(times):3.0f} ms, {len(times)} moves")


def benchmark(look):
    "What the reader waits for. A new image needs a pass of the model, and a new plot of the curves."
    slide, press = ["ArrowRight", "ArrowRight", "ArrowLeft"] * 10, look.page.keyboard.press
    look.control("Opacity", ".noUi-handle").focus()
    measure(look, look.heatmaps, "opacity", press, slide)
    look.control("r", ".noUi-handle").focus()
    measure(look, look.curves, "r", press, slide)
    measure(look, look.heatmaps, "colours", look.control("Colours", "select").select_option, ["viridis", "inferno"] * 10)
    look.control("Image", "input").focus()
    measure(look, look.curves, "new image", press, ["ArrowUp"] * 15)


def rush(look, server, rounds=5):
    "Forty quick moves: the last picture is right, none comes after it, and memory does not grow."
    def memory():
        look.page.evaluate("gc()")
        return kernel_memory(server.pid), look.page.evaluate("performance.memory.usedJSHeapSize") / 2**20

    look.press("Opacity", ".noUi-handle", "Home")
    look.press("r", ".noUi-handle", "Home")
    look.type("Image", 9)
    look.index = 9
    look.check(opacity=0.0, r=0.0)
    look.curves.evaluate(WATCH)
    for turn in range(rounds + 1):
        if turn == 1:
            before = memory()  # after one round, when everything is loaded
        key, r = ("ArrowRight", 0.4) if turn % 2 == 0 else ("ArrowLeft", 0.0)
        look.page.evaluate("window.pictures = 0")
        look.press("r", ".noUi-handle", *[key] * 40)
        start = time.perf_counter()
        look.check(r=r)
        settled, drawn = time.perf_counter() - start, look.page.evaluate("window.pictures")
        time.sleep(0.5)
        assert look.page.evaluate("window.pictures") == drawn, "pictures came after the right one"
    after = memory()
    print(f"40 quick moves: {drawn} pictures drawn, the right one at most {1000 * settled:.0f} ms after the last key; "
          f"over {40 * rounds} moves the kernel grew by {after[0] - before[0]:.1f} MB, the page by {after[1] - before[1]:.1f} MB")
    assert after[0] - before[0] < 20 and after[1] - before[1] < 20


def kernel_memory(server):
    "Resident memory of the kernels of a server, in MB."
    kernels = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == server and "ipykernel" in (folder / "cmdline").read_text():
                kernels.append(int((folder / "statm").read_text().split()[1]) * 4096 / 2**20)
        except OSError:  # ended meanwhile
            continue
    return sum(kernels)


def test_lab(folder, screenshots):
    "The notebook runs in JupyterLab, and its explorers follow their controls. No request leaves the machine."
    (folder / "07_explore.ipynb").write_bytes((ROOT / "nbs" / "07_explore.ipynb").read_bytes())
    server, address = serve_lab(folder)
    with server as process, open_page(screenshots, "lab", 1500, 1400) as page:
        page.goto(f"{address}/07_explore.ipynb?reset", wait_until="domcontentloaded")
        page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for()
        errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
        assert errors.count() == 0, errors.first.inner_text()
        box = page.locator(".jp-CodeCell", has_text="explorer = Explorer(model, Subset").locator(".jp-OutputArea-output").first
        box.scroll_into_view_if_needed()
        model, data = find_parts()
        look = Looker(page, box, data, model, find_nearest(find_targets(data), 0.95))
        look.tick("RAM")
        look.check()
        box.screenshot(path=screenshots / "explorer-lab.png")
        check_controls(look, folder)
        benchmark(look)
        rush(look, process)
        assert page.problems == [] and page.left == [], (page.problems, page.left)


def test_voila(folder, screenshots):
    "The app serves the same explorers."
    port = free_port()
    command = [sys.executable, "-c", f"from moram.explore import launch; launch(port={port}, browser=False)"]
    with serve(command, folder, f"http://127.0.0.1:{port}/voila/static/") as process, open_page(screenshots, "voila", 1200, 1400) as page:
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("img.widget-image").nth(1).wait_for()
        look = Looker(page, page.locator("body"), *reversed(find_parts()), 0)
        look.check()
        page.screenshot(path=screenshots / "explorer-voila.png")
        check_controls(look, folder)
        benchmark(look)
        rush(look, process)
        assert page.problems == [], page.problems
        print("requests that left the machine:", page.left or "none")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where", nargs="*", default=["lab", "voila"], help="lab, voila or both")
    parser.add_argument("--screenshots", type=Path, default=Path(tempfile.gettempdir()), help="folder for the screenshots")
    arguments = parser.parse_args()
    arguments.screenshots.mkdir(parents=True, exist_ok=True)
    for where in arguments.where:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            {"lab": test_lab, "voila": test_voila}[where](Path(folder), arguments.screenshots.resolve())
        print(f"{where}: ok, {time.perf_counter() - start:.0f} s\n")


if __name__ == "__main__":
    main()
