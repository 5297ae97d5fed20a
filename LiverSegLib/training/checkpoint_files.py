"""Checkpoints on disk: a file is whole, or the one before it stays."""

import os
from pathlib import Path
from typing import Any, Dict, Optional

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from LiverSegLib.errors import write_failure


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it.

    Lightning's own (2.6) writes to the system's folder for temporary files and moves the file from there;
    from another disk that is a copy, which leaves half a file where it is interrupted.
    """

    def save_checkpoint(
        self, checkpoint: Dict[str, Any], path: Any, storage_options: Optional[Any] = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            OutputError: it cannot be written, as on a full disk.
        """
        place = Path(path)
        partial = place.with_name(place.name + ".part")
        try:
            with open(partial, "wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, place)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            raise write_failure(error, place.parent) from error
