"""A browser that stays on this machine, and servers for it to look at: JupyterLab, Voila, the built website.

    pip install -e ".[dev]" && pytest tests/browser

Chromium or Chrome is looked for on the PATH and in the variable CHROMIUM; where there is none, `playwright install
chromium` brings one. pytest-playwright's options help: `--headed`, `--slowmo 500`, `--screenshot only-on-failure`.
"""

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
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from moram.explorer.app import app_notebook

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Containers, machines without a graphics card, small /dev/shm; then what keeps Chromium itself from phoning home, so that
# every request that is seen is the page's own; last, memory that tests can read.
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-domain-reliability",
    "--enable-precise-memory-info", "--js-flags=--expose-gc",
]  # fmt: skip
HERE = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
SECONDS = 120  # for a page, a kernel or a server to answer


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    "The system's Chromium or Chrome; without one, Playwright takes its own."
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    return {**browser_type_launch_args, "args": OPTIONS, **({"executable_path": found} if found else {})}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {**browser_context_args, "viewport": {"width": 1400, "height": 1000}}


@pytest.fixture
def page(page):
    "Playwright's page; its test fails when a script fails or when the page asks for anything outside this machine."
    page.set_default_timeout(1000 * SECONDS)
    errors, outside = [], []
    page.on("pageerror", lambda error: errors.append(str(error)[:300]))
    for kind in ("request", "websocket"):
        page.on(kind, lambda call: call.url.startswith(HERE) or outside.append(call.url[:120]))
    yield page
    assert not errors, f"scripts of the page failed: {errors}"
    assert not outside, f"the page asked for what is not on this machine: {outside}"


@pytest.fixture(scope="session")
def free_port():
    "A function that gives a port that nobody listens on."

    def find():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


def answers(address):
    try:
        urllib.request.urlopen(address, timeout=2).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextmanager
def running(command, folder, probe):
    "A server (its process) with settings of its own in `folder`, until the block ends; it is up when `probe` answers."
    folders = {f"JUPYTER_{kind}_DIR": kind.lower() for kind in ("CONFIG", "DATA", "RUNTIME")}
    folders |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
    environment = os.environ | {name: str(folder / part) for name, part in folders.items()}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS
        while not answers(probe):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{(folder / 'server.log').read_text()[-3000:]}")
            time.sleep(0.2)
        yield server
    finally:
        server.send_signal(signal.SIGINT)  # as Ctrl-C: kernels are ended too
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    "`serve(command, probe)` runs a server (say Voila) until the module's tests are done, and gives its process."
    with ExitStack() as servers:
        yield lambda command, probe: servers.enter_context(running(command, tmp_path_factory.mktemp("server"), probe))


@pytest.fixture(scope="session")
def lab_address(tmp_path_factory, free_port):
    "JupyterLab on a copy of nbs/, for the whole session: `{lab_address}/explorer/02_view.ipynb` opens a notebook."
    folder, port = tmp_path_factory.mktemp("lab"), free_port()
    shutil.copytree(ROOT / "nbs", folder / "nbs", ignore=shutil.ignore_patterns(".*"))
    (folder / "nbs" / "app.ipynb").write_text(app_notebook(listed=40, mean_over=8))
    for plugin, values in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},  # else cells out of sight are not in the page
    }.items():
        settings = folder / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(values))
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={folder / 'nbs'}",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.password=",
        "--IdentityProvider.token=", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with running(command, folder, f"http://127.0.0.1:{port}/api"):
        yield f"http://127.0.0.1:{port}/lab/tree"


@pytest.fixture
def run_notebook(page, lab_address):
    "`run_notebook('explorer/02_view.ipynb')` opens it in JupyterLab, runs all cells, fails on an error, gives the page."

    def run(path):
        page.goto(f"{lab_address}/{path}?reset", wait_until="domcontentloaded")
        page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
        status = page.locator("#jp-main-statusbar")
        status.get_by_text("| Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.wait_for_function(ALL_RUN)
        errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
        assert errors.count() == 0, errors.first.inner_text()
        return page

    return run


# Each code cell has a number, and none is waiting or running ("[*]").
ALL_RUN = r"""() => {
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(prompt => prompt.innerText)
    return prompts.length && prompts.every(prompt => /\[\d+\]/.test(prompt))
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory):
    "The website's pages: those of the folder that the variable SITE names, else built now (docs/build.py)."
    if os.environ.get("SITE"):
        return Path(os.environ["SITE"]).resolve()
    folder = tmp_path_factory.mktemp("site") / "pages"
    subprocess.run([sys.executable, ROOT / "docs" / "build.py", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def site_address(site_folder):
    "The website on a server: `{site_address}/index.html`."
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site_folder))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
