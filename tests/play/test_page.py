"""The page in Chromium, from the first look to a file on disk; no other host is there."""

import hashlib
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch

from musicvae_lite.core.latent import grid, interpolate
from musicvae_lite.media.midi import read_midi

DATA = Path(__file__).resolve().parents[2] / "data"
TUNES = [DATA / "midi" / f"{name}.mid" for name in ("ode_to_joy", "twinkle_twinkle")]
NOISY = DATA / "audio" / "ode_to_joy_noisy.flac"
LEVEL = "musae.app.player.sound?.level ?? 0"


@pytest.fixture
def page(open_page, running):
    return open_page(running.url).ready()


def drop(page, paths, target="body"):
    """Drop files, as a file manager would."""
    files = [(path.name, list(path.read_bytes())) for path in paths]
    page.value(
        f"""(() => {{
          const transfer = new DataTransfer();
          for (const [name, bytes] of {json.dumps(files)})
            transfer.items.add(new File([new Uint8Array(bytes)], name));
          const options = {{ dataTransfer: transfer, bubbles: true, cancelable: true }};
          const place = document.querySelector({json.dumps(target)});
          place.dispatchEvent(new DragEvent("drop", options));
        }})()"""
    )


def test_the_whole_way_from_files_that_are_dropped_to_files_on_disk(page, running):
    drop(page, TUNES)
    page.wait("musae.app.state.corners.length === 2")
    page.wait("musae.app.cells.pieces.length === 9")
    names = page.page.locator(".corner .name").all_text_contents()
    assert names == ["ode to joy", "twinkle twinkle"]

    page.page.keyboard.press("Space")  # hear
    page.wait(f"{LEVEL} > 0.002")
    first = page.wait("musae.app.fileOf(musae.app.current)?.path")
    assert len(read_midi(first).notes) == page.value("musae.app.current.notes.length")
    assert read_midi(first).qpm == page.value("musae.app.state.qpm")

    box = page.page.locator("#pad").bounding_box()  # move
    page.page.mouse.click(box["x"] + box["width"] * 0.95, box["y"] + box["height"] / 2)
    page.wait("musae.app.state.puck === 8")
    page.wait("musae.app.player.latched?.cell === 8")

    page.page.locator(".bar-button").first.click()  # lock a bar, and ask for the rest
    kept = "musae.app.current.notes.filter((note) => note.start < 4)"
    before, shown = page.value(kept), page.value("musae.app.state.override")
    page.page.keyboard.press("n")
    page.wait("!musae.app.renewing && musae.app.state.draws > 0")
    assert page.value(kept) == before and page.value("musae.app.state.override") != shown

    page.page.keyboard.press("k")  # keep
    assert page.page.locator(".card").count() == 1
    second = page.wait("musae.app.fileOf(musae.app.current)?.path")
    assert Path(second).parent == running.folder and len(read_midi(second).notes) > 0

    stats = page.value("musae.app.player.scheduler.stats")
    assert stats["events"] > 0
    page.page.keyboard.press("Space")
    page.wait("!musae.app.player.playing")
    assert {urlsplit(url).hostname for url in page.requests if url.startswith("http")} == {
        "127.0.0.1"
    }


def test_a_path_is_drawn_and_walked_a_bar_a_tile(page):
    page.page.get_by_role("button", name="Draw a path").click()
    box = page.page.locator("#pad").bounding_box()
    left, top, width, height = (box[key] for key in ("x", "y", "width", "height"))
    page.page.mouse.move(left + width * 0.1, top + height * 0.1)
    page.page.mouse.down()
    page.page.mouse.move(left + width * 0.9, top + height * 0.1, steps=20)
    page.page.mouse.up()
    assert page.wait("musae.app.state.path.length > 1 && musae.app.state.path") == [0, 1, 2, 3, 4]
    cells = "[0, 1, 2, 5].map((bar) => musae.app.player.choose(bar).cell)"
    assert page.value(cells) == [0, 1, 2, 0]
    page.page.keyboard.press("k")
    assert page.value("musae.app.state.tray[0].piece.quarters") == 20
    page.page.get_by_role("button", name="Hear path").click()
    assert page.page.locator(".bar-button").count() == 5
    assert page.value("[0, 4, 5].map((bar) => musae.app.player.choose(bar).at)") == [0, 16, 0]
    page.page.locator(".puck").focus()
    page.page.keyboard.press("Control+z")
    page.page.get_by_role("button", name="Clear").click()
    assert page.value("musae.app.state.path") == []


def test_a_path_is_drawn_with_the_keyboard(page):
    page.page.get_by_role("button", name="Draw a path").click()
    page.page.locator(".puck").focus()
    for key in ("Home", "Enter", "ArrowRight", "Enter", "ArrowDown", "Enter"):
        page.page.keyboard.press(key)
    assert page.value("musae.app.state.path") == [0, 1, 6]


