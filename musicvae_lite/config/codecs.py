"""The settings of codecs, and of what a model of music is told beside the music."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny, Tag, model_validator

from musicvae_lite.config.groups import Settings, Size, kind_or, or_installed

Program = Annotated[int, Field(ge=0, le=127)]


class CodecSettingsBase(Settings):
    """Base of the settings of every codec.

    Attributes:
        models: kinds of models that read what the codec makes.
    """

    models: ClassVar[tuple[str, ...]] = ("sequence",)
    kind: str


class ScoreCodecSettings(CodecSettingsBase):
    """Base of the settings of every codec of music.

    Attributes:
        hears: what of a score its windows hold, for the limits in a model card.
        leaves_out: what of a score they do not hold, a sentence.
    """

    hears: ClassVar[str] = "what its codec reads"
    leaves_out: ClassVar[str] = (
        "Velocities, tempo and instruments are not part of the model; timing is on the grid."
    )
    if TYPE_CHECKING:  # fields of each class, in its own order
        steps_per_quarter: int
        numerator: int
        denominator: int

    @property
    def metre(self) -> str:
        """Metre and grid in a few words."""
        return f"{self.numerator}/{self.denominator}, {self.steps_per_quarter} steps a quarter"

    @property
    def words(self) -> str:
        """What a model reads, in a line of its card."""
        return f"{self.kind}, {self.metre}"

    @property
    def window_steps(self) -> int:
        """Steps (or events) of a window."""
        raise NotImplementedError


class GridCodecSettings(ScoreCodecSettings):
    """Settings of every codec of music whose windows are a number of bars on a grid of steps."""

    kind: str
    bars: int = Field(2, ge=1, le=64)
    steps_per_quarter: int = Field(4, ge=1, le=24)
    numerator: int = Field(4, ge=1, le=32)
    denominator: Literal[1, 2, 4, 8, 16, 32] = 4

    @property
    def window_steps(self) -> int:
        """Steps of a window."""
        return self.bars * self.steps_per_quarter * 4 * self.numerator // self.denominator

    @property
    def words(self) -> str:
        """What a model reads, in a line of its card."""
        return f"{self.kind}, {self.bars} bars of {self.metre}"


class MelodyCodecSettings(GridCodecSettings):
    """Arguments of :class:`musicvae_lite.music.codecs.melody.MelodyCodec`."""

    hears: ClassVar[str] = "one note at a time: of notes that start together the highest"
    kind: Literal["melody"] = "melody"
    min_pitch: int = Field(21, ge=0, le=127)
    max_pitch: int = Field(108, ge=0, le=127)
    programs: tuple[Program, Program] | None = (0, 31)
    gap_bars: float = Field(1.0, gt=0, le=65_536)
    hop_bars: Size = 1
    max_bars: Size | None = None
    pad_short: bool = True
    require_onset: bool = True

    @property
    def words(self) -> str:
        """What a model reads, in a line of its card."""
        return f"{super().words}, MIDI pitches {self.min_pitch} to {self.max_pitch}"


class DrumsCodecSettings(GridCodecSettings):
    """Arguments of :class:`musicvae_lite.music.codecs.drums.DrumsCodec`."""

    hears: ClassVar[str] = "which drums are hit at each step of the grid, not how hard"
    kind: Literal["drums"] = "drums"
    classes: Literal[9, 61, 63] = 9
    form: Literal["tokens", "roll"] = "tokens"
    gap_bars: float = Field(1.0, ge=1, le=65_536)
    hop_bars: Size = 1
    max_bars: Size | None = None
    pad_short: bool = True
    require_onset: bool = True

    @model_validator(mode="after")
    def _form_holds_the_classes(self) -> DrumsCodecSettings:
        if self.form == "tokens" and self.classes != 9:
            raise ValueError("one token a step holds 9 classes of drums; 61 and 63 need form roll")
        return self

    @property
    def words(self) -> str:
        """What a model reads, in a line of its card."""
        return f"{super().words}, {self.classes} classes of drums"


class TrioCodecSettings(GridCodecSettings):
    """Arguments of :class:`musicvae_lite.music.codecs.trio.TrioCodec`."""

    hears: ClassVar[str] = (
        "one note at a time in melody and bass: of notes that start together the highest"
    )
    kind: Literal["trio"] = "trio"
    bars: int = Field(16, ge=1, le=64)
    min_pitch: int = Field(21, ge=0, le=127)
    max_pitch: int = Field(108, ge=0, le=127)
    melody_programs: tuple[Program, Program] = (0, 31)
    bass_programs: tuple[Program, Program] = (32, 39)
    gap_bars: Size = 2
    hop_bars: Size = 1
    max_bars: Size = 1024
    magenta: bool = False

    @property
    def words(self) -> str:
        """What a model reads, in a line of its card."""
        return f"{super().words}, MIDI pitches {self.min_pitch} to {self.max_pitch}"


class MultitrackCodecSettings(ScoreCodecSettings):
    """Arguments of :class:`musicvae_lite.music.codecs.multitrack.MultitrackCodec`."""

    hears: ClassVar[str] = "bars of a few instruments that play together, none of them too busy"
    kind: Literal["multitrack"] = "multitrack"
    steps_per_quarter: int = Field(24, ge=1, le=96)
    numerator: int = Field(4, ge=1, le=32)
    denominator: Literal[1, 2, 4, 8, 16, 32] = 4
    tracks: int = Field(8, ge=1, le=64)
    events: int = Field(64, ge=4, le=1024)
    min_tracks: Size = 2
    min_events: int = Field(8, ge=0, le=1024)
    velocity_bins: int = Field(8, ge=1, le=127)
    crowded: Literal["refuse", "busiest"] = "refuse"

    @property
    def window_steps(self) -> int:
        """Events of a window."""
        return self.tracks * self.events

    @model_validator(mode="after")
    def _some_bar_fits(self) -> MultitrackCodecSettings:
        if self.min_tracks > self.tracks:
            raise ValueError(
                f"min_tracks is {self.min_tracks}, more than the {self.tracks} tracks of a bar"
            )
        return self

    @property
    def words(self) -> str:
        """What a model reads, in a line of its card."""
        return (
            f"multitrack, one bar of {self.metre}, up to {self.tracks} tracks of "
            f"{self.events} events"
        )


class GrooveCodecSettings(GridCodecSettings):
    """Arguments of :class:`musicvae_lite.music.codecs.groove.GrooveCodec`."""

    hears: ClassVar[str] = "9 kinds of drums, of each the loudest hit at a step"
    leaves_out: ClassVar[str] = (
        "Tempo and the sounds of the kit are not part of the model; "
        "a hit is nearest to one step of the grid."
    )
    kind: Literal["groove"] = "groove"
    kit: Literal["gm", "roland"] = "gm"
    hop_bars: Size = 1
    pad_short: bool = True
    require_onset: bool = True

    @property
    def words(self) -> str:
        """What a model reads, in a line of its card."""
        return (
            f"drum grooves, {self.bars} bars of {self.metre}: hits, velocities and timing of 9 "
            f"drums ({self.kit} pitches)"
        )


class PianoCodecSettings(GridCodecSettings):
    """Arguments of :class:`musicvae_lite.music.codecs.piano.PianoCodec`."""

    hears: ClassVar[str] = (
        "what the keys of a piano play together, each start on the nearest step of the grid"
    )
    leaves_out: ClassVar[str] = (
        "Tempo and instruments are not part of the model; velocities are told in bins, the pedal "
        "as the length of notes."
    )
    kind: Literal["piano"] = "piano"
    velocity_bins: int = Field(8, ge=2, le=32)
    programs: tuple[int, int] | None = (0, 7)
    pedal: bool = True
    hop_bars: Size = 1
    pad_short: bool = True
    require_onset: bool = True

    @property
    def words(self) -> str:
        """What a model reads, in a line of its card."""
        return (
            f"polyphonic piano, {self.bars} bars of {self.metre}, 88 keys, {self.velocity_bins} "
            "loudnesses"
        )


class ControlSettings(Settings):
    """Arguments of :class:`musicvae_lite.music.conditioning.control.Control`: what a model of music
    is told beside the music.
    """

    chords: bool = False
    key: bool = False

    @property
    def size(self) -> int:
        """Control numbers a step, ``model.control_size``."""
        return 49 * self.chords + 12 * self.key


class ImageCodecSettings(CodecSettingsBase):
    """Arguments of :class:`musicvae_lite.images.codec.ImageCodec`."""

    models: ClassVar[tuple[str, ...]] = ("image",)
    kind: Literal["image"] = "image"
    height: int = Field(28, ge=1, le=1024)
    width: int = Field(28, ge=1, le=1024)
    channels: Literal[1, 3] = 1


class SoundCodecSettings(CodecSettingsBase):
    """Arguments of :class:`musicvae_lite.audio.codec.SoundCodec`."""

    models: ClassVar[tuple[str, ...]] = ("spectrogram", "timbre")
    kind: Literal["sound"] = "sound"
    rate: int = Field(44100, ge=8000, le=192_000)
    seconds: float = Field(3.5, ge=0.1, le=60)


MusicCodecSettings = (
    MelodyCodecSettings
    | DrumsCodecSettings
    | TrioCodecSettings
    | GrooveCodecSettings
    | MultitrackCodecSettings
    | PianoCodecSettings
)
_BuiltIn = Annotated[
    Annotated[MelodyCodecSettings, Tag("melody")]
    | Annotated[DrumsCodecSettings, Tag("drums")]
    | Annotated[TrioCodecSettings, Tag("trio")]
    | Annotated[MultitrackCodecSettings, Tag("multitrack")]
    | Annotated[GrooveCodecSettings, Tag("groove")]
    | Annotated[PianoCodecSettings, Tag("piano")]
    | Annotated[ImageCodecSettings, Tag("image")]
    | Annotated[SoundCodecSettings, Tag("sound")],
    kind_or("melody"),
]
CodecSettings = Annotated[SerializeAsAny[_BuiltIn], or_installed("codecs")]
