"""The settings of models."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, Tag, model_validator

from musicvae_lite.config.groups import LARGEST, Settings, Size, Sizes, kind_or, or_installed

# samples of the denoiser's frames at 44.1 kHz, see media/spectrum.py; in its first models they were
# 4096
_WINDOW = 6144


class PartSettings(Settings):
    """Base of the settings of every encoder and decoder of sequences."""

    kind: str

    @property
    def words(self) -> str:
        """The part in a few words, for a model card."""
        return self.kind


class EncoderSettings(PartSettings):
    """Bidirectional LSTM encoder.

    ``readout`` is described at :class:`musicvae_lite.nn.lstm.LstmEncoder`.

    ``split``: one encoder for each number of a step.
    """

    kind: Literal["lstm"] = "lstm"
    sizes: Sizes = Field((256,), min_length=1)
    token_size: Size | None = None
    readout: Literal["final", "steps"] = "final"
    readout_size: Size = 32
    split: bool = False

    @property
    def words(self) -> str:
        """The part in a few words, for a model card."""
        return f"BiLSTM {list(self.sizes)} (readout: {self.readout})"


class HierarchicalEncoderSettings(PartSettings):
    """Bidirectional LSTMs, one a level.

    See :class:`musicvae_lite.nn.hierarchical.HierarchicalEncoder`.

    ``levels``: steps of a segment, then segments (of segments ...); their product is the length of
    a window. ``skip``: for the readout ``steps``, upper levels are read past their LSTM, too.
    ``readout_size``: one for all levels, or one each. ``upper_sizes``: of the LSTMs above the first
    level, where they differ. ``split``: one encoder for each number of a step.
    """

    kind: Literal["hierarchical"] = "hierarchical"
    levels: Sizes = Field((16, 16), min_length=2)
    sizes: Sizes = Field((256,), min_length=1)
    token_size: Size | None = None
    readout: Literal["final", "steps"] = "final"
    readout_size: Size | Sizes = 32
    skip: bool = False
    upper_sizes: Sizes | None = Field(None, min_length=1)
    split: bool = False

    @model_validator(mode="after")
    def _readout_for_each_level(self) -> HierarchicalEncoderSettings:
        if not isinstance(self.readout_size, int) and len(self.readout_size) != len(self.levels):
            raise ValueError("readout_size is one number, or one a level")
        return self

    @property
    def words(self) -> str:
        """The part in a few words, for a model card."""
        return f"in levels {list(self.levels)}, BiLSTM {list(self.sizes)} (readout: {self.readout})"


class DecoderSettings(PartSettings):
    """LSTM decoder; z is part of the input of every step, unless ``latent_input`` is off (a plan
    then takes its place).

    ``split``: one decoder for each number of a step.
    """

    kind: Literal["lstm"] = "lstm"
    sizes: Sizes = Field((256, 256), min_length=1)
    token_size: Size | None = None
    plan_size: int = Field(0, ge=0, le=LARGEST)
    position_size: int = Field(0, ge=0, le=LARGEST)
    latent_input: bool = True
    split: bool = False

    @property
    def words(self) -> str:
        """The part in a few words, for a model card."""
        return f"LSTM {list(self.sizes)}"


class HierarchicalDecoderSettings(PartSettings):
    """A conductor over segments and an LSTM decoder in each.

    See :class:`musicvae_lite.nn.hierarchical.HierarchicalDecoder`.

    ``levels``: segments, then steps of a segment. ``sizes`` and what follows are of the decoder of
    a segment, which has the conductor's output in place of z; with ``skip`` also the vector
    ``conductor_plan`` that the conductor got.
    """

    kind: Literal["hierarchical"] = "hierarchical"
    levels: Sizes = Field((16, 16), min_length=2, max_length=2)
    conductor: Sizes = Field((256,), min_length=1)
    conductor_plan: int = Field(0, ge=0, le=LARGEST)
    skip: bool = False
    carry: bool = True
    sizes: Sizes = Field((256, 256), min_length=1)
    token_size: Size | None = None
    plan_size: int = Field(0, ge=0, le=LARGEST)
    position_size: int = Field(0, ge=0, le=LARGEST)
    latent_input: bool = True
    split: bool = False

    @model_validator(mode="after")
    def _plan_to_skip(self) -> HierarchicalDecoderSettings:
        if self.skip and not self.conductor_plan:
            raise ValueError("skip passes on the plan of a segment; it needs a conductor_plan")
        return self

    @property
    def words(self) -> str:
        """The part in a few words, for a model card."""
        return f"in levels {list(self.levels)}, LSTM {list(self.sizes)}"


class CategoricalSettings(Settings):
    """One class of several a step, for each number of a step."""

    kind: Literal["categorical"] = "categorical"


class NadeSettings(Settings):
    """Several bits a step, each told of those before it (Larochelle & Murray 2011).

    ``size`` hidden units.
    """

    kind: Literal["nade"] = "nade"
    size: Size = 128


class GrooveSettings(Settings):
    """Hits, velocities and offsets of several drums a step.

    See :class:`musicvae_lite.nn.likelihood.Groove`.

    The standard deviations of sqrt(1/2) make the nats the squared errors (Magenta).
    """

    kind: Literal["groove"] = "groove"
    velocity_scale: float = Field(0.5**0.5, gt=0)
    offset_scale: float = Field(0.5**0.5, gt=0)
    hits_only: bool = False


class PianoRollSettings(Settings):
    """Keys of a piano at each step; see :class:`musicvae_lite.nn.piano_roll.PianoRoll`."""

    kind: Literal["piano"] = "piano"
    mixtures: Size = 4
    loudness_weight: float = Field(1.0, gt=0)


SequenceEncoder = Annotated[
    Annotated[EncoderSettings, Tag("lstm")]
    | Annotated[HierarchicalEncoderSettings, Tag("hierarchical")],
    kind_or("lstm"),
]
_BuiltInDecoder = Annotated[
    Annotated[DecoderSettings, Tag("lstm")]
    | Annotated[HierarchicalDecoderSettings, Tag("hierarchical")],
    kind_or("lstm"),
]
SequenceDecoder = Annotated[SerializeAsAny[_BuiltInDecoder], or_installed("decoders")]
StepLikelihood = Annotated[
    Annotated[CategoricalSettings, Tag("categorical")]
    | Annotated[NadeSettings, Tag("nade")]
    | Annotated[GrooveSettings, Tag("groove")]
    | Annotated[PianoRollSettings, Tag("piano")],
    kind_or("categorical"),
]


class NormalLatent(Settings):
    """A diagonal normal posterior, :class:`musicvae_lite.core.latent.Latent`."""

    kind: Literal["normal"] = "normal"


LatentSettings = Annotated[SerializeAsAny[NormalLatent], or_installed("latents")]


class SequenceModel(Settings):
    """A MusicVAE: sequence encoder, latent code, sequence decoder.

    ``latent``: what the code is; another package can register others than the normal posterior.

    ``control_size``: numbers a step that encoder and decoder are told of beside the music; by
    default what ``control`` of the run makes (49 for a chord, 12 for a key), at each step of time.
    A size without it is for numbers that the user of the library gives, or 9 for the hits of a
    groove. ``relative_pitch``: encoder and decoder number the pitches of a step from the root of
    the chord told. ``spectral``: z is read from the cosine transform of what a hierarchical encoder
    reads of the segments, and the decoder's plan is made so; see :mod:`musicvae_lite.nn.dct`.
    """

    kind: Literal["sequence"] = "sequence"
    latent_size: Size = 256
    encoder: SequenceEncoder = EncoderSettings()
    decoder: SequenceDecoder = DecoderSettings()
    likelihood: StepLikelihood = CategoricalSettings()
    control_size: int = Field(0, ge=0, le=LARGEST)
    relative_pitch: bool = False
    dropout: float = Field(0.0, ge=0, lt=1)
    spectral: bool = False
    latent: LatentSettings = NormalLatent()

    @model_validator(mode="after")
    def _spectral_of_segments(self) -> SequenceModel:
        if self.spectral:
            encoder, decoder = self.encoder, self.decoder
            if (
                encoder.kind != "hierarchical"
                or decoder.kind != "hierarchical"
                or encoder.readout != "steps"
            ):
                raise ValueError(
                    "spectral needs a hierarchical encoder with readout steps and a hierarchical "
                    "decoder"
                )
            if (
                encoder.levels[1:] != decoder.levels[:1]
                or not decoder.conductor_plan
                or self.latent_size % decoder.levels[0]
            ):
                raise ValueError(
                    "spectral needs as many segments in encoder and decoder, a latent_size that "
                    "they divide, and a conductor_plan"
                )
        return self


class DenseSettings(Settings):
    """Fully connected hidden layers with ReLU, of an image model's encoder or decoder."""

    kind: Literal["dense"] = "dense"
    sizes: Sizes = (512,)

    @property
    def words(self) -> str:
        """The part in a few words, for a model card."""
        return f"dense {list(self.sizes)}"


