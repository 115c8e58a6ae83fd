"""One complete run, whose parts fit each other."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, model_validator

from musicvae_lite.config.codecs import (
    CodecSettings,
    ControlSettings,
    ImageCodecSettings,
    MelodyCodecSettings,
    MultitrackCodecSettings,
    MusicCodecSettings,
    SoundCodecSettings,
)
from musicvae_lite.config.groups import Settings
from musicvae_lite.config.models import ModelConfig, SequenceModel
from musicvae_lite.config.training import (
    DataSettings,
    ObjectiveSettings,
    OptimiserSettings,
    PriorSettings,
    TeacherSettings,
    TrainingSettings,
)


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
    prior: PriorSettings = PriorSettings()

    @model_validator(mode="before")
    @classmethod
    def _control_makes_the_size(cls, tree: Any) -> Any:
        control, model = (
            tree.get(key, {}) if isinstance(tree, dict) else None for key in ("control", "model")
        )
        if not isinstance(control, dict) or not isinstance(model, dict) or "control_size" in model:
            return tree
        told = ControlSettings(**{key: control.get(key) is True for key in ("chords", "key")})
        if told.size and model.get("kind", "sequence") == "sequence":
            return {**tree, "model": {**model, "control_size": told.size}}
        return tree

    @model_validator(mode="after")
    def _model_fits_codec(self) -> RunConfig:
        wanted = self.codec.models
        if self.model.kind not in wanted:
            named = " or ".join(map(repr, wanted))
            raise ValueError(
                f"codec {self.codec.kind!r} goes with model kind {named}, not {self.model.kind!r}"
            )
        self._check_control()
        if isinstance(self.model, SequenceModel) and not isinstance(
            self.codec, ImageCodecSettings | SoundCodecSettings
        ):
            _check_sequence(self.model, self.codec)
        if self.data.inputs and self.codec.kind != "groove":
            raise ValueError(
                "data.inputs says what a groove model sees; it needs codec kind 'groove'"
            )
        return self

    def _check_control(self) -> None:
        """Refuse chords and keys that the model cannot be told of.

        Raises:
            ValueError: saying why.
        """
        relative = isinstance(self.model, SequenceModel) and self.model.relative_pitch
        if relative and not (self.control.chords and self.codec.kind in ("melody", "trio")):
            raise ValueError(
                "model.relative_pitch needs control.chords and a codec of melodies or trios"
            )
        if not self.control.size:
            return
        if not isinstance(self.model, SequenceModel):
            raise ValueError("control (chords, key) is for models of music")
        if self.codec.kind == "groove":
            raise ValueError("control (chords, key) does not go with codec 'groove'")
        if self.control.size != self.model.control_size:
            made, told = self.control.size, self.model.control_size
            raise ValueError(
                f"control makes {made} numbers a step, model.control_size is {told}; leave that out"
            )


def _check_sequence(model: SequenceModel, codec: MusicCodecSettings) -> None:
    """Refuse a sequence model whose parts do not fit the windows of its codec.

    Raises:
        ValueError: saying which part.
    """
    steps = codec.window_steps
    if codec.kind == "multitrack":
        _check_tracks(model, codec)
    for side, part in (("encoder", model.encoder), ("decoder", model.decoder)):
        if part.kind == "hierarchical" and math.prod(part.levels) != steps:
            raise ValueError(
                f"model.{side}.levels {list(part.levels)} must multiply to the {steps} steps of a "
                "window"
            )
        if getattr(part, "split", False) and codec.kind != "trio":
            raise ValueError(f"model.{side}.split needs a codec with several numbers a step (trio)")
    roll = codec.kind == "drums" and codec.form == "roll"
    if roll != (model.likelihood.kind == "nade"):
        raise ValueError(
            "a codec of form roll and the likelihood nade go together, and with no other"
        )
    groove = codec.kind == "groove"
    if groove != (model.likelihood.kind == "groove"):
        raise ValueError("codec groove and the likelihood groove go together, and with no other")
    piano = codec.kind == "piano"
    if piano != (model.likelihood.kind == "piano"):
        raise ValueError("codec piano and the likelihood piano go together, and with no other")
    if piano and model.relative_pitch:
        raise ValueError("codec piano numbers keys as they are; leave out relative_pitch")
    if groove and model.decoder.kind != "lstm":
        raise ValueError("codec groove goes with a decoder of kind lstm, not with one of segments")
    if groove and model.control_size not in (0, 9):
        raise ValueError(
            "a groove model is told of the hits of 9 drums or of nothing: model.control_size is 9 "
            "or 0"
        )
    if (roll or groove) and (model.encoder.token_size or model.decoder.token_size):
        raise ValueError(
            f"a {'roll has bits' if roll else 'groove has numbers'}, no tokens: leave out "
            "token_size"
        )


def _check_tracks(model: SequenceModel, codec: MultitrackCodecSettings) -> None:
    """Refuse a model whose segments are not the tracks of a bar.

    Raises:
        ValueError: saying which part.
    """
    wanted = {"encoder": (codec.events, codec.tracks), "decoder": (codec.tracks, codec.events)}
    for side, part in (("encoder", model.encoder), ("decoder", model.decoder)):
        if part.kind != "hierarchical" or part.levels != wanted[side]:
            raise ValueError(
                f"model.{side} must be hierarchical with levels {list(wanted[side])}, as "
                "codec.tracks and events say"
            )
