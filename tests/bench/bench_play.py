"""``musae play`` against its bars: start, pad, puck, files, a long loop, many clients.

    python tests/bench/bench_play.py [--minutes 10] [--clients 100] [--seconds 60]

Needs Chromium and Playwright. Times are of the machine as it is; "import torch" stands beside
them.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.play.conftest import CHROMIUM, FLAGS, Page  # noqa: E402

SHOWN = "Boolean(globalThis.musae?.app.current)"


class Served:
    """A ``musae play`` of its own."""

    def __init__(self, folder: str, model: str) -> None:
        self.begun = time.perf_counter()
        command = [sys.executable, "-m", "musae", "play", "--no-browser", "-m", model]
        self.process = subprocess.Popen(
            [*command, "-o", f"{folder}/kept"], stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().split(" at ")[1].strip()
        parts = urlsplit(self.url)
        self.token, self.port = parse_qs(parts.query)["token"][0], parts.port

    def ask(self, path: str, tree: dict | None = None) -> int:
        data = None if tree is None else json.dumps(tree).encode()
        headers = {"X-Musae-Token": self.token}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                answer.read()
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    @property
    def megabytes(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    def close(self) -> None:
        self.process.send_signal(2)
        self.process.wait(10)


def import_torch() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - begun


def start(browser, folder: str, model: str) -> tuple[Served, Page]:
    """Start, open the page, and say when it can be used."""
    torch = import_torch()
    served = Served(folder, model)
    address = time.perf_counter() - served.begun
    page = Page(browser, served.url)
    page.wait(SHOWN, 60)
    usable = time.perf_counter() - served.begun
    times = f"address after {address:.2f} s, usable after {usable:.2f} s"
    print(f"{model}: import torch {torch:.2f} s, {times}")
    return served, page


def pad(page: Page) -> None:
    """Fill the pad anew twenty times."""
    page.value("(() => { musae.app.meter.series.clear(); })()")
    for number in range(20):
        before = page.value("musae.app.meter.series.get('grid')?.length ?? 0")
        change = f"{{ seed: {number + 100}, temperature: 0.5 }}"
        page.value(f"(() => {{ musae.app.store.set({change}) }})()")
        page.wait(f"(musae.app.meter.series.get('grid')?.length ?? 0) > {before}")
    print("5 x 5 tiles:", told(page, "grid"))


def told(page: Page, name: str) -> str:
    found = page.value("musae.app.meter.summary()").get(name)
    if found is None:
        return "nothing"
    numbers = ", ".join(f"{key} {found[key]:.0f} ms" for key in ("median", "p95", "worst"))
    return f"{numbers} ({found['count']})"


def loop(page: Page, minutes: float) -> None:
    """Play with the puck moved all the time."""
    page.page.keyboard.press("Space")
    page.wait("musae.app.player.playing")
    time.sleep(2)
    fresh = "{ worstSeconds: 0, late: 0, events: 0 }"
    page.value(f"(() => {{ Object.assign(musae.app.player.scheduler.stats, {fresh}); }})()")
    page.value(
        """(() => { let cell = 0; globalThis.mover = setInterval(() => {
          cell = (cell + 7) % 25; musae.app.movePuck(cell); }, 300); })()"""
    )
    time.sleep(60 * minutes)
    stats = page.value("musae.app.player.scheduler.stats")
    page.value("clearInterval(mover)")
    worst = stats["worstSeconds"] * 1000
    print(
        f"{minutes:g} minutes: {stats['events']:,} notes, {stats['late']} later than 5 ms, "
        f"worst {worst:.1f} ms"
    )
    for name in ("move to notes", "move to sound", "heard to file"):
        print(f"{name}: {told(page, name)}")
    page.page.keyboard.press("Space")


def clients(served: Served, count: int, seconds: float) -> None:
    """Ask from many threads at once for some time."""
    end, codes, waits = time.monotonic() + seconds, [], []
    before = served.megabytes
    size = len(json.loads(describe(served))["attributes"][0]["vector"])

    def client(number: int) -> None:
        while time.monotonic() < end:
            begun = time.perf_counter()
            codes.append(served.ask("decode", {"points": [[0.1 * (number % 7)] * size] * 4}))
            waits.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    most = before
    while time.monotonic() < end:
        most = max(most, served.megabytes)
        time.sleep(0.5)
    for thread in threads:
        thread.join()
    other = {code: codes.count(code) for code in set(codes)}
    print(
        f"{count} clients for {seconds:g} s: {len(codes):,} answers {other}, "
        f"median {statistics.median(waits) * 1000:.0f} ms; "
        f"memory {before:.0f} MB, at most {most:.0f} MB"
    )


def describe(served: Served) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{served.port}/api/describe", headers={"X-Musae-Token": served.token}
    )
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", default="mel-2bar")
    chosen = parser.parse_args()
    load = os.getloadavg()
    print(f"{os.cpu_count()} cores, load before {load[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        served, page = start(browser, folder, chosen.model)
        try:
            pad(page)
            loop(page, chosen.minutes)
            clients(served, chosen.clients, chosen.seconds)
        finally:
            served.close()
            browser.close()


if __name__ == "__main__":
    main()