class ConvSettings(Settings):
    """Convolutions with ReLU, each followed by pooling (encoder) or enlarging (decoder) by two.

    See :mod:`musicvae_lite.nn.conv`.

    ``pool`` false: an encoder that keeps all pixels, for super-resolution. ``dense``: fully
    connected layers with ReLU between the feature map and the code.
    """

    kind: Literal["conv"] = "conv"
    channels: Sizes = Field((16, 8, 8), min_length=1)
    pool: bool = True
    dense: Sizes = ()

    @property
    def words(self) -> str:
        """The part in a few words, for a model card."""
        return f"convolutions {list(self.channels)}"


ImagePart = Annotated[
    Annotated[DenseSettings, Tag("dense")] | Annotated[ConvSettings, Tag("conv")], kind_or("conv")
]


class AdversarySettings(Settings):
    """A discriminator between codes and draws from the prior, in place of the KL term (Makhzani et
    al. 2015).
    """

    sizes: Sizes = Field((500, 500, 500, 500), min_length=1)
    weight: float = Field(
        1.0, gt=0
    )  # of the encoder's wish to be taken for the prior, against nats of reconstruction


class ImageModel(Settings):
    """An autoencoder of pictures, deterministic or variational.

    ``latent_size`` null: the encoder's feature map itself is the code. ``classes``: the number of
    classes that encoder and decoder are told of (conditional VAE). ``residual``: the decoder adds
    to the enlarged input (super-resolution).
    """

    kind: Literal["image"] = "image"
    latent_size: Size | None = None
    variational: bool = False
    encoder: ImagePart = ConvSettings()
    decoder: ImagePart = ConvSettings(channels=(8, 8, 16))
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    scale: float = Field(
        0.5**0.5, gt=0
    )  # standard deviation of the Gaussian; sqrt(1/2) makes its nats the squared error
    classes: int = Field(0, ge=0, le=LARGEST)
    residual: bool = False
    adversary: AdversarySettings | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> ImageModel:
        if self.latent_size is None and (self.variational or self.adversary or self.classes):
            raise ValueError("a variational, adversarial or conditional model needs a latent_size")
        if self.latent_size is None and (self.encoder.kind, self.decoder.kind) != ("conv", "conv"):
            raise ValueError("a dense encoder or decoder needs a latent_size")
        if self.latent_size is None and any(
            part.kind == "conv" and part.dense for part in (self.encoder, self.decoder)
        ):
            raise ValueError(
                "dense layers of a convolutional encoder or decoder need a latent_size"
            )
        if self.decoder.kind == "conv" and not self.decoder.pool:
            raise ValueError("pool is a setting of the encoder; a decoder enlarges once a channel")
        if self.residual and self.likelihood != "gaussian":
            raise ValueError(
                "a residual model adds brightness to brightness; it needs likelihood gaussian"
            )
        if self.variational and self.adversary:
            raise ValueError(
                "an adversary takes the place of the KL term; choose variational or adversary"
            )
        return self


