"""Autoencoder of event sequences (MusicVAE, Roberts et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from musicvae_lite.core import registry
from musicvae_lite.core.autoencoder import FORCED, Autoencoder, Batch, Encoding, Teacher
from musicvae_lite.core.random import Noise
from musicvae_lite.music.conditioning.chord_frame import ChordFrame, Pitches
from musicvae_lite.nn.dct import SpectralHead
from musicvae_lite.nn.event_time import Clock
from musicvae_lite.nn.heads import PosteriorHead
from musicvae_lite.nn.hierarchical import (
    HierarchicalDecoder,
    HierarchicalEncoder,
    SplitDecoder,
    SplitEncoder,
)
from musicvae_lite.nn.inputs import EventInput, JointInput, RollInput, TokenInput
from musicvae_lite.nn.likelihood import Categorical, Groove, Joint, Nade, StepLikelihood
from musicvae_lite.nn.lstm import LstmDecoder, LstmEncoder, shifted
from musicvae_lite.nn.piano_roll import PianoInput, PianoRoll
from musicvae_lite.nn.sequence import (
    DecoderKind,
    DecoderParts,
    LatentHead,
    LatentKind,
    SequenceDecoder,
    SequenceEncoder,
)

if TYPE_CHECKING:
    from musicvae_lite.config import SequenceDecoder as DecoderConfig
    from musicvae_lite.config import SequenceEncoder as EncoderConfig
    from musicvae_lite.config import SequenceModel


class SequenceAutoencoder(Autoencoder):
    """Encoder, posterior head and decoder of sequences of events.

    An event is one class, or K of them (or K numbers); sequences are [B, T] or [B, T, K]
    accordingly.

    Attributes:
        control_size: numbers C a step of the control input that encoder and decoder need
            (``Batch.condition``); 0 for none.
        padding: class that stands for no step, where segments of a sequence may end early; else
            None.
        frame: how encoder and decoder number pitches, where it is not as they are heard; callers
            see heard ones alone.
        clock: of events that are told by time: the control input is then [B, G, C], G steps of
            time; else None: [B, T, C].
    """

    def __init__(
        self,
        encoder: SequenceEncoder,
        head: LatentHead,
        decoder: SequenceDecoder,
        latent_size: int,
        control_size: int = 0,
        padding: int | None = None,
        frame: ChordFrame | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self.padding, self.frame, self.clock = padding, frame, clock
        self.latent_size = latent_size
        self.control_size = control_size
        self.adversary = None
        self.encoder, self.head, self.decoder = encoder, head, decoder

    def encode(self, batch: Batch) -> Encoding:
        """Return the posterior of each sequence, mean [B, Z]."""
        control = self._told(batch.condition, batch.x)
        features = self.encoder(self._seen(batch.x, control), batch.length, control)
        return Encoding(self.head(features))

    def logits(
        self, z: Tensor, batch: Batch, teacher: Teacher = FORCED, noise: Noise | None = None
    ) -> Tensor:
        """Return the decoder's outputs [B, T, V] over the targets: the logits of each class.

        Those of several classes a step stand one after another. For the likelihood ``nade`` they
        are what it computes the probabilities of the bits from.
        """
        control = self._told(batch.condition, batch.target)
        outputs = self.decoder.run(z, self._seen(batch.target, control), teacher, noise, control)
        return (
            outputs
            if self.frame is None or control is None
            else self.frame.outputs(outputs, control)
        )

    def losses(
        self,
        z: Tensor,
        batch: Batch,
        teacher: Teacher = FORCED,
        noise: Noise | None = None,
        skips: tuple[Tensor, ...] = (),
    ) -> dict[str, Tensor]:
        """Return ``nll_nats`` [B], summed over the valid steps (and the classes of a step)."""
        control = self._told(batch.condition, batch.target)
        target = self._seen(
            batch.target, control
        )  # another order of the classes, the same likelihood
        nats = self.decoder.likelihood.nll(
            self.decoder.run(z, target, teacher, noise, control), target
        )
        if batch.length is not None:
            steps = torch.arange(nats.shape[1], device=nats.device)
            nats = nats * (steps < batch.length.unsqueeze(1))
        return {"nll_nats": nats.sum(1)}

    def predict(self, z: Tensor, batch: Batch, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likeliest event of each step under teacher forcing, shape of the target.

        Padding stays.
        """
        outputs = self.logits(z, batch)
        likelihood, rows = self.decoder.likelihood, outputs.flatten(0, 1)
        if isinstance(likelihood, PianoRoll):
            before = shifted(batch.target, batch.target.new_zeros(())).flatten(0, 1)
            events = likelihood.sample(rows, 0.0, None, before)
        else:
            events = likelihood.sample(rows, 0.0, None)
        events = events.view(batch.target.shape)
        return (
            events
            if self.padding is None
            else torch.where(batch.target == self.padding, self.padding, events)
        )

    def decode(
        self,
        z: Tensor,
        length: int,
        temperature: float = 0.0,
        noise: Noise | None = None,
        condition: Tensor | None = None,
        given: Tensor | None = None,
    ) -> Tensor:
        """Return events [B, length] (or [B, length, K]).

        ``given`` [B, length, K] holds the numbers of a groove that are known, NaN for the others:
        those go with them.

        Raises:
            ValueError: the model cannot be given anything.
        """
        control = self._control(condition)
        if given is None:
            events = self.decoder.sample(z, length, temperature, noise, control)
            return (
                events
                if self.frame is None or control is None
                else self.frame.leave(events, control[:, :length])
            )
        if not isinstance(self.decoder, LstmDecoder) or not isinstance(
            self.decoder.likelihood, Groove
        ):
            raise ValueError(
                "only a groove model with one decoder can be given a part of what it decodes"
            )
        return self.decoder.sample(z, length, temperature, noise, control, given=given)

    def _seen(self, events: Tensor, control: Tensor | None) -> Tensor:
        return (
            events if self.frame is None or control is None else self.frame.enter(events, control)
        )

    def _told(self, condition: Tensor | None, events: Tensor) -> Tensor | None:
        """Return the control input of each of some events [B, T]."""
        control = self._control(condition)
        return (
            control if control is None or self.clock is None else self.clock.tell(events, control)
        )

    def _control(self, condition: Tensor | None) -> Tensor | None:
        """Check the control input.

        Raises:
            ValueError: the model needs one and there is none, or the other way round, or it has
                another size.
        """
        size = 0 if condition is None else condition.shape[-1]
        if size != self.control_size:
            raise ValueError(
                f"expected a condition of {self.control_size} numbers a step, got {size}"
            )
        return condition