def test_sliders_move_the_pad_and_undo_takes_back(page):
    before = page.value("musae.app.cells.key")
    temperature = page.page.get_by_label("Temperature")
    temperature.focus()
    page.page.keyboard.press("End")
    page.wait(f"musae.app.cells.key !== {json.dumps(before)}")
    assert page.value("musae.app.state.temperature") == 1.5
    page.page.locator(".puck").focus()
    page.page.keyboard.press("Control+z")
    page.wait(f"musae.app.cells.key === {json.dumps(before)}")
    page.page.keyboard.press("Control+Shift+Z")
    assert page.value("musae.app.state.temperature") == 1.5


def test_the_keyboard_reaches_pad_and_notes(page):
    page.page.locator(".puck").focus()
    for key in ("Home", "ArrowRight", "ArrowDown"):
        page.page.keyboard.press(key)
    puck = page.page.locator(".puck")
    assert page.value("musae.app.state.puck") == 6
    assert puck.get_attribute("aria-valuetext") == "row 2, column 2"
    page.page.keyboard.press("End")
    assert "corner D" in puck.get_attribute("aria-valuetext")
    notes = page.page.locator(".roll-notes")
    notes.focus()
    page.page.keyboard.press("End")
    page.page.keyboard.press("Enter")
    assert page.value("musae.app.state.locks.notes.size") == 1
    active = notes.get_attribute("aria-activedescendant")
    note = page.page.locator(f"#{active}")
    assert note.get_attribute("aria-selected") == "true" and "bar" in note.get_attribute(
        "aria-label"
    )