class SpectrogramLosses(Settings):
    """Weights of the terms that a denoiser is trained by.

    See :mod:`musicvae_lite.audio.denoise.losses`.
    """

    snr: float = Field(1.0, ge=0)  # minus the signal-to-noise ratio of the cleaned clip, in dB
    magnitude: float = Field(
        20.0, ge=0
    )  # mean distance of compressed magnitudes: the noise that stays between notes
    worse: float = Field(0.0, ge=0)  # by how many dB a clip comes out worse than it went in

    @model_validator(mode="after")
    def _some_term_counts(self) -> SpectrogramLosses:
        if not self.snr and not self.magnitude:
            raise ValueError("one of snr and magnitude is above 0")
        return self


class SpectrogramModel(Settings):
    """A denoiser of sound: an autoencoder from a noisy spectrogram to a gain for every band and
    frame.

    Arguments of :class:`musicvae_lite.audio.denoise.network.Shape`; ``best_db``: a clip that is
    cleaner than this is clean enough; ``window``: samples of a frame at 44.1 kHz, named so that a
    model of other frames is not taken for one of these.
    """

    kind: Literal["spectrogram"] = "spectrogram"
    window: int = 4096
    channels: Sizes = Field((16, 32, 64, 96), min_length=1)
    blocks: Annotated[tuple[Annotated[int, Field(ge=0, le=64)], ...], Field(max_length=64)] = (
        1,
        1,
        1,
        1,
    )
    strides: Annotated[tuple[tuple[Size, Size], ...], Field(max_length=64)] = (
        (2, 2),
        (2, 2),
        (2, 2),
    )
    latent_size: Size = 64
    dilations: Sizes = (1, 2, 4)
    variational: bool = False
    skips: bool = True
    losses: SpectrogramLosses = SpectrogramLosses()
    best_db: float = Field(40.0, gt=0, le=100)

    @model_validator(mode="after")
    def _sizes_fit(self) -> SpectrogramModel:
        if self.window != _WINDOW:
            raise ValueError(
                f"window, the samples of a frame, is {_WINDOW}, not {self.window}; train the "
                "model again"
            )
        if len(self.blocks) != len(self.channels) or len(self.strides) != len(self.channels) - 1:
            raise ValueError(
                "blocks holds one number a level, as channels does, and strides one pair from "
                "level to level"
            )
        bands, frames = (math.prod(stride[axis] for stride in self.strides) for axis in (0, 1))
        if (
            384 % bands or 16 % frames
        ):  # half of the bands, a block of frames: see models/spectrogram.py
            raise ValueError(
                "the strides over bands multiply to a divisor of 384, those over frames to one of "
                "16"
            )
        return self


class TimbreModel(Settings):
    """A variational autoencoder of about a second of sound.

    See :mod:`musicvae_lite.audio.timbre.model`.

    ``rows``: of the picture of levels, evenly spaced in mel. ``range_db``: what lies so far below
    full scale counts as silence. ``scale``: standard deviation of a level, as a part of that range.
    """

    kind: Literal["timbre"] = "timbre"
    latent_size: Size = 64
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
    kind_or("sequence"),
]