def build(
    config: SequenceModel,
    classes: int | Sequence[int],
    steps: int,
    table: Sequence[Sequence[float]] | None = None,
    end: int | None = None,
    pitches: Sequence[Pitches | None] = (),
    clock: Clock | None = None,
) -> SequenceAutoencoder:
    """Build the model of a preset.

    Args:
        config: the settings.
        classes: number of classes of a step, or of each number of a step.
        steps: steps of a window.
        table: vectors that stand for the classes at the encoder's input [V, D], where it learns
            none; default one-hot ones.
        end: class after which a segment holds only padding (the class one past the last); None
            where all are full.
        pitches: which classes of each number of a step are pitches; for a model that numbers them
            from the chord's root.
        clock: of events that are told by time.
    """
    sizes = (classes,) if isinstance(classes, int) else tuple(classes)
    fixed = None if table is None else torch.tensor(table, dtype=torch.float32)
    encoder = _encoder(config.encoder, _Events(config, sizes, fixed, end), steps, config)
    decoder = _decoder(config.decoder, _Events(config, sizes, None, end, clock), steps, config)
    padding = None if end is None else sizes[0]
    frame = ChordFrame(sizes, pitches) if config.relative_pitch else None
    return SequenceAutoencoder(
        encoder,
        _head(config, encoder, decoder),
        decoder,
        config.latent_size,
        config.control_size,
        padding,
        frame,
        clock,
    )


def _head(config: SequenceModel, encoder: SequenceEncoder, decoder: SequenceDecoder) -> LatentHead:
    """Build what makes a posterior of the encoder's features."""
    if config.latent.kind != "normal":
        kind: LatentKind = registry.load("latents", config.latent.kind)
        head: LatentHead = kind.build(config.latent, encoder.output_size, config.latent_size)
        return head
    if config.spectral and isinstance(decoder, HierarchicalDecoder):
        voices = len(encoder.parts) if isinstance(encoder, SplitEncoder) else 1
        return SpectralHead(encoder.output_size, config.latent_size, decoder.segments, voices)
    return PosteriorHead(encoder.output_size, config.latent_size)


