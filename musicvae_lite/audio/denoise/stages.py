"""What a denoiser mends, in this order; imports nothing, so that commands can check names first."""

from __future__ import annotations

from collections.abc import Collection

from musicvae_lite.core.errors import UsageError

STAGES = ("crackle", "hum", "noise")


def check_stages(only: Collection[str] | None) -> frozenset[str] | None:
    """Return the stages that are wanted; None: all.

    Raises:
        UsageError: for a name that is none, or no name at all.
    """
    if only is None:
        return None
    unknown = sorted(set(only) - set(STAGES))
    if unknown or not only:
        what = ", ".join(unknown) or "nothing"
        raise UsageError(f"{what} cannot be mended alone; name some of {', '.join(STAGES)}")
    return frozenset(only)
