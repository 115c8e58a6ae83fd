"""``musae evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from musae.options import FILE, Console, console_options, device_option, examples, seed_option

if TYPE_CHECKING:
    from musicvae_lite.core.evaluation import Split

_EPILOG = examples(
    "musae evaluate mel-2bar --data corpus",
    "musae evaluate run --data corpus --split all --limit 1000 --json",
    "musae evaluate mel-2bar --data corpus --paths --plot paths.png",
    "musae evaluate mel-2bar --data corpus --draws",
    "musae evaluate denoise --data clean/        clean recordings, mixed with synthesised noises",
    "musae evaluate mnist-vae --data mnist/           a folder of MNIST's IDX files",
)


@click.command(epilog=_EPILOG)
@click.argument("model", metavar="NAME|FOLDER")
@click.option(
    "--data",
    multiple=True,
    type=FILE,
    metavar="DATA",
    help="Prepared corpora, pictures (folder, .npz, IDX) or sounds. [default: the model's own]",
)
@click.option(
    "--split",
    type=click.Choice(["auto", "valid", "train", "all"]),
    default="auto",
    show_default=True,
    help="Which part. auto: what is held out of data the model was trained on, "
    "all of other data (of pictures its test "
    "part, where it has one).",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Measure on N examples, spread evenly. [default: all]",
)
@click.option(
    "--quick", is_flag=True, help="Of pictures: leave out embeddings and pictures of other kinds."
)
@click.option(
    "--paths",
    is_flag=True,
    help="Of music: measure ways between held-out pieces, beside blending step by step.",
)
@click.option(
    "--draws",
    is_flag=True,
    help="Of music: compare what the model makes up with held-out pieces.",
)
@click.option(
    "--prior",
    type=click.Choice(["learned", "normal"]),
    default="learned",
    show_default=True,
    help="With --draws: what is drawn from.",
)
@click.option("--plot", metavar="P.png", help="With --paths: draw the measures (PNG, SVG or PDF).")
@device_option
@seed_option
@console_options
def evaluate(
    model: str,
    data: tuple[str, ...],
    split: Split,
    limit: int | None,
    quick: bool,
    paths: bool,
    draws: bool,
    prior: Literal["learned", "normal"],
    plot: str | None,
    device: str,
    seed: int,
    console: Console,
) -> None:
    """Measure how well a model gives back what it has not seen, and how many bits it spends.

    Of a model of pictures also: its codes as embeddings beside principal components, and pictures
    of other kinds. A denoiser of sound is measured on pairs (NAME.noisy.wav and NAME.clean.wav, or
    noisy/NAME.wav and clean/NAME.wav), or on clean sound that is mixed with synthesised noises at 0
    to 15 dB; a model of timbre on clips of sounds. Of a groove model also what it adds
    to drums, beside the quantised drums and the mean of each drum at each step: hit_f1, timing_ms
    (mean absolute error at 120 quarters a minute), velocity (mean absolute error, of 127). Of a
    model that is told of chords also the share of notes in the chord, of draws over each major and
    minor chord (in_other_chord: in the one a semitone up) and of the music (in_chord_data).
    Of pianos and bands also, of notes: onset_f1 (start, pitch and instrument), note_f1 (start and
    end, of pitched notes), pitch_f1 (whatever plays it), program_f1 and velocity_error (of 127).

    --paths: along great circles between random pairs (500, or --limit N) of held-out windows, at 11
    points: the share of steps unlike each end, and the cost under a 5-gram model of the training
    windows divided by that of the ends.

    --draws: 2,000 drawn windows (or --limit N) beside as many held-out ones: the cost under a
    5-gram model of the training windows, how well a classifier tells them apart (AUC; 0.5 is not at
    all), copies of training windows in any transposition, and what a listener would notice.
    """
    from musicvae_lite.model_dir.handle import open_model

    open_model(model)  # a wrong name is refused first
    if plot and not paths:
        raise click.UsageError("--plot goes with --paths", click.get_current_context())
    if draws and paths:
        raise click.UsageError("--draws does not go with --paths", click.get_current_context())
    if draws:
        from musae.music.draw_measures import evaluate_draws

        evaluate_draws(model, data, split, limit, prior, device, seed, console)
        return
    if paths:
        from musae.music.path_measures import evaluate_paths

        evaluate_paths(model, data, split, limit, plot, device, seed, console)
        return
    from musicvae_lite.evaluation import evaluate as score

    result = score(model, data, split, limit, device, seed, claims=not quick)
    measures = result.measures.as_dict()
    rows = {
        "split": result.split,
        **measures,
        **{f"codes: {key}": value for key, value in result.codes.items()},
    }
    for kind, values in result.others.items():
        rows |= {f"{kind}: {key}": values[key] for key in ("bce_mean", "mse_mean", "psnr_db")}
    for task, errors in result.grooves.items():
        rows |= {f"{task}: {key}": value for key, value in errors.items()}
    rows |= {f"chords: {key}": value for key, value in result.chords.items()}
    rows |= {f"notes: {key}": value for key, value in result.notes.items()}
    for key in [key for key, value in rows.items() if isinstance(value, dict)]:
        rows |= {f"{key}: {name}": value for name, value in rows.pop(key).items()}
    width = max(map(len, rows))
    for key, value in rows.items():
        console.answer(f"{key:{width}}  {_shown(value)}")
    more = {
        key: value
        for key in ("codes", "others", "grooves", "chords", "notes")
        if (value := getattr(result, key))
    }
    console.document(
        {
            "model": model,
            "data": list(data),
            "split": result.split,
            "seed": seed,
            **measures,
            **more,
        }
    )


def _shown(value: object) -> str:
    return (
        f"{value:.4f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
