import { App } from "./app.js";
import { createModel, readSetup } from "./backends.js";
import { $, $$, element, iconButton, toast } from "./dom.js";
import * as geometry from "./latent.js";
import { PieceView } from "./piece_view.js";
import { RecordingsPage } from "./recordings.js";
import { SpaceView } from "./space_view.js";
import { TransportView } from "./transport_view.js";
import { TrayView } from "./tray_view.js";

const SOUND_FILES = /\.(wav|flac|ogg|oga|aiff?|w64|caf|mp3)$/i;
const NAMES = {
  "mel-2bar": "Melodies, 2 bars", "mel-16bar": "Melodies, 16 bars", "drums-2bar": "Drums, 2 bars",
  "groove-2bar": "Drum grooves, 2 bars", "trio-16bar": "Trios, 16 bars", "waltz-2bar": "Waltzes (3/4), 2 bars",
  "jig-2bar": "Jigs (6/8), 2 bars", "mel-2bar-chords": "Melodies over chords, 2 bars",
};

/** Put the page together. */
async function start() {
  const setup = readSetup();
  const model = createModel(setup);
  const app = new App(model, setup);
  const recordings = new RecordingsPage($("#recordings"), model);
  const space = new SpaceView(app);
  const piece = new PieceView(app);
  const transport = new TransportView(app);
  const tray = new TrayView();
  for (const view of [space, piece, transport, tray, { update: showHistory }]) app.views.add(view);
  app.onPosition = (mark) => {
    piece.at(mark);
    transport.at(mark);
    space.pad.show(mark ? (mark.found?.cell ?? null) : null);
  };
  app.onModel = (name) => listModels(app, name);
  globalThis.musae = { app, recordings, transport, geometry }; // for tests, and for the curious
  tools(app);
  keys(app, transport);
  drops(app, recordings);
  tabs(recordings);
  await open(app, model, setup);
}

/** Load what the page shows first; say what is wrong where nothing can be. */
async function open(app, model, setup) {
  try {
    const about = await model.describe();
    const hasSound = about.models.some(({ medium }) => medium === "sound");
    $("#tab-recordings").hidden = !hasSound;
    if (about.medium === "sound") {
      document.body.classList.remove("loading");
      const first = about.models.find(({ medium }) => medium === "music");
      if (first) model.model = first.name;
      else $("#tab-music").hidden = true;
      showTab("recordings");
      if (!first) return;
    }
    await app.load();
    listModels(app, model.model ?? setup.model);
    document.body.classList.remove("loading");
  } catch (error) {
    $("#status").textContent = error.message;
    toast(error.message, { error: true });
    if (error.offline) {
      await model.back();
      location.reload();
    }
  }
}

function listModels(app, chosen) {
  const select = $("#model");
  const names = app.about.models.filter(({ medium }) => medium === "music").map(({ name }) => name);
  select.replaceChildren(...names.map((name) => element("option", { value: name }, NAMES[name] ?? name)));
  select.value = chosen;
  select.onchange = () => app.switchModel(select.value);
}

function showHistory(app) {
  const [undo, redo] = $$("#history button");
  undo.disabled = !app.store.past.length;
  redo.disabled = !app.store.future.length;
}

function tools(app) {
  $("#history").append(
    iconButton("undo", "Undo (Ctrl Z)", () => app.store.undo()),
    iconButton("redo", "Redo (Ctrl Shift Z)", () => app.store.redo()),
  );
  $("#help-place").append(iconButton("help", "Keys", () => $("#help").showModal()));
}

function keys(app, transport) {
  const actions = {
    " ": () => app.togglePlay(),
    n: () => app.renew(),
    k: () => app.keepInTray(),
    m: () => transport.toggleMetronome(),
    p: () => $(".puck").focus(),
    t: () => toggleTiming(app),
    "?": () => $("#help").showModal(),
  };
  addEventListener("keydown", (event) => {
    if (document.body.dataset.page === "recordings") return;
    const typing = event.target.closest?.("input:not([type=range]), select, textarea, dialog[open]");
    if (typing || event.altKey) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      if (event.shiftKey) app.store.redo();
      else app.store.undo();
      return;
    }
    if (event.ctrlKey || event.metaKey) return;
    const pressed = event.key === " " && event.target.closest?.("button");
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || pressed) return;
    event.preventDefault();
    action();
  });
}

