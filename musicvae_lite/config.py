"""The settings of a run: read from YAML, checked, and complete. Imports no torch, so that mistakes are told at once.

A run file names codec, model, objective, optimiser and training. ``extends: NAME`` starts from another preset or file;
``--set a.b=c`` changes one value. An unknown key is an error that names the nearest valid one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from musicvae_lite.errors import UsageError, suggest
from musicvae_lite.files import resource


class Settings(BaseModel):
    """Base of every group of settings: no unknown keys, no change after checking."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleSettings(Settings):
    """Arguments of :class:`musicvae_lite.objective.Schedule`; a plain number stands for a constant.

    ``fraction`` gives the length as a part of the run's steps after the warm-up, in place of ``steps``.
    """

    start: float = 0.0
    end: float = 1.0
    steps: int = Field(0, ge=0)
    fraction: float | None = Field(None, gt=0, le=1)
    shape: Literal["constant", "linear", "cosine", "exponential", "cyclic", "inverse-sigmoid"] = "constant"
    rate: float = 0.0
    warmup: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _rate_fits_shape(self) -> ScheduleSettings:
        if self.shape == "exponential" and not 0 <= self.rate <= 1:
            raise ValueError("the rate of an exponential schedule lies in [0, 1]")
        if self.shape == "inverse-sigmoid" and self.rate < 1:
            raise ValueError("the rate of an inverse-sigmoid schedule is at least 1")
        if self.fraction is not None and self.steps:
            raise ValueError("give the length of a schedule by steps or by fraction, not by both")
        return self


def _number_is_constant(value: Any) -> Any:
    if isinstance(value, bool | dict | ScheduleSettings):
        return value
    try:
        return {"end": float(value)}  # also of a text: YAML 1.1 reads 1e-3 as one
    except (TypeError, ValueError):
        raise ValueError("a schedule is a number or a group of settings such as {shape: linear, end: 0.5, steps: 1000}") from None


ScheduleValue = Annotated[ScheduleSettings, BeforeValidator(_number_is_constant)]
Sizes = tuple[Annotated[int, Field(ge=1)], ...]


def _kind_or(default: str) -> Discriminator:
    """Tell the members of a union apart by their ``kind``; ``default`` where none is given."""

    def kind(value: Any) -> str:
        found = value.get("kind", default) if isinstance(value, dict) else getattr(value, "kind", default)
        return str(found)

    return Discriminator(kind)


class MelodyCodecSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.melody.MelodyCodec`."""

    kind: Literal["melody"] = "melody"
    bars: int = Field(2, ge=1, le=64)
    steps_per_quarter: int = Field(4, ge=1, le=24)
    numerator: int = Field(4, ge=1, le=32)
    denominator: Literal[1, 2, 4, 8, 16, 32] = 4
    min_pitch: int = Field(21, ge=0, le=127)
    max_pitch: int = Field(108, ge=0, le=127)
    programs: tuple[int, int] | None = (0, 31)
    gap_bars: float = Field(1.0, gt=0)
    hop_bars: int = Field(1, ge=1)
    max_bars: int | None = Field(None, ge=1)
    pad_short: bool = True
    require_onset: bool = True


class DrumsCodecSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.drums.DrumsCodec`."""

    kind: Literal["drums"] = "drums"
    bars: int = Field(2, ge=1, le=64)
    steps_per_quarter: int = Field(4, ge=1, le=24)
    numerator: int = Field(4, ge=1, le=32)
    denominator: Literal[1, 2, 4, 8, 16, 32] = 4
    classes: Literal[9, 61, 63] = 9
    form: Literal["tokens", "roll"] = "tokens"
    gap_bars: float = Field(1.0, ge=1)
    hop_bars: int = Field(1, ge=1)
    max_bars: int | None = Field(None, ge=1)
    pad_short: bool = True
    require_onset: bool = True

    @model_validator(mode="after")
    def _form_holds_the_classes(self) -> DrumsCodecSettings:
        if self.form == "tokens" and self.classes != 9:
            raise ValueError("one token a step holds 9 classes of drums; 61 and 63 need form roll")
        return self


class TrioCodecSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.trio.TrioCodec`."""

    kind: Literal["trio"] = "trio"
    bars: int = Field(16, ge=1, le=64)
    steps_per_quarter: int = Field(4, ge=1, le=24)
    numerator: int = Field(4, ge=1, le=32)
    denominator: Literal[1, 2, 4, 8, 16, 32] = 4
    min_pitch: int = Field(21, ge=0, le=127)
    max_pitch: int = Field(108, ge=0, le=127)
    melody_programs: tuple[int, int] = (0, 31)
    bass_programs: tuple[int, int] = (32, 39)
    gap_bars: int = Field(2, ge=1)
    hop_bars: int = Field(1, ge=1)
    max_bars: int = Field(1024, ge=1)
    magenta: bool = False


class MultitrackCodecSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.multitrack.MultitrackCodec`."""

    kind: Literal["multitrack"] = "multitrack"
    steps_per_quarter: int = Field(24, ge=1, le=96)
    numerator: int = Field(4, ge=1, le=32)
    denominator: Literal[1, 2, 4, 8, 16, 32] = 4
    tracks: int = Field(8, ge=1, le=64)
    events: int = Field(64, ge=4, le=1024)
    min_tracks: int = Field(2, ge=1)
    min_events: int = Field(8, ge=0)
    velocity_bins: int = Field(8, ge=1, le=127)

    @property
    def steps(self) -> int:
        """Events of a window."""
        return self.tracks * self.events

    @model_validator(mode="after")
    def _some_bar_fits(self) -> MultitrackCodecSettings:
        if self.min_tracks > self.tracks:
            raise ValueError(f"min_tracks is {self.min_tracks}, more than the {self.tracks} tracks of a bar")
        return self


class GrooveCodecSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.groove.GrooveCodec`."""

    kind: Literal["groove"] = "groove"
    bars: int = Field(2, ge=1, le=64)
    steps_per_quarter: int = Field(4, ge=1, le=24)
    numerator: int = Field(4, ge=1, le=32)
    denominator: Literal[1, 2, 4, 8, 16, 32] = 4
    kit: Literal["gm", "roland"] = "gm"
    hop_bars: int = Field(1, ge=1)
    pad_short: bool = True
    require_onset: bool = True


class ControlSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.control.Control`: what a model of music is told beside the music."""

    chords: bool = False
    key: bool = False

    @property
    def size(self) -> int:
        """Control numbers a step, ``model.control_size``."""
        return 49 * self.chords + 12 * self.key


class ImageCodecSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.image.ImageCodec`."""

    kind: Literal["image"] = "image"
    height: int = Field(28, ge=1, le=1024)
    width: int = Field(28, ge=1, le=1024)
    channels: Literal[1, 3] = 1


class SoundCodecSettings(Settings):
    """Arguments of :class:`musicvae_lite.codecs.sound.SoundCodec`."""

    kind: Literal["sound"] = "sound"
    rate: int = Field(44100, ge=8000, le=192_000)
    seconds: float = Field(3.5, ge=0.1, le=60)


MusicCodecSettings = MelodyCodecSettings | DrumsCodecSettings | TrioCodecSettings | GrooveCodecSettings | MultitrackCodecSettings
CodecSettings = Annotated[
    Annotated[MelodyCodecSettings, Tag("melody")]
    | Annotated[DrumsCodecSettings, Tag("drums")]
    | Annotated[TrioCodecSettings, Tag("trio")]
    | Annotated[MultitrackCodecSettings, Tag("multitrack")]
    | Annotated[GrooveCodecSettings, Tag("groove")]
    | Annotated[ImageCodecSettings, Tag("image")]
    | Annotated[SoundCodecSettings, Tag("sound")],
    _kind_or("melody"),
]


class EncoderSettings(Settings):
    """Bidirectional LSTM encoder; ``readout`` is described at :class:`musicvae_lite.models.lstm.LstmEncoder`.

    ``split``: one encoder for each number of a step.
    """

    kind: Literal["lstm"] = "lstm"
    sizes: Sizes = Field((256,), min_length=1)
    token_size: int | None = Field(None, ge=1)
    readout: Literal["final", "steps"] = "final"
    readout_size: int = Field(32, ge=1)
    split: bool = False


class HierarchicalEncoderSettings(Settings):
    """Bidirectional LSTMs, one a level; see :class:`musicvae_lite.models.hierarchy.HierarchicalEncoder`.

    ``levels``: steps of a segment, then segments (of segments ...); their product is the length of a window. ``skip``: for the
    readout ``steps``, upper levels are read past their LSTM, too. ``readout_size``: one for all levels, or one each.
    ``upper_sizes``: of the LSTMs above the first level, where they differ. ``split``: one encoder for each number of a step.
    """

    kind: Literal["hierarchical"] = "hierarchical"
    levels: Sizes = Field((16, 16), min_length=2)
    sizes: Sizes = Field((256,), min_length=1)
    token_size: int | None = Field(None, ge=1)
    readout: Literal["final", "steps"] = "final"
    readout_size: Annotated[int, Field(ge=1)] | Sizes = 32
    skip: bool = False
    upper_sizes: Sizes | None = Field(None, min_length=1)
    split: bool = False

    @model_validator(mode="after")
    def _readout_for_each_level(self) -> HierarchicalEncoderSettings:
        if not isinstance(self.readout_size, int) and len(self.readout_size) != len(self.levels):
            raise ValueError("readout_size is one number, or one a level")
        return self


class DecoderSettings(Settings):
    """LSTM decoder; z is part of the input of every step, unless ``latent_input`` is off (a plan then takes its place).

    ``split``: one decoder for each number of a step.
    """

    kind: Literal["lstm"] = "lstm"
    sizes: Sizes = Field((256, 256), min_length=1)
    token_size: int | None = Field(None, ge=1)
    plan_size: int = Field(0, ge=0)
    position_size: int = Field(0, ge=0)
    latent_input: bool = True
    split: bool = False


class HierarchicalDecoderSettings(Settings):
    """A conductor over segments and an LSTM decoder in each; see :class:`musicvae_lite.models.hierarchy.HierarchicalDecoder`.

    ``levels``: segments, then steps of a segment. ``sizes`` and what follows are of the decoder of a segment, which has the
    conductor's output in place of z; with ``skip`` also the vector ``conductor_plan`` that the conductor got.
    """

    kind: Literal["hierarchical"] = "hierarchical"
    levels: Sizes = Field((16, 16), min_length=2, max_length=2)
    conductor: Sizes = Field((256,), min_length=1)
    conductor_plan: int = Field(0, ge=0)
    skip: bool = False
    carry: bool = True
    sizes: Sizes = Field((256, 256), min_length=1)
    token_size: int | None = Field(None, ge=1)
    plan_size: int = Field(0, ge=0)
    position_size: int = Field(0, ge=0)
    latent_input: bool = True
    split: bool = False


class CategoricalSettings(Settings):
    """One class of several a step, for each number of a step."""

    kind: Literal["categorical"] = "categorical"


class NadeSettings(Settings):
    """Several bits a step, each told of those before it (Larochelle & Murray 2011); ``size`` hidden units."""

    kind: Literal["nade"] = "nade"
    size: int = Field(128, ge=1)


class GrooveSettings(Settings):
    """Hits, velocities and offsets of several drums a step; see :class:`musicvae_lite.models.likelihood.Groove`.

    The standard deviations of sqrt(1/2) make the nats the squared errors (Magenta).
    """

    kind: Literal["groove"] = "groove"
    velocity_scale: float = Field(0.5**0.5, gt=0)
    offset_scale: float = Field(0.5**0.5, gt=0)
    hits_only: bool = False


SequenceEncoder = Annotated[
    Annotated[EncoderSettings, Tag("lstm")] | Annotated[HierarchicalEncoderSettings, Tag("hierarchical")], _kind_or("lstm")
]
SequenceDecoder = Annotated[
    Annotated[DecoderSettings, Tag("lstm")] | Annotated[HierarchicalDecoderSettings, Tag("hierarchical")], _kind_or("lstm")
]
StepLikelihood = Annotated[
    Annotated[CategoricalSettings, Tag("categorical")]
    | Annotated[NadeSettings, Tag("nade")]
    | Annotated[GrooveSettings, Tag("groove")],
    _kind_or("categorical"),
]


class SequenceModel(Settings):
    """A MusicVAE: sequence encoder, normal posterior, sequence decoder.

    ``control_size``: numbers a step that encoder and decoder are told of beside the music; by default what ``control`` of the
    run makes (49 for a chord, 12 for a key), at each step of time. A size without it is for numbers that the user of the
    library gives, or 9 for the hits of a groove. ``relative_pitch``: encoder and decoder number the pitches of a step from the
    root of the chord told. ``spectral``: z is read from the cosine transform of what a hierarchical encoder reads of the
    segments, and the decoder's plan is made so; see :mod:`musicvae_lite.models.spectral`.
    """

    kind: Literal["sequence"] = "sequence"
    latent_size: int = Field(256, ge=1)
    encoder: SequenceEncoder = EncoderSettings()
    decoder: SequenceDecoder = DecoderSettings()
    likelihood: StepLikelihood = CategoricalSettings()
    control_size: int = Field(0, ge=0)
    relative_pitch: bool = False
    dropout: float = Field(0.0, ge=0, lt=1)
    spectral: bool = False

    @model_validator(mode="after")
    def _spectral_of_segments(self) -> SequenceModel:
        if self.spectral:
            encoder, decoder = self.encoder, self.decoder
            if encoder.kind != "hierarchical" or decoder.kind != "hierarchical" or encoder.readout != "steps":
                raise ValueError("spectral needs a hierarchical encoder with readout steps and a hierarchical decoder")
            if encoder.levels[1:] != decoder.levels[:1] or not decoder.conductor_plan or self.latent_size % decoder.levels[0]:
                raise ValueError(
                    "spectral needs as many segments in encoder and decoder, a latent_size that they divide, and a conductor_plan"
                )
        return self


class DenseSettings(Settings):
    """Fully connected hidden layers with ReLU, of an image model's encoder or decoder."""

    kind: Literal["dense"] = "dense"
    sizes: Sizes = (512,)


class ConvSettings(Settings):
    """Convolutions with ReLU, each followed by pooling (encoder) or enlarging (decoder) by two; see ``models/image.py``.

    ``pool`` false: an encoder that keeps all pixels, for super-resolution. ``dense``: fully connected layers with ReLU between
    the feature map and the code.
    """

    kind: Literal["conv"] = "conv"
    channels: Sizes = Field((16, 8, 8), min_length=1)
    pool: bool = True
    dense: Sizes = ()


ImagePart = Annotated[Annotated[DenseSettings, Tag("dense")] | Annotated[ConvSettings, Tag("conv")], _kind_or("conv")]


class AdversarySettings(Settings):
    """A discriminator between codes and draws from the prior, in place of the KL term (Makhzani et al. 2015)."""

    sizes: Sizes = Field((500, 500, 500, 500), min_length=1)
    weight: float = Field(1.0, gt=0)  # of the encoder's wish to be taken for the prior, against nats of reconstruction


class ImageModel(Settings):
    """An autoencoder of pictures, deterministic or variational.

    ``latent_size`` null: the encoder's feature map itself is the code. ``classes``: the number of classes that encoder and
    decoder are told of (conditional VAE). ``residual``: the decoder adds to the enlarged input (super-resolution).
    """

    kind: Literal["image"] = "image"
    latent_size: int | None = Field(None, ge=1)
    variational: bool = False
    encoder: ImagePart = ConvSettings()
    decoder: ImagePart = ConvSettings(channels=(8, 8, 16))
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    scale: float = Field(0.5**0.5, gt=0)  # standard deviation of the Gaussian; sqrt(1/2) makes its nats the squared error
    classes: int = Field(0, ge=0)
    residual: bool = False
    adversary: AdversarySettings | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> ImageModel:
        if self.latent_size is None and (self.variational or self.adversary or self.classes):
            raise ValueError("a variational, adversarial or conditional model needs a latent_size")
        if self.latent_size is None and (self.encoder.kind, self.decoder.kind) != ("conv", "conv"):
            raise ValueError("a dense encoder or decoder needs a latent_size")
        if self.latent_size is None and any(part.kind == "conv" and part.dense for part in (self.encoder, self.decoder)):
            raise ValueError("dense layers of a convolutional encoder or decoder need a latent_size")
        if self.decoder.kind == "conv" and not self.decoder.pool:
            raise ValueError("pool is a setting of the encoder; a decoder enlarges once a channel")
        if self.variational and self.adversary:
            raise ValueError("an adversary takes the place of the KL term; choose variational or adversary")
        return self


class SpectrogramLosses(Settings):
    """Weights of the terms that a denoiser is trained by; see :mod:`musicvae_lite.models.spectrogram`."""

    snr: float = Field(1.0, ge=0)  # minus the signal-to-noise ratio of the cleaned clip, in dB
    magnitude: float = Field(20.0, ge=0)  # mean distance of compressed magnitudes: the noise that stays between notes

    @model_validator(mode="after")
    def _some_term_counts(self) -> SpectrogramLosses:
        if not self.snr and not self.magnitude:
            raise ValueError("one of snr and magnitude is above 0")
        return self


class SpectrogramModel(Settings):
    """A denoiser of sound: an autoencoder from a noisy spectrogram to a gain for every band and frame.

    Arguments of :class:`musicvae_lite.models.spectrogram.Shape`; ``best_db``: a clip that is cleaner than this is clean enough.
    """

    kind: Literal["spectrogram"] = "spectrogram"
    channels: Sizes = Field((16, 32, 64, 96), min_length=1)
    blocks: tuple[Annotated[int, Field(ge=0)], ...] = (1, 1, 1, 1)
    strides: tuple[tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], ...] = ((2, 2), (2, 2), (2, 2))
    latent_size: int = Field(64, ge=1)
    dilations: Sizes = (1, 2, 4)
    variational: bool = False
    skips: bool = True
    losses: SpectrogramLosses = SpectrogramLosses()
    best_db: float = Field(40.0, gt=0, le=100)

    @model_validator(mode="after")
    def _levels_fit(self) -> SpectrogramModel:
        if len(self.blocks) != len(self.channels) or len(self.strides) != len(self.channels) - 1:
            raise ValueError("blocks holds one number a level, as channels does, and strides one pair from level to level")
        bands, frames = (math.prod(stride[axis] for stride in self.strides) for axis in (0, 1))
        if 384 % bands or 16 % frames:  # half of the bands, a block of frames: see models/spectrogram.py
            raise ValueError("the strides over bands multiply to a divisor of 384, those over frames to one of 16")
        return self


class TimbreModel(Settings):
    """A variational autoencoder of about a second of sound; see :mod:`musicvae_lite.models.timbre`.

    ``rows``: of the picture of levels, evenly spaced in mel. ``range_db``: what lies so far below full scale counts as silence.
    ``scale``: standard deviation of a level, as a part of that range.
    """

    kind: Literal["timbre"] = "timbre"
    latent_size: int = Field(64, ge=1)
    rows: int = Field(160, ge=4, le=256)
    range_db: float = Field(100.0, gt=0, le=200)
    scale: float = Field(0.06, gt=0)
    encoder: ConvSettings = ConvSettings(channels=(16, 32, 48, 64))
    decoder: ConvSettings = ConvSettings(channels=(48, 32, 16, 16))

    @model_validator(mode="after")
    def _both_pool(self) -> TimbreModel:
        if not (self.encoder.pool and self.decoder.pool):
            raise ValueError("pool is true for encoder and decoder")
        return self


ModelConfig = Annotated[
    Annotated[SequenceModel, Tag("sequence")]
    | Annotated[ImageModel, Tag("image")]
    | Annotated[SpectrogramModel, Tag("spectrogram")]
    | Annotated[TimbreModel, Tag("timbre")],
    _kind_or("sequence"),
]


class ObjectiveSettings(Settings):
    """Weight of the KL term by step and the bits that are free."""

    beta: ScheduleValue = ScheduleSettings(end=1.0)
    free_bits: float = Field(0.0, ge=0)
    per: Literal["total", "dim"] = "total"


class TeacherSettings(Settings):
    """What the decoder sees of the target's past: its own samples (``sampling``), nothing (``dropout``), the truth."""

    sampling: ScheduleValue = ScheduleSettings(end=0.0)
    dropout: float = Field(0.0, ge=0, lt=1)


class OptimiserSettings(Settings):
    """Adam with a scheduled rate; a gradient whose norm is at ``skip_norm`` or above counts as zero (Magenta)."""

    learning_rate: ScheduleValue = ScheduleSettings(end=1e-3)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    skip_norm: float = Field(10_000.0, gt=0)
    average: float = Field(0.0, ge=0, lt=1)  # decay of the moving average of the weights that is kept; 0: none


class NoiseSettings(Settings):
    """Normal noise that is added to a picture, drawn afresh for every example and epoch; the sum is cut to 0..1."""

    kind: Literal["noise"] = "noise"
    mean: float = 0.5
    sd: float = Field(0.5, ge=0)


class ShrinkSettings(Settings):
    """A picture made smaller by averaging squares of ``factor`` pixels."""

    kind: Literal["shrink"] = "shrink"
    factor: Literal[2, 3, 4, 8] = 2


Corruption = Annotated[Annotated[NoiseSettings, Tag("noise")] | Annotated[ShrinkSettings, Tag("shrink")], _kind_or("noise")]


Range = tuple[float, float]
Share = Annotated[float, Field(ge=0, le=1)]


class MixtureSettings(Settings):
    """How noisy clips are drawn; see :class:`musicvae_lite.corpora.noisy.Recipe`.

    ``profile``: share of clips for which the model is told the noise alone. ``kinds``: weights of kinds of synthesised noise, 1
    where not named. ``performances``: stretches that MIDI files are played for. ``held_out``: share of the clean material that
    is measured on. ``epoch``: clips that count as one pass over the material. A model of timbre hears clean clips, drawn by
    ``level_db``, ``performances``, ``held_out`` and ``epoch`` alone.
    """

    snr_db: Range = (-5.0, 25.0)
    clean: Share = 0.08
    level_db: Range = (-45.0, -10.0)
    synthesised: Share = 0.6
    babble: Share = 0.06
    second: Share = 0.25
    profile: Share = 0.15
    kinds: dict[str, Annotated[float, Field(ge=0)]] = {}
    performances: int = Field(200, ge=1)
    held_out: float = Field(0.05, ge=0, lt=1)
    epoch: int = Field(1000, ge=1)

    @model_validator(mode="after")
    def _ranges_rise(self) -> MixtureSettings:
        for name in ("snr_db", "level_db"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is [from, to], the smaller number first")
        if self.synthesised + self.babble > 1:
            raise ValueError("synthesised and babble are shares of all noises and add up to 1 at most")
        return self


class GrooveInputSettings(Settings):
    """What the input of a groove model lacks of the performance; see :mod:`musicvae_lite.corpora.groove_inputs`.

    ``share``: of the examples, against the shares of other inputs. ``humanize``: no velocities and offsets. ``tap``: the loudest
    hit of each step alone, as if of one drum. ``fixed_velocity``: no velocities. ``add``: one of these classes is missing, drawn
    for every example; ``unknown``: its hits are then one half, "not known", in place of none. ``note_dropout``: largest share of
    notes that are left out, soft ones more often.
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

    ``inputs``: what a groove model sees of a performance, one way or several of which one is drawn for every example; none: all
    of it. ``source``: what is trained on where ``--data`` names nothing. ``corrupt``: what is done to the input of a picture
    model, never to its target. ``pieces``: pictures are cut into pieces of the model's size, not resized to it. ``noise``: folder
    of recorded noises that clean sound is mixed with; null: all noise is synthesised. ``speech``: folder of voices that babble is
    made of. ``mixture``: how the two are mixed.
    """

    transpose: tuple[int, int] | None = None  # semitones, both included, drawn anew for every window and epoch
    inputs: tuple[GrooveInputSettings, ...] = ()
    source: Literal["mnist", "digits"] | None = None
    corrupt: Corruption | None = None
    pieces: bool = False
    noise: str | None = None
    speech: str | None = None
    mixture: MixtureSettings | None = None


class TrainingSettings(Settings):
    """Length and rhythm of a run. ``batch_size`` is the global one, over all devices.

    ``epochs`` gives the length in passes over the data, in place of ``steps``. ``keep``: the model that is left at the end,
    the best by the held-out score or the last; the last needs no held-out data to choose by.
    """

    steps: int = Field(10_000, ge=1)
    epochs: int | None = Field(None, ge=1)
    keep: Literal["best", "last"] = "best"
    batch_size: int = Field(512, ge=1)
    precision: Annotated[Literal["auto", "32", "bf16"], BeforeValidator(str)] = "auto"  # YAML reads 32 as a number
    valid_every: int = Field(1000, ge=1)
    valid_windows: int = Field(2000, ge=1)
    save_every: int = Field(1000, ge=1)
    log_every: int = Field(20, ge=1)
    stored: Literal["float32", "float16"] = "float32"  # of the weights in the model folder


class RunConfig(Settings):
    """One complete run: what a preset file holds."""

    name: str
    description: str = ""
    seed: int = Field(0, ge=0, lt=2**63)
    codec: CodecSettings = MelodyCodecSettings()
    control: ControlSettings = ControlSettings()
    model: ModelConfig = SequenceModel()
    objective: ObjectiveSettings = ObjectiveSettings()
    teacher: TeacherSettings = TeacherSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()

    @model_validator(mode="before")
    @classmethod
    def _control_makes_the_size(cls, tree: Any) -> Any:
        control, model = (tree.get(key, {}) if isinstance(tree, dict) else None for key in ("control", "model"))
        if not isinstance(control, dict) or not isinstance(model, dict) or "control_size" in model:
            return tree
        told = ControlSettings(**{key: control.get(key) is True for key in ("chords", "key")})
        if told.size and model.get("kind", "sequence") == "sequence":
            return {**tree, "model": {**model, "control_size": told.size}}
        return tree

    @model_validator(mode="after")
    def _model_fits_codec(self) -> RunConfig:
        wanted = MODELS_OF_CODEC[self.codec.kind]
        if self.model.kind not in wanted:
            named = " or ".join(map(repr, wanted))
            raise ValueError(f"codec {self.codec.kind!r} goes with model kind {named}, not {self.model.kind!r}")
        self._check_control()
        if isinstance(self.model, SequenceModel) and not isinstance(self.codec, ImageCodecSettings | SoundCodecSettings):
            _check_sequence(self.model, self.codec)
        if self.data.inputs and self.codec.kind != "groove":
            raise ValueError("data.inputs says what a groove model sees; it needs codec kind 'groove'")
        return self

    def _check_control(self) -> None:
        """Refuse chords and keys that the model cannot be told of.

        Raises:
            ValueError: saying why.
        """
        relative = isinstance(self.model, SequenceModel) and self.model.relative_pitch
        if relative and not (self.control.chords and self.codec.kind in ("melody", "trio")):
            raise ValueError("model.relative_pitch needs control.chords and a codec of melodies or trios")
        if not self.control.size:
            return
        if not isinstance(self.model, SequenceModel):
            raise ValueError("control (chords, key) is for models of music")
        if self.codec.kind == "groove":
            raise ValueError("control (chords, key) does not go with codec 'groove'")
        if self.control.size != self.model.control_size:
            made, told = self.control.size, self.model.control_size
            raise ValueError(f"control makes {made} numbers a step, model.control_size is {told}; leave that out")


def _check_sequence(model: SequenceModel, codec: MusicCodecSettings) -> None:
    """Refuse a sequence model whose parts do not fit the windows of its codec.

    Raises:
        ValueError: saying which part.
    """
    if codec.kind == "multitrack":
        steps = codec.steps
        _check_tracks(model, codec)
    else:
        steps = codec.bars * codec.steps_per_quarter * 4 * codec.numerator // codec.denominator
    for side, part in (("encoder", model.encoder), ("decoder", model.decoder)):
        if part.kind == "hierarchical" and math.prod(part.levels) != steps:
            raise ValueError(f"model.{side}.levels {list(part.levels)} must multiply to the {steps} steps of a window")
        if part.split and codec.kind != "trio":
            raise ValueError(f"model.{side}.split needs a codec with several numbers a step (trio)")
    roll = codec.kind == "drums" and codec.form == "roll"
    if roll != (model.likelihood.kind == "nade"):
        raise ValueError("a codec of form roll and the likelihood nade go together, and with no other")
    groove = codec.kind == "groove"
    if groove != (model.likelihood.kind == "groove"):
        raise ValueError("codec groove and the likelihood groove go together, and with no other")
    if groove and model.control_size not in (0, 9):
        raise ValueError("a groove model is told of the hits of 9 drums or of nothing: model.control_size is 9 or 0")
    if (roll or groove) and (model.encoder.token_size or model.decoder.token_size):
        raise ValueError(f"a {'roll has bits' if roll else 'groove has numbers'}, no tokens: leave out token_size")


def _check_tracks(model: SequenceModel, codec: MultitrackCodecSettings) -> None:
    """Refuse a model whose segments are not the tracks of a bar.

    Raises:
        ValueError: saying which part.
    """
    wanted = {"encoder": (codec.events, codec.tracks), "decoder": (codec.tracks, codec.events)}
    for side, part in (("encoder", model.encoder), ("decoder", model.decoder)):
        if part.kind != "hierarchical" or part.levels != wanted[side]:
            raise ValueError(
                f"model.{side} must be hierarchical with levels {list(wanted[side])}, as codec.tracks and events say"
            )


#: The kinds of models that read what a kind of codec makes.
MODELS_OF_CODEC = {
    "melody": ("sequence",),
    "drums": ("sequence",),
    "trio": ("sequence",),
    "multitrack": ("sequence",),
    "groove": ("sequence",),
    "image": ("image",),
    "sound": ("spectrogram", "timbre"),
}


def preset_names() -> list[str]:
    """Return the names of the shipped presets."""
    return sorted(path.stem for path in resource("configs").glob("*.yaml"))


def load_config(name: str | Path, changes: Sequence[str] = ()) -> RunConfig:
    """Read a preset by name, or a YAML file by path, and apply ``a.b=c`` changes.

    Raises:
        UsageError: unknown preset, unreadable file, unknown key or unusable value; the message names the place.
    """
    tree = _read_tree(find_preset(name), ())
    for change in changes:
        _apply(tree, change)
    return parse_config(tree, where=str(name))


def parse_config(tree: Mapping[str, Any], where: str) -> RunConfig:
    """Check a tree of settings.

    Raises:
        UsageError: naming ``where`` and the key that does not fit.
    """
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise UsageError(f"{where}: " + "; ".join(_explain(error))) from None


def find_preset(name: str | Path) -> Path:
    """Return the file of a preset name or the path itself.

    Raises:
        UsageError: naming the nearest valid preset.
    """
    text = str(name)
    if text in preset_names():
        return resource("configs", f"{text}.yaml")
    path = Path(text)
    if path.suffix in {".yaml", ".yml"}:
        if path.is_file():
            return path
        raise UsageError(f"{path}: no such file")
    raise UsageError(f"no preset {text!r}; {suggest(text, preset_names())} ('musae presets' lists them)")


def _read_tree(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise UsageError(f"{path}: extends itself")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{path}: holds no settings; a run file is a YAML mapping")
    base = tree.pop("extends", None)
    if base is None:
        return tree
    beside = path.parent / str(base)
    parent = beside if beside.is_file() else find_preset(str(base))
    return _merge(_read_tree(parent, (*seen, path.resolve())), tree)


def _merge(base: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``change`` laid over it, group by group; a schedule and a group of another kind are replaced whole."""
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        result[key] = value
        if isinstance(value, dict) and isinstance(old, dict) and "shape" not in value:
            if value.get("kind") in (None, old.get("kind")):
                result[key] = _merge(old, value)
    return result


def _apply(tree: dict[str, Any], change: str) -> None:
    """Apply one ``a.b=c``; the value is read as YAML."""
    key, sign, text = change.partition("=")
    if not sign or not key.strip():
        raise UsageError(f"--set {change}: write it as key=value, for example training.steps=5000")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {change}: the value is not YAML") from error
    *groups, last = key.strip().split(".")
    node = tree
    for group in groups:
        child = node.get(group)
        if isinstance(child, int | float) and group is groups[-1] and last in ScheduleSettings.model_fields:
            child = {"end": float(child)}  # a constant schedule of which one argument changes
        if not isinstance(child, dict):
            child = {}
        node[group] = dict(child)
        node = node[group]
    if last == "kind" and node.get("kind") != value:
        node.clear()  # the settings of another kind
    node[last] = value


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        keys, group = _walk(problem["loc"])
        place, found = ".".join(keys), problem["input"]
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            _, parent = _walk(problem["loc"][:-1])
            yield f"unknown key {place!r}; {suggest(keys[-1], _fields(parent))}"
            continue
        if problem["type"] == "union_tag_invalid":
            place, found = f"{place}.kind", problem["ctx"]["tag"]
            message = f"is not known; valid: {', '.join(_members(group))}"
        elif problem["type"] in {"model_type", "model_attributes_type"}:
            message = f"is a group of settings; set one of its keys: {', '.join(_fields(group))}"
        told = "" if isinstance(found, dict) else f" (it is {found!r})"
        yield f"{place or 'settings'}: {message}{told}"


def _walk(location: Sequence[Any]) -> tuple[list[str], Any]:
    """Return the keys that lead to a place, as a user writes them, and the annotation there."""
    group: Any = RunConfig
    keys: list[str] = []
    for part in location:
        members = _members(group)
        if part in members:  # pydantic names the member of a union that was chosen; a user does not
            group = members[part]
            continue
        keys.append(str(part))
        if isinstance(part, int):  # a place in a list: the group is that of its items
            continue
        field = _fields(group).get(part)
        group = None if field is None else field.annotation
    return keys, group


def _fields(group: Any) -> dict[str, Any]:
    """Return the fields of a group of settings, by name; none for anything else."""
    choices = [member for member in get_args(group) if hasattr(member, "model_fields")]
    group = choices[0] if len(choices) == 1 else group  # of a group that may be null
    return dict(getattr(group, "model_fields", {}))


def _members(annotation: Any) -> dict[str, type[Settings]]:
    """Return the settings classes of a union by their kind; none for anything else."""
    found: dict[str, type[Settings]] = {}
    for member in get_args(annotation):
        kind = _fields(member).get("kind")
        found |= {kind.default: member} if kind is not None else _members(member)
    return found
