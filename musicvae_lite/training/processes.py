"""The processes that share a run: Lightning Fabric, on one device or several."""

from __future__ import annotations

import atexit
import logging
import os
from typing import TYPE_CHECKING, Literal

import torch

from musicvae_lite.core.devices import keep_freed_memory, resolve_precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric


Precision = Literal["auto", "32", "bf16"]


def start_fabric(precision: Precision, device: torch.device, processes: tuple[int, int]) -> Fabric:
    """Start the processes of a run.

    Args:
        precision: of the settings.
        device: what each runs on.
        processes: on this machine, and number of machines.
    """
    from lightning_fabric import Fabric

    if device.type == "cpu":
        keep_freed_memory()
    for name in ("lightning.fabric", "lightning_fabric"):  # its remarks are for developers
        logging.getLogger(name).setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator=device.type,
        devices=processes[0],
        num_nodes=processes[1],
        precision=resolve_precision(precision, device),
    )
    fabric.launch()
    if fabric.world_size > 1:
        atexit.register(_leave)
    return fabric


def _leave() -> None:
    """Leave the group of processes.

    Fabric does so for GPUs only, and a CPU process may abort where its threads outlive it.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def processes_of(devices: int) -> tuple[int, int]:
    """Return processes on this machine and number of machines; torchrun says so in the
    environment.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return devices, 1
    local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    return local, world // local
