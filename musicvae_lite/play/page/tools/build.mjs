// Bundles the page into app/, which is committed: `npm ci && npm run build`.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const OUT = "app";
const PACKAGES = ["spessasynth_lib", "spessasynth_core", "stb-vorbis"];

mkdirSync(OUT, { recursive: true });
const options = { bundle: true, minify: true, format: "esm", target: "es2022", legalComments: "none" };
await build({ ...options, entryPoints: ["src/main.js"], outfile: `${OUT}/app.js` });
await build({ ...options, entryPoints: ["src/clock.worker.js"], outfile: `${OUT}/clock.js` });
await build({ ...options, entryPoints: ["src/app.css"], outfile: `${OUT}/app.css` });
copyFileSync("src/index.html", `${OUT}/index.html`);
copyFileSync("src/icon.svg", `${OUT}/icon.svg`);
copyFileSync("src/kernel.wasm", `${OUT}/kernel.wasm`);
const processor = readFileSync("node_modules/spessasynth_lib/dist/spessasynth_processor.min.js", "utf8");
writeFileSync(`${OUT}/synth.js`, processor.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n"));

const licences = PACKAGES.map((name) => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const text = readFileSync(`node_modules/${name}/LICENSE`, "utf8");
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
});
const soundfont = readFileSync("../../../data/soundfont/LICENSE.md", "utf8");
const parts = [...licences, `SoundFont: FluidR3Mono (MIT)\n\n${soundfont.trim()}\n`];
writeFileSync(`${OUT}/LICENSES.txt`, parts.join(`\n${"-".repeat(80)}\n\n`));

// What was built from what: a test compares it with the sources.
const hash = createHash("sha256");
for (const name of readdirSync("src").sort()) hash.update(name).update(readFileSync(`src/${name}`));
writeFileSync(`${OUT}/sources.sha256`, `${hash.digest("hex")}\n`);
