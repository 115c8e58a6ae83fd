"""What all groups of settings are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    WrapValidator,
    model_validator,
)

from musicvae_lite.core import registry


class Settings(BaseModel):
    """Base of every group of settings: no unknown keys, no change after checking, no number that is
    none (NaN, infinity).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _schedules_keep_their_end(cls, tree: Any) -> Any:
        """Let a schedule that is written without shape and end have the end of the default:
        ``{warmup: 2}`` is no other rate.
        """
        if not isinstance(tree, dict):
            return tree
        for key, field in cls.model_fields.items():
            value = tree.get(key)
            if (
                isinstance(field.default, ScheduleSettings)
                and isinstance(value, dict)
                and not value.keys() & {"shape", "end"}
            ):
                tree = {**tree, key: {"end": field.default.end, **value}}
        return tree


class ScheduleSettings(Settings):
    """Arguments of :class:`musicvae_lite.core.objective.Schedule`.

    A plain number stands for a constant.

    ``fraction`` gives the length as a part of the run's steps after the warm-up, in place of
    ``steps``.
    """

    start: float = 0.0
    end: float = 1.0
    steps: int = Field(0, ge=0, le=10**12)
    fraction: float | None = Field(None, gt=0, le=1)
    shape: Literal["constant", "linear", "cosine", "exponential", "cyclic", "inverse-sigmoid"] = (
        "constant"
    )
    rate: float = 0.0
    warmup: int = Field(0, ge=0, le=10**12)

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
        raise ValueError(
            "a schedule is a number or a group of settings such as {shape: linear, end: 0.5, "
            "steps: 1000}"
        ) from None


ScheduleValue = Annotated[ScheduleSettings, BeforeValidator(_number_is_constant)]
#: Units, channels or numbers of a layer. The largest models of Magenta have 2,048.
LARGEST = 65_536
#: Steps, examples or windows; beyond it no float tells one from the next.
MOST = 10**12
Size = Annotated[int, Field(ge=1, le=LARGEST)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Sizes = Annotated[tuple[Size, ...], Field(max_length=64)]


def kind_or(default: str) -> Discriminator:
    """Tell the members of a union apart by their ``kind``; ``default`` where none is given."""

    def kind(value: Any) -> str:
        found = (
            value.get("kind", default)
            if isinstance(value, dict)
            else getattr(value, "kind", default)
        )
        return str(found)

    return Discriminator(kind)


def or_installed(group: str) -> WrapValidator:
    """Let a union of settings take those of another package, too.

    What the package registers under a kind of ``group`` (see :mod:`musicvae_lite.core.registry`)
    names the class of its settings as ``settings``.
    """

    def validate(value: Any, built_in: Callable[[Any], Any]) -> Any:
        kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        if not isinstance(kind, str) or not registry.is_installed(group, kind):
            return built_in(value)
        settings: type[Settings] = registry.load(group, kind).settings
        return settings.model_validate(value.model_dump() if isinstance(value, Settings) else value)

    return WrapValidator(validate)
