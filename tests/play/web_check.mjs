// Compares the page's codecs and network with what Python made: node web_check.mjs SOURCES CASES.json
import fs from "node:fs";
import { pathToFileURL } from "node:url";

const [, , sources, file] = process.argv;
const load = (name) => import(pathToFileURL(`${sources}/${name}`).href);
const { createCodec } = await load("codecs.js");
const { readMidi } = await load("midi_read.js");
const { Kernel } = await load("kernel.js");
const { Network, readTensors } = await load("network.js");

const tree = JSON.parse(fs.readFileSync(file, "utf8"));
const wrong = [];
let windows = 0;
const same = (one, other) => one.length === other.length && one.every((value, i) => Math.abs(value - other[i]) < 1e-4);

for (const { about, cases } of tree.codecs) {
  const codec = createCodec(about);
  for (const { midi, made, decoded } of cases) {
    const found = codec.encode(readMidi(new Uint8Array(fs.readFileSync(midi)), midi));
    const keys = ({ values, bar, tick, track }) => JSON.stringify([values, bar, tick, track]);
    if (found.length !== made.length || found.some((window, i) => keys(window) !== keys(made[i]))) {
      wrong.push(`${about.codec.kind}: windows of ${midi}`);
    }
    windows += found.length;
    decoded.forEach((notes, i) => {
      const own = codec.decode(made[i].values);
      const rows = own.map((note) => [note.start, note.end, note.pitch, note.velocity]);
      rows.sort((a, b) => a[0] - b[0] || a[2] - b[2]);
      if (!same(rows.flat(), notes.flat())) wrong.push(`${about.codec.kind}: notes of ${midi} ${i}`);
    });
  }
}
for (const { about, weights, points, decoded, means } of tree.models) {
  const kernel = await Kernel.load(fs.readFileSync(`${sources}/kernel.wasm`));
  const bytes = fs.readFileSync(weights);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const network = new Network(kernel, about, readTensors(buffer, kernel));
  network.decode(points).forEach((window, i) => {
    if (!same(Array.from(window), decoded[i])) wrong.push(`${about.name}: point ${i}`);
  });
  network.encode(decoded).forEach((mean, i) => {
    if (!same(Array.from(mean), means[i])) wrong.push(`${about.name}: mean ${i}`);
  });
}
console.log(JSON.stringify({ windows, wrong }));
