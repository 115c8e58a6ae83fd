"""The settings of a training: its objective, its data, its length."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Tag, model_validator

from musicvae_lite.config.groups import (
    Count,
    ScheduleSettings,
    ScheduleValue,
    Settings,
    Size,
    kind_or,
)

Semitones = Annotated[int, Field(ge=-127, le=127)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class ObjectiveSettings(Settings):
    """Weight of the KL term by step and the bits that are free."""

    beta: ScheduleValue = ScheduleSettings(end=1.0)
    free_bits: float = Field(0.0, ge=0)
    per: Literal["total", "dim"] = "total"


class TeacherSettings(Settings):
    """What the decoder sees of the target's past: its own samples (``sampling``), nothing
    (``dropout``), the truth.
    """

    sampling: ScheduleValue = ScheduleSettings(end=0.0)
    dropout: float = Field(0.0, ge=0, lt=1)


class OptimiserSettings(Settings):
    """Adam with a scheduled rate.

    A gradient whose norm is at ``skip_norm`` or above counts as zero (Magenta).
    """

    learning_rate: ScheduleValue = ScheduleSettings(end=1e-3)
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    skip_norm: float = Field(10_000.0, gt=0)
    average: Decay = 0.0  # of the moving average of the weights that is kept; 0: none

    @model_validator(mode="after")
    def _rate_is_not_negative(self) -> OptimiserSettings:
        if min(self.learning_rate.start, self.learning_rate.end) < 0:
            raise ValueError("learning_rate is 0 or more")
        return self


Share = Annotated[float, Field(ge=0, le=1)]


class PriorSettings(Settings):
    """The prior that is learned when the model is: a small model that draws windows.

    ``share``: steps of its training as a share of the model's own; 0 learns none. ``tune``: of
    tracks of melody that are scored, the least score to learn from (see
    :mod:`musicvae_lite.music.tune`). ``tune_weight``: windows are drawn for a batch in proportion
    to this power of their score; 0 draws all alike. ``temperature``: at which windows are drawn.
    ``refine``: steps by which their codes are refined.
    """

    share: float = Field(0.0, ge=0, le=10)
    hidden: Size = 256
    token_size: Size = 24
    batch_size: Size = 128
    learning_rate: float = Field(3e-3, gt=0)
    dropout: float = Field(0.15, ge=0, lt=1)
    average: Decay = 0.999
    tune: Share = 0.0
    tune_weight: float = Field(0.0, ge=0, le=10)
    temperature: float = Field(1.0, gt=0)
    refine: int = Field(3, ge=0, le=100)


class NoiseSettings(Settings):
    """Normal noise that is added to a picture, drawn afresh for every example and epoch.

    The sum is cut to 0..1.
    """

    kind: Literal["noise"] = "noise"
    mean: float = 0.5
    sd: float = Field(0.5, ge=0)


class ShrinkSettings(Settings):
    """A picture made smaller by averaging squares of ``factor`` pixels."""

    kind: Literal["shrink"] = "shrink"
    factor: Literal[2, 3, 4, 8] = 2


Corruption = Annotated[
    Annotated[NoiseSettings, Tag("noise")] | Annotated[ShrinkSettings, Tag("shrink")],
    kind_or("noise"),
]


Range = tuple[float, float]


class MixtureSettings(Settings):
    """How noisy clips are drawn; see :class:`musicvae_lite.audio.denoise.mixtures.Recipe`.

    ``profile``: share of clips for which the model is told the noise alone. ``kinds``: weights of
    kinds of synthesised noise, 1 where not named. ``performances``: stretches that MIDI files are
    played for. ``held_out``: share of the clean material that is measured on. ``epoch``: clips that
    count as one pass over the material. A model of timbre hears clean clips, drawn by ``level_db``,
    ``performances``, ``held_out`` and ``epoch`` alone.
    """

    snr_db: Range = (-5.0, 25.0)
    clean: Share = 0.08
    level_db: Range = (-45.0, -10.0)
    synthesised: Share = 0.6
    babble: Share = 0.06
    voice_over: Share = 0.0
    second: Share = 0.25
    profile: Share = 0.15
    kinds: dict[str, Annotated[float, Field(ge=0)]] = {}
    performances: Size = 200
    held_out: float = Field(0.05, ge=0, lt=1)
    epoch: Count = 1000

    @model_validator(mode="after")
    def _ranges_rise(self) -> MixtureSettings:
        for name in ("snr_db", "level_db"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is [from, to], the smaller number first")
        if self.synthesised + self.babble > 1:
            raise ValueError(
                "synthesised and babble are shares of all noises and add up to 1 at most"
            )
        return self


class GrooveInputSettings(Settings):
    """What the input of a groove model lacks of the performance.

    See :mod:`musicvae_lite.music.data.groove_inputs`.

    ``share``: of the examples, against the shares of other inputs. ``humanize``: no velocities and
    offsets. ``tap``: the loudest hit of each step alone, as if of one drum. ``fixed_velocity``: no
    velocities. ``add``: one of these classes is missing, drawn for every example; ``unknown``: its
    hits are then one half, "not known", in place of none. ``note_dropout``: largest share of notes
    that are left out, soft ones more often.
    """

    share: float = Field(1.0, gt=0)
    humanize: bool = False
    tap: bool = False
    fixed_velocity: bool = False
    add: tuple[Annotated[int, Field(ge=0, le=8)], ...] = ()
    unknown: bool = False
    note_dropout: float = Field(0.0, ge=0, le=1)


class DataSettings(Settings):
    """How windows, pictures or clips become batches.

    ``inputs``: what a groove model sees of a performance, one way or several of which one is drawn
    for every example; none: all of it. ``source``: what is trained on where ``--data`` names
    nothing. ``corrupt``: what is done to the input of a picture model, never to its target.
    ``pieces``: pictures are cut into pieces of the model's size, not resized to it. ``noise``:
    folder of recorded noises that clean sound is mixed with; null: all noise is synthesised.
    ``speech``: folder of voices that babble is made of and that lie over music. ``mixture``: how
    the two are mixed. ``tune``: the least that a track of melody must be like a tune, 0 to 1, to
    give windows (:mod:`musicvae_lite.music.tune`); 0 takes all.
    """

    transpose: tuple[Semitones, Semitones] | None = (
        None  # semitones, both included, drawn anew for every window and epoch
    )
    inputs: tuple[GrooveInputSettings, ...] = ()
    source: Literal["mnist", "digits"] | None = None
    corrupt: Corruption | None = None
    pieces: bool = False
    noise: str | None = None
    speech: str | None = None
    mixture: MixtureSettings | None = None
    tune: Share = 0.0

    @model_validator(mode="after")
    def _range_rises(self) -> DataSettings:
        if self.transpose is not None and self.transpose[0] > self.transpose[1]:
            raise ValueError("transpose is [from, to], the smaller number first")
        return self


class TrainingSettings(Settings):
    """Length and rhythm of a run. ``batch_size`` is the global one, over all devices.

    ``epochs`` gives the length in passes over the data, in place of ``steps``. ``keep``: the model
    that is left at the end, the best by the held-out score or the last; the last needs no held-out
    data to choose by. ``starts_from``: the model that the run is meant to train further
    (``--init-from``); a run that starts from none says so.
    """

    steps: Count = 10_000
    epochs: Count | None = None
    keep: Literal["best", "last"] = "best"
    batch_size: int = Field(512, ge=1, le=2**20)
    precision: Annotated[Literal["auto", "32", "bf16"], BeforeValidator(str)] = (
        "auto"  # YAML reads 32 as a number
    )
    valid_every: Count = 1000
    valid_windows: Count = 2000
    save_every: Count = 1000
    log_every: Count = 20
    stored: Literal["float32", "float16"] = "float32"  # of the weights in the model folder
    starts_from: str | None = None
