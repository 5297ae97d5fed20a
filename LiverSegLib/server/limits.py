"""How much a server takes on: sizes, times, and how many runs wait."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of one server.

    Attributes:
        runs: most runs that wait, are sent or are computed at a time.
        upload_bytes: most bytes of one scan as it is sent, compressed.
        voxels: most voxels of one scan.
        upload_s: longest time (seconds) in which a scan must be here.
        run_s: longest time (seconds) that a run may compute.
        lease_s: a run that nobody has asked for so long (seconds) is cancelled and removed.
        request_s: longest time (seconds) in which the head of a request must be here.
        connections: most connections at a time.
    """

    runs: int = 16
    upload_bytes: int = 1 << 30
    voxels: int = 512 * 512 * 2000
    upload_s: float = 300.0
    run_s: float = 1800.0
    lease_s: float = 60.0
    request_s: float = 20.0
    connections: int = 256
