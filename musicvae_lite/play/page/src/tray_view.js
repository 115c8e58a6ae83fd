import { colourAt } from "./colour.js";
import { $, download, element, iconButton } from "./dom.js";
import { thumbnail } from "./roll.js";

/** What was kept: to hear again, to download, to drag into another program. */
export class TrayView {
  update(app) {
    const { tray } = app.state;
    const { folder } = app.about ?? {};
    if (folder && this.folder !== folder) {
      this.folder = folder;
      $("#folder").replaceChildren("All that you hear is a MIDI file in ", element("code", {}, folder));
    }
    if (this.shown === tray) return;
    this.shown = tray;
    $("#cards").replaceChildren(...tray.map((entry) => this.#card(app, entry)));
  }

  #card(app, entry) {
    const { quarters } = entry.facts;
    const bytes = () => app.midi(entry.piece, entry.title, entry);
    const name = `${entry.title}.mid`;
    const node = element("li", { className: "card", draggable: true, title: "Drag into another program" });
    const picture = element("div", { className: "picture" });
    picture.innerHTML = thumbnail(entry.piece, quarters, colourAt(...entry.place));
    const bare = { className: "icon-button bare" };
    node.append(
      picture,
      element("div", { className: "title" }, entry.title),
      element("div", { className: "row" },
        element("span", { className: "grow" }, `${Math.round(quarters / entry.facts.quartersPerBar)} bars, ${entry.qpm}`),
        iconButton("play", `Hear ${entry.title}`, () => app.hearFromTray(entry), bare),
        iconButton("save", `Download ${entry.title}`, () => download(name, bytes()), bare),
        iconButton("close", `Remove ${entry.title}`, () => app.removeFromTray(entry.id), bare)),
    );
    node.addEventListener("dragstart", (event) => {
      const url = URL.createObjectURL(new Blob([bytes()], { type: "audio/midi" }));
      event.dataTransfer.effectAllowed = "copy";
      event.dataTransfer.setData("DownloadURL", `audio/midi:${name}:${url}`);
      event.dataTransfer.setData("text/plain", app.fileOf(entry.piece)?.path ?? name);
      event.dataTransfer.setData("application/x-musae", entry.id);
    });
    return node;
  }
}
