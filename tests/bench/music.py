"""How like real music the windows are that the shipped models make up: the table of docs/draws.md.

    python tests/bench/music.py MIDI/ WORK/ [MODEL ...] [--count 1500] [--prior normal]

MIDI/ holds a folder a corpus with ``train.zip`` in it; WORK/ is where corpora are prepared, once.
MODEL is a shipped model, or FOLDER:PRESET for one of your own, such as an imported checkpoint of
Magenta (``runs/cat-mel_2bar_big:mel-2bar``), which is compared with the corpora of the preset.
"""

import argparse
from pathlib import Path

from musicvae_lite.config import load_config
from musicvae_lite.music.data.prepare import prepare_corpus
from musicvae_lite.music.evaluate.draws import DrawMeasures
from musicvae_lite.music.evaluate.scoring import evaluate_draws

TUNES = ("nottingham", "fiddle_abc", "openewld")
BANDS = ("freedoom", "openmsx", "simutrans")
#: The corpora whose held-out songs each model is compared with.
CORPORA = {
    "mel-2bar": (*TUNES, "pop909_aligned"),
    "drums-2bar": ("groove", *BANDS),
    "waltz-2bar": TUNES,
    "jig-2bar": TUNES,
    "mel-2bar-chords": ("nottingham", "openewld", "pop909_aligned"),
    "mel-16bar": (*TUNES, "pop909_aligned"),
    "trio-16bar": BANDS,
}
#: Features that are no farther than this from the real ones count as near.
NEAR = 0.1


def corpora(preset: str, midi: Path, work: Path) -> list[Path]:
    """Prepare the corpora of a preset where they are not there."""
    folders = []
    for name in CORPORA[preset]:
        folder = work / f"{preset}-{name}"
        prepare_corpus(midi / name / "train.zip", load_config(preset), folder)
        folders.append(folder)
    return folders


def row(name: str, prior: str, measures: DrawMeasures) -> str:
    """Return a line of the table."""
    real, drawn = measures.cost
    far = [
        f"{feature} {100 * (made / wanted - 1):+.0f} %"
        for feature, (wanted, made) in measures.features.items()
        if wanted and abs(made / wanted - 1) > NEAR
    ]
    copies = f"{measures.copies[0]:.3f} | {measures.copies[1]:.3f}"
    change = f"{100 * (drawn / real - 1):+.1f} %"
    return (
        f"| `{name}` | {prior} | {real:.3f} | {drawn:.3f} ({change}) | {measures.auc:.3f} | "
        f"{copies} | {', '.join(far) or 'none'} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("midi", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("models", nargs="*", default=list(CORPORA))
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--prior", choices=["learned", "normal"], default="learned")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print("| model | prior | real: cost | drawn | AUC | real: copies | drawn | farther than 10 % |")
    print("|---|---|---|---|---|---|---|---|")
    for named in options.models:
        model, _, preset = named.rpartition(":")
        model, preset = (model, preset) if model else (named, named)
        folders = corpora(preset, options.midi, options.work)
        _, measures = evaluate_draws(model, folders, "valid", options.count, options.prior)
        print(row(model, options.prior, measures), flush=True)
        for what, (real, drawn, apart) in measures.together.items():
            print(f"    {what}: real {real:.3f}, drawn {drawn:.3f}, voices shuffled {apart:.3f}")


if __name__ == "__main__":
    main()