/** Files may be dropped anywhere; on a corner they go there. */
function drops(app, recordings) {
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    const entry = event.dataTransfer?.types.includes("application/x-musae");
    if (!isFiles(event) && !entry) return;
    event.preventDefault();
    const corner = event.target.closest?.(".corner");
    for (const node of $$(".corner")) node.classList.toggle("target", node === corner);
    document.body.classList.toggle("dropping", isFiles(event) && !corner);
  });
  const done = () => {
    document.body.classList.remove("dropping");
    for (const node of $$(".corner.target")) node.classList.remove("target");
  };
  addEventListener("dragleave", (event) => event.relatedTarget === null && done());
  addEventListener("drop", (event) => {
    event.preventDefault();
    done();
    const corner = event.target.closest?.(".corner")?.dataset.corner;
    const kept = event.dataTransfer.getData("application/x-musae");
    if (kept && corner !== undefined) {
      const entry = app.state.tray.find(({ id }) => id === kept);
      if (entry) app.pieceToCorner(Number(corner), entry.piece, entry.title);
      return;
    }
    dropped([...event.dataTransfer.files], corner === undefined ? null : Number(corner), app, recordings);
  });
}

function dropped(files, corner, app, recordings) {
  const sounds = files.filter(({ name }) => SOUND_FILES.test(name));
  if (sounds.length) {
    showTab("recordings");
    recordings.open(sounds[0]);
    if (files.length > 1) toast(`${sounds[0].name} is open; the page shows one recording at a time.`);
  } else if (files.length) {
    showTab("music");
    app.drop(files, corner);
  }
}

function tabs(recordings) {
  for (const name of ["music", "recordings"]) $(`#tab-${name}`).onclick = () => showTab(name);
  $(".tabs").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = $("#music").hidden ? "music" : "recordings";
    if ($(`#tab-${other}`).hidden) return;
    showTab(other);
    $(`#tab-${other}`).focus();
  });
  document.addEventListener("page", ({ detail }) => {
    if (detail !== "recordings") recordings.stop();
    else if (globalThis.musae.app.player.playing) globalThis.musae.app.togglePlay();
  });
}

function showTab(name) {
  document.body.dataset.page = name;
  for (const one of ["music", "recordings"]) {
    $(`#${one}`).hidden = one !== name;
    $(`#tab-${one}`).setAttribute("aria-selected", one === name);
    $(`#tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
  for (const node of $$(".music-only")) node.hidden = name !== "music";
  document.dispatchEvent(new CustomEvent("page", { detail: name }));
}

/** Show in a corner how fast the page is. */
function toggleTiming(app) {
  const box = $("#timing");
  box.hidden = !box.hidden;
  clearInterval(toggleTiming.timer);
  if (box.hidden) return;
  const show = () => {
    const stats = app.player.scheduler?.stats;
    const rows = Object.entries(app.meter.summary()).map(([name, { count, median, p95, worst }]) =>
      `<tr><th>${name}</th><td>${count}</td><td>${median.toFixed(0)}</td><td>${p95.toFixed(0)}</td><td>${worst.toFixed(0)} ms</td></tr>`);
    const late = stats ? `<tr><th>latest note</th><td>${stats.events}</td><td></td><td></td><td>${(stats.worstSeconds * 1000).toFixed(1)} ms</td></tr>` : "";
    box.innerHTML = `<table><tr><th></th><td>count</td><td>median</td><td>p95</td><td>worst</td></tr>${rows.join("")}${late}</table>`;
  };
  show();
  toggleTiming.timer = setInterval(show, 500);
}

start();