UNNAMED = """[...document.querySelectorAll("button, select, input, [role=slider], [role=listbox]")]
  .filter((node) => node.offsetParent !== null && !(node.getAttribute("aria-label")
    || node.textContent.trim() || node.labels?.[0]?.textContent.trim() || node.title))
  .map((node) => node.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("size", [(1440, 900), (820, 1100), (390, 844)])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_width_shows_all_and_names_all(open_page, running, size, scheme):
    viewport = {"width": size[0], "height": size[1]}
    page = open_page(running.url, viewport=viewport, color_scheme=scheme).ready()
    assert page.value("document.documentElement.scrollWidth") <= size[0]
    assert page.value(UNNAMED) == []
    for selector in ("#play", "#renew", "#keep", ".puck"):
        assert page.page.locator(selector).is_visible(), selector


def test_bad_files_are_told_of_and_leave_the_pad(page, tmp_path):
    text = tmp_path / "text.mid"
    text.write_text("no music")
    before = page.value("musae.app.state.corners.map(({ id }) => id)")
    drop(page, [text])
    assert "text.mid" in page.page.get_by_role("alert").last.inner_text()
    drop(page, [*TUNES, *TUNES, TUNES[0]])
    assert "two or four" in page.page.get_by_role("alert").last.inner_text()
    drop(page, [DATA / "drums" / "rock.mid"])
    page.page.get_by_role("button", name="Open with drums-2bar").wait_for()
    assert page.value("musae.app.state.corners.map(({ id }) => id)") == before


def test_a_model_of_another_kind_is_shown_as_what_it_is(page):
    page.page.locator("#model").select_option("drums-2bar")
    page.wait("musae.app.about.kind === 'drums' && Boolean(musae.app.current)", 60)
    assert page.page.locator(".voice").count() >= 5
    assert page.page.locator(".corner").count() == 2
    page.page.get_by_role("button", name="Solo Kick").click()
    heard = page.value("[...musae.app.player.voices.solo]")
    assert heard == ["Kick"]


def test_a_browser_without_sound_shows_the_rest(open_page, running):
    page = open_page(running.url)
    page.page.add_init_script(
        "delete globalThis.AudioWorkletNode; delete globalThis.AudioContext;"
        "delete Navigator.prototype.requestMIDIAccess"
    )
    page.page.reload()
    page.ready().page.locator("#play").click()
    assert "no Web Audio" in page.page.get_by_role("alert").last.inner_text()
    page.page.keyboard.press("n")
    page.wait("musae.app.state.override !== null")


def test_a_lost_connection_is_waited_for_and_nothing_is_lost(page, running):
    page.page.route("**/api/**", lambda route: route.abort())
    page.page.keyboard.press("k")
    page.wait("document.body.classList.contains('offline')")
    assert page.page.locator(".card").count() == 1
    waiting = page.value("musae.app.keeper.waiting.length")
    page.page.unroute("**/api/**")
    page.wait("!document.body.classList.contains('offline')")
    page.wait("musae.app.keeper.waiting.length === 0")
    assert waiting == 1 and page.value("musae.app.fileOf(musae.app.current)?.path")


def test_a_recording_is_seen_heard_both_ways_and_saved(page, running):
    drop(page, [NOISY])
    page.wait(
        "musae.recordings.recording !== null && musae.recordings.sound?.buffers !== null", 120
    )
    assert page.page.locator("#recordings canvas").count() == 2
    page.page.locator("#recordings").get_by_role("button", name="Play").click()
    page.wait("musae.recordings.sound.playing")
    gains = "musae.recordings.sound.levels.map(({ gain }) => Math.round(gain.value * 100) / 100)"
    for key, wanted in (("1", [1, 0]), ("2", [0, 1]), ("3", [1, -1])):
        page.page.keyboard.press(key)
        page.wait(f"JSON.stringify({gains}) === '{json.dumps(wanted).replace(' ', '')}'")
    page.page.get_by_label("Strength").fill("0.5")
    page.page.keyboard.press("2")
    page.wait(f"JSON.stringify({gains}) === '[0.5,0.5]'")
    page.page.locator("#recordings").get_by_role("button", name="Save").click()
    page.page.get_by_text("Saved:").wait_for()
    saved = list(running.folder.glob("*ode_to_joy_noisy denoised.flac"))
    assert len(saved) == 1
    told = page.value("musae.recordings.sound.buffers.map((buffer) => buffer.length)")
    assert told[0] == told[1]


# What the page computes by itself, against the library


def test_points_between_points_are_those_of_the_library(page):
    draws = np.random.default_rng(3).normal(size=(4, 16))
    given = json.dumps(draws.tolist())
    made = page.value(f"musae.geometry.between({given}, 4)")
    wanted = grid(torch.from_numpy(draws), 4, 4).flatten(0, 1).numpy()
    np.testing.assert_allclose(made, wanted, rtol=1e-9, atol=1e-12)
    line = page.value(f"musae.geometry.between({given}.slice(0, 2), 7)")
    np.testing.assert_allclose(line, interpolate(draws[0], draws[1], 7), rtol=1e-9, atol=1e-12)
    same = page.value(f"musae.geometry.along({given}[0], {given}[0], 0.5)")
    np.testing.assert_allclose(same, draws[0])


def test_the_loop_is_scheduled_ahead_and_on_time(page):
    """With the puck moved all the time no note comes late, and none is left to sound."""
    page.page.keyboard.press("Space")
    page.wait("musae.app.player.playing && musae.app.player.scheduler.stats.events > 0")
    end = time.monotonic() + 4
    cell = 0
    while time.monotonic() < end:
        cell = (cell + 7) % 25
        page.value(f"musae.app.movePuck({cell})")
        time.sleep(0.05)
    told = page.value("musae.app.meter.summary()")
    assert told["move to notes"]["count"] > 5
    assert page.value("musae.app.player.scheduler.held.size") <= 4
    page.page.keyboard.press("Space")
    assert page.value("musae.app.player.scheduler.held.size") == 0


def test_the_page_is_built_from_its_sources():
    page = DATA.parent / "musicvae_lite" / "play" / "page"
    told = hashlib.sha256()
    for path in sorted((page / "src").iterdir()):
        told.update(path.name.encode() + path.read_bytes())
    built = (page / "app" / "sources.sha256").read_text().strip()
    assert built == told.hexdigest(), "run 'npm ci && npm run build' in musicvae_lite/play/page"


PORTS = """
  globalThis.sent = [];
  const port = (id, name) => ({ id, name, send: (bytes, at) => sent.push([...bytes, at]) });
  const input = port("in", "Keyboard");
  globalThis.keyboard = input;
  navigator.requestMIDIAccess = async () => ({
    outputs: new Map([["out", port("out", "DAW")]]), inputs: new Map([["in", input]]),
  });
"""


def test_midi_goes_out_to_a_port_and_comes_in_from_a_keyboard(open_page, running):
    page = open_page(running.url)
    page.page.add_init_script(PORTS)
    page.page.reload()
    page.ready().page.get_by_role("button", name="MIDI", exact=True).click()
    page.page.get_by_label("MIDI out").select_option("out")
    page.page.get_by_label("MIDI in").select_option("in")
    page.value("(() => { musae.app.store.set({ qpm: 300 }) })()")
    page.page.keyboard.press("Space")
    page.wait("sent.some(([status]) => (status & 0xf0) === 0x90)")
    ahead = page.value("sent.find(([status]) => (status & 0xf0) === 0x90)[3] - performance.now()")
    assert ahead > -2000
    page.page.get_by_role("button", name="Record one loop").click()
    page.wait("musae.app.player.scheduler.position() >= (musae.transport.take?.from ?? 1e9)")
    key = "keyboard.onmidimessage({{ data: new Uint8Array([{}, {}, 90]) }})"
    pitches = [60, 64, 67, 72]
    for pitch in pitches:
        page.value(key.format("0x90", pitch))
        time.sleep(0.1)
        page.value(key.format("0x80", pitch))
    page.wait("musae.app.state.corners[0].name === 'recorded'")
    heard = page.value("musae.app.state.corners[0].piece.notes.map(({ pitch }) => pitch)")
    assert set(heard) <= set(pitches) and len(heard) >= 2