class _Events:
    """Makes the inputs and the likelihoods for events of some sizes."""

    def __init__(
        self,
        config: SequenceModel,
        sizes: Sequence[int],
        table: Tensor | None,
        end: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.likelihood, self.sizes, self.table = config.likelihood, tuple(sizes), table
        self.end, self.clock, self._config = end, clock, config

    def each(self) -> list[_Events]:
        """Return those of each number of an event by itself."""
        return [_Events(self._config, [size], None) for size in self.sizes]

    def input(self, token_size: int | None, silence: bool = False) -> EventInput:
        if self.likelihood.kind == "nade":
            return RollInput(len(self.sizes), silence)
        if self.likelihood.kind == "groove":
            return RollInput(len(self.sizes))
        if self.likelihood.kind == "piano":
            return PianoInput(len(self.sizes), self.sizes[0], token_size)
        parts = [TokenInput(size, token_size, self.table) for size in self.sizes]
        return parts[0] if len(parts) == 1 else JointInput(parts)

    def output(self) -> StepLikelihood:
        if self.likelihood.kind == "nade":
            return Nade(len(self.sizes), self.likelihood.size)
        if self.likelihood.kind == "groove":
            return Groove(len(self.sizes) // 3, **self.likelihood.model_dump(exclude={"kind"}))
        if self.likelihood.kind == "piano":
            weights = self.likelihood.mixtures, self.likelihood.loudness_weight
            return PianoRoll(len(self.sizes), self.sizes[0], *weights)
        return Categorical(self.sizes[0]) if len(self.sizes) == 1 else Joint(self.sizes)


def _encoder(
    settings: EncoderConfig, events: _Events, steps: int, config: SequenceModel
) -> SequenceEncoder:
    if settings.split:
        return SplitEncoder([_encoder_of(settings, part, steps, config) for part in events.each()])
    return _encoder_of(settings, events, steps, config)


def _encoder_of(
    settings: EncoderConfig, events: _Events, steps: int, config: SequenceModel
) -> LstmEncoder | HierarchicalEncoder:
    inputs = events.input(settings.token_size, silence=True)
    more = config.control_size, config.dropout
    if settings.kind == "hierarchical":
        readout, padded = (settings.readout, settings.readout_size), events.end is not None
        form = settings.levels, settings.sizes, *readout
        return HierarchicalEncoder(
            inputs, *form, *more, settings.skip, padded, settings.upper_sizes
        )
    return LstmEncoder(
        inputs, settings.sizes, settings.readout, settings.readout_size, steps, *more
    )


def _decoder(
    settings: DecoderConfig, events: _Events, steps: int, config: SequenceModel
) -> SequenceDecoder:
    if settings.kind == "lstm":
        return _core(settings, events, config.latent_size, steps, config)
    if settings.kind != "hierarchical":
        kind: DecoderKind = registry.load("decoders", settings.kind)
        inputs, likelihood = events.input(getattr(settings, "token_size", None)), events.output()
        decoder: SequenceDecoder = kind.build(
            settings,
            DecoderParts(
                inputs,
                likelihood,
                config.latent_size,
                steps,
                config.control_size,
                config.dropout,
            ),
        )
        return decoder
    segments, length = settings.levels
    return HierarchicalDecoder(
        _core(
            settings,
            events,
            settings.conductor[-1] + settings.conductor_plan * settings.skip,
            length,
            config,
        ),
        config.latent_size,
        segments,
        length,
        settings.conductor,
        plan_size=settings.conductor_plan,
        carry=settings.carry,
        dropout=config.dropout,
        skip=settings.skip,
        spectral=config.spectral,
    )


def _core(
    settings: DecoderConfig, events: _Events, latent_size: int, length: int, config: SequenceModel
) -> LstmDecoder | SplitDecoder:
    """Build the decoder of a sequence, or one for each number of its events."""
    if settings.split:
        return SplitDecoder(
            [_lstm_decoder(settings, part, latent_size, length, config) for part in events.each()]
        )
    return _lstm_decoder(settings, events, latent_size, length, config)


def _lstm_decoder(
    settings: DecoderConfig, events: _Events, latent_size: int, length: int, config: SequenceModel
) -> LstmDecoder:
    return LstmDecoder(
        events.input(settings.token_size),
        events.output(),
        latent_size,
        settings.sizes,
        plan_size=settings.plan_size,
        position_size=settings.position_size,
        length=length,
        control_size=config.control_size,
        dropout=config.dropout,
        latent_input=settings.latent_input,
        end=events.end,
        clock=events.clock,
    )
