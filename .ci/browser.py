"""Headless Chromium, and servers for it to look at: what explorers.py and site.py share."""

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The first three: containers, machines without a graphics card, small /dev/shm. The rest keeps Chromium from phoning
# home, so that every request that is seen is the page's own.
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-domain-reliability",
    "--enable-precise-memory-info", "--js-flags=--expose-gc",
]  # fmt: skip
LOCAL = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")


def find_chromium():
    "The system's Chromium or Chrome; None lets Playwright take the one that it installed."
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def open_page(screenshots, name, width=1400, height=1000):
    "A page that remembers its errors and the requests that leave the machine; on failure a screenshot is kept."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=OPTIONS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(120_000)
        page.problems, page.left = [], []
        page.on("pageerror", lambda error: page.problems.append(str(error)[:300]))
        for kind in ("request", "websocket"):
            page.on(kind, lambda call: call.url.startswith(LOCAL) or page.left.append(call.url[:120]))
        try:
            yield page
        except BaseException:
            page.screenshot(path=screenshots / f"{name}-failed.png")
            raise
        finally:
            browser.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serve(command, folder, probe):
    "Run a server until the block ends. `probe` is the address that answers when it is up."
    private = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    private |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                "IPYTHONDIR": str(folder / "ipython"), "MPLCONFIGDIR": str(folder / "matplotlib")}  # fmt: skip
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=folder, env={**os.environ, **private}, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 120
        while not answers(probe):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.2)
        yield server
    except BaseException:
        print(log.read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        server.send_signal(signal.SIGINT)  # as Ctrl-C: kernels are ended too
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def answers(address):
    try:
        urllib.request.urlopen(address, timeout=2).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def serve_lab(folder):
    "JupyterLab on the notebooks in `folder`, as a context manager, and the address of its workspace."
    settings = folder / "settings" / "@jupyterlab"
    for plugin, values in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},  # else cells out of sight are not in the page
    }.items():
        path = settings / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    port = free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={folder}",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.password=",
        "--IdentityProvider.token=", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    return serve(command, folder, f"http://127.0.0.1:{port}/api"), f"http://127.0.0.1:{port}/lab/tree"


def decode(png):
    "The pixels [H, W, 3] of a PNG file."
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def pixels(image):
    "The pixels [H, W, 3] that the browser has decoded for an <img>; None while it is replaced by another."
    url = image.evaluate(
        """async image => {
            try { await image.decode() } catch { return null }
            const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight)
            canvas.getContext('2d').drawImage(image, 0, 0)
            const blob = await canvas.convertToBlob()
            return await new Promise(done => {
                const reader = new FileReader()
                reader.onload = () => done(reader.result)
                reader.readAsDataURL(blob)
            })
        }"""
    )
    return url and decode(base64.b64decode(url.split(",")[1]))


def wait_for(image, png, seconds=20):
    "Wait until an <img> shows the same pixels as a PNG file."
    expected, deadline = decode(png), time.monotonic() + seconds
    while True:
        found = pixels(image)
        comparable = found is not None and found.shape == expected.shape
        if comparable and (found == expected).all():
            return
        if time.monotonic() > deadline:
            different = f"{(found != expected).any(2).mean():.1%} of the pixels differ" if comparable else "another size"
            raise AssertionError(f"not the picture that the state gives: {different}")
        time.sleep(0.05)
