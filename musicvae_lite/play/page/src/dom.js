/** Small helpers for the document. */

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element with properties and children; `dataset`, `style` and `aria-*` are set as such. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "style") node.style.cssText = value;
    else if (name.startsWith("aria-") || name === "role" || name === "for") {
      node.setAttribute(name, value);
    } else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const ICONS = {
  play: '<path d="M7 4.5v15l12-7.5z"/>',
  stop: '<rect x="5.5" y="5.5" width="13" height="13" rx="2"/>',
  dice: '<rect x="3.5" y="3.5" width="17" height="17" rx="4" class="line"/><circle cx="8.5" cy="8.5" r="1.6"/><circle cx="15.5" cy="15.5" r="1.6"/><circle cx="12" cy="12" r="1.6"/>',
  folder: '<path class="line" d="M3.5 7.5a2 2 0 0 1 2-2h4l2 2.5h7a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-13a2 2 0 0 1-2-2z"/>',
  lock: '<rect x="5" y="11" width="14" height="9" rx="2"/><path class="line" d="M8 11V8a4 4 0 0 1 8 0v3"/>',
  save: '<path class="line" d="M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14"/>',
  close: '<path class="line" d="M6.5 6.5l11 11m0-11l-11 11"/>',
  star: '<path d="M12 3.6l2.6 5.3 5.8.8-4.2 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8L3.6 9.7l5.8-.8z"/>',
  spark: '<path d="M12 2.8l1.9 5.6 5.6 1.9-5.6 1.9L12 17.8l-1.9-5.6-5.6-1.9 5.6-1.9zM18.5 15l.9 2.6 2.6.9-2.6.9-.9 2.6-.9-2.6-2.6-.9 2.6-.9z"/>',
  undo: '<path class="line" d="M8.5 4.5L4.5 8.5l4 4M5 8.5h9a5 5 0 0 1 0 10.5h-3"/>',
  redo: '<path class="line" d="M15.5 4.5l4 4-4 4M19 8.5h-9a5 5 0 0 0 0 10.5h3"/>',
  metronome: '<path class="line" d="M9 4h6l3.5 16h-13zM12 15l5-8"/>',
  path: '<path class="line" d="M5 18c2-9 6 2 8-5s4-6 6-7"/><circle cx="5" cy="18" r="2"/><circle cx="19" cy="6" r="2"/>',
  hand: '<circle cx="12" cy="12" r="4"/><path class="line" d="M12 2.5v3m0 13v3m9.500-9.500h-3m-13 0h-3"/>',
  volume: '<path d="M4 9.500v5h3.500L12 18.500v-13L7.500 9.500z"/><path class="line" d="M15.500 8.500a5 5 0 0 1 0 7M18 6a8.500 8.500 0 0 1 0 12"/>',
  keys: '<rect class="line" x="3.500" y="5.500" width="17" height="13" rx="1.500"/><path class="line" d="M9.200 18.500v-5m5.600 5v-5"/><path d="M7.600 5.500h3.200v8H7.600zM13.200 5.500h3.200v8h-3.200z"/>',
  record: '<circle cx="12" cy="12" r="6"/>',
  help: '<path class="line" d="M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400"/><circle cx="12" cy="17.500" r="1.100"/>',
};

/** An icon, for the eye alone: what it means stands in the label of its button. */
export function icon(name) {
  const holder = document.createElement("span");
  holder.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true" class="icon">${ICONS[name]}</svg>`;
  return holder.firstChild;
}

/** A button with an icon; `label` is what it does. */
export function iconButton(name, label, onclick, properties = {}) {
  const button = element("button", { type: "button", className: "icon-button", title: label, onclick, ...properties }, icon(name));
  button.setAttribute("aria-label", label);
  return button;
}

/** Say something to screen readers. */
export function announce(text) {
  const region = $("#announcer");
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}

/** Show a message for some seconds; errors stay until they are closed. */
export function toast(text, { error = false, actions = [] } = {}) {
  const area = $("#toasts");
  for (const other of $$(".toast", area)) if (other.dataset.text === text) other.remove();
  const box = element("div", { className: error ? "toast error" : "toast", role: error ? "alert" : "status", dataset: { text } });
  box.append(element("p", {}, text));
  for (const { label, run } of actions) {
    box.append(element("button", { type: "button", className: "small", onclick: () => (box.remove(), run()) }, label));
  }
  box.append(iconButton("close", "Close this message", () => box.remove()));
  area.append(box);
  if (!error) setTimeout(() => box.remove(), 5000);
  return box;
}

/** Files from the user by the browser's dialogue. */
export function chooseFiles(accept, multiple) {
  return new Promise((resolve) => {
    const input = element("input", { type: "file", accept, multiple });
    input.onchange = () => resolve([...input.files]);
    input.oncancel = () => resolve([]);
    input.click();
  });
}

/** Offer bytes as a file. */
export function download(name, bytes, type = "audio/midi") {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const readableName = (name) => name.replace(/\.[^.]*$/, "").replaceAll("_", " ");
