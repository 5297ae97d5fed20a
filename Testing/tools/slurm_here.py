"""A real Slurm on loopback, for tests: munged, slurmctld and slurmd of this machine, ended with the block.

Needs Debian's packages slurm-wlm and munge, and root (slurmd refuses others).
"""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Optional

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
START_S = 60.0

CONFIGURATION = """
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={control}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=4000 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> Optional[str]:
    """Why Slurm cannot be started here; None if it can."""
    missing = [name for name in PROGRAMS if find(name) is None]
    if missing:
        return f"no {', '.join(missing)} here: apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "slurmd needs root"


def find(name: str) -> Optional[str]:
    """Path of a program, also where only root looks for it."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@contextmanager
def slurm(folder: Path, cores: int) -> Iterator[Path]:
    """Start Slurm; gives its configuration file, for the variable SLURM_CONF.

    Args:
        folder: for its files; the way to it must be short, as sockets have short names.
        cores: that jobs may use together.

    Raises:
        RuntimeError: it does not start; the logs say why.
    """
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host = socket.gethostname().split(".")[0]
    configuration = folder / "slurm.conf"
    ports = dict(zip(("control", "daemon"), _free_ports(2)))
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder, cores=cores, **ports))
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}"]
    munged += [f"--{n}-file={folder}/munged.{n}" for n in ("log", "pid", "seed")]
    commands = (
        munged,
        ["slurmctld", "-D", "-f", str(configuration)],
        ["slurmd", "-D", "-f", str(configuration)],
    )
    started: List[subprocess.Popen] = []
    try:
        for command in commands:
            log = open(folder / f"{command[0]}.out", "wb")  # noqa: SIM115 (the process keeps it)
            program = [find(command[0]) or command[0], *command[1:]]
            started.append(subprocess.Popen(program, stdout=log, stderr=log, env=environment))
            log.close()
            time.sleep(1.0)
        _wait(environment, started, folder)
        yield configuration
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(environment: dict, started: List[subprocess.Popen], folder: Path) -> None:
    began = time.monotonic()
    while time.monotonic() - began < START_S:
        command = [find("sinfo") or "sinfo", "--noheader", "--format=%T"]
        said = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30).stdout
        if said.strip() == "idle":
            return
        if any(process.poll() is not None for process in started):
            break
        time.sleep(1.0)
    logs = [path.read_text(errors="replace")[-600:] for path in sorted(folder.glob("*.out"))]
    logs += [path.read_text(errors="replace")[-600:] for path in sorted(folder.glob("*.log"))]
    raise RuntimeError("Slurm does not start:\n" + "\n".join(logs))


def _free_ports(count: int) -> List[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
