"""A server with a tiny model, and a browser that reaches nothing else."""

import shutil
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from musicvae_lite.play.server import serve
from tests.tiny import melody, save, save_tiny_model

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Running:
    """A server in a thread; what tests need to know of it."""

    def __init__(self, model, files, folder):
        self.folder = Path(folder)
        self.server = serve(str(model), tuple(files), folder=self.folder, browser=False)
        self.url = self.server.url
        parts = urlsplit(self.url)
        self.token, self.port = parse_qs(parts.query)["token"][0], parts.port
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        for _ in range(500):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/icon.svg", timeout=5).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the server does not answer")

    def close(self):
        self.server.stop()
        self.thread.join(10)


@pytest.fixture(scope="session")
def tunes(tmp_path_factory):
    """Four MIDI files."""
    folder = tmp_path_factory.mktemp("tunes")
    qpms = {"a": 90, "b": 150, "c": 110, "d": 130}
    return [
        save(melody(3, qpm, name.upper(), 60 + i), folder / f"{name}.mid")
        for i, (name, qpm) in enumerate(qpms.items())
    ]


@pytest.fixture(scope="session")
def running(tmp_path_factory, tunes):
    """A server with a tiny model, for all tests."""
    model = save_tiny_model(tmp_path_factory.mktemp("play-model") / "tiny")
    server = Running(model, tunes, tmp_path_factory.mktemp("play") / "kept")
    yield server
    server.close()


@pytest.fixture(scope="session")
def browser():
    """Chromium, which finds no host but this machine."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Page:
    """A page, what went wrong on it, and what it asked for."""

    def __init__(self, browser, url, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.errors, self.requests = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)

    def value(self, expression):
        return self.page.evaluate(expression)

    def wait(self, expression, seconds=20.0):
        """Wait until something holds; the page's own policy allows no other way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.page.evaluate(expression)
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {expression}")

    def ready(self):
        loaded = "!document.body.classList.contains('loading')"
        self.wait(f"{loaded} && Boolean(globalThis.musae?.app.current)")
        return self


@pytest.fixture
def open_page(browser):
    """Open pages that are closed, and looked over for errors, when the test ends."""
    opened = []

    def open_(url, **options):
        opened.append(Page(browser, url, **options))
        return opened[-1]

    yield open_
    for page in opened:
        page.context.close()
    assert [error for page in opened for error in page.errors] == []
