"""slurm_cluster.py - a Slurm cluster of one node, this machine, by itself, as long as a test lasts."""
import os
import shutil
import signal
import socket
import subprocess
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "squeue", "sinfo")
TIMEOUT = 180  # seconds for whatever the cluster is asked
PATIENCE = 20  # seconds for jobs to end when the cluster does

CONFIGURATION = """
ClusterName=micromaser
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=5
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=main Nodes=ALL Default=YES OverSubscribe=FORCE:8
"""


def lacks():
    """Why a cluster cannot be started here; "" if it can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: slurm-wlm, munge)"
    return "" if os.geteuid() == 0 else "only root can start Slurm's node daemon"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Use it in a `with`: it ends with the block, its jobs as well."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.host = socket.gethostname().split(".")[0]
        self.daemons = []
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "OMPI_", "PMI"))
        }
        self.environment["SLURM_CONF"] = f"{self.folder}/slurm.conf"

    def __enter__(self):
        try:
            self.configure()
            self.begin("munged", "--foreground", "--force", f"--socket={self.folder}/run/munge.socket",
                       f"--key-file={self.folder}/munge/key", f"--pid-file={self.folder}/run/munged.pid",
                       f"--log-file={self.folder}/munge/log", f"--seed-file={self.folder}/munge/seed")  # fmt: skip
            self.wait_until(lambda: os.path.exists(f"{self.folder}/run/munge.socket"), "munged")
            self.begin("slurmctld", "-D", "-i")
            self.begin("slurmd", "-D", "-N", self.host)
            self.wait_until(lambda: self.ask("sinfo", "-h", "-o", "%T", check=False).strip() == "idle", "the node")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if len(self.daemons) == 3:
                self.end_jobs()
        finally:
            self.end_steps()
            for daemon in self.daemons[1:] + self.daemons[:1]:  # all need munged, the first
                daemon.terminate()
                try:
                    daemon.wait(timeout=PATIENCE)
                except subprocess.TimeoutExpired:  # there is nothing that it should save
                    daemon.kill()
                    daemon.wait(timeout=TIMEOUT)

    def end_jobs(self):
        """Slurm's own helpers of a job wait for ever for a controller that ended before them."""
        for job in {job.split("_")[0] for job, *_ in self.jobs()}:
            self.ask("scancel", job, check=False)
        deadline = time.monotonic() + PATIENCE
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.2)

    def end_steps(self):
        """Kills what is left of this cluster's jobs: their helpers and processes have its configuration's name."""
        mark = f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    ours = mark in file.read().split(b"\0")
                if ours and int(entry) not in [daemon.pid for daemon in self.daemons]:
                    os.kill(int(entry), signal.SIGKILL)
            except OSError:
                pass  # it ended meanwhile

    def configure(self):
        for name in ("run", "log", "spool", "state", "munge"):
            os.makedirs(f"{self.folder}/{name}", mode=0o755)
        os.chmod(f"{self.folder}/munge", 0o700)
        with open(f"{self.folder}/munge/key", "wb") as key:
            os.fchmod(key.fileno(), 0o400)
            key.write(os.urandom(128))
        controller_port, node_port = free_ports(2)
        with open(self.environment["SLURM_CONF"], "w") as file:
            file.write(CONFIGURATION.format(host=self.host, user="root", folder=self.folder, node_port=node_port,
                                            controller_port=controller_port))  # fmt: skip

    def begin(self, *command):
        log = open(f"{self.folder}/{command[0]}.out", "wb")
        self.daemons.append(
            subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        )
        log.close()

    def wait_until(self, condition, what, seconds=TIMEOUT):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.1)

    def ask(self, *command, check=True, **variables):
        """Standard output of a command of Slurm."""
        result = subprocess.run(command, env={**self.environment, **variables}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)  # fmt: skip
        assert not check or result.returncode == 0, f"{command}: exit {result.returncode}: {result.stderr}"
        return result.stdout

    def submit(self, *arguments, **variables):
        """Submits a batch script; its job's number."""
        return self.ask("sbatch", "--parsable", *arguments, **variables).strip()

    def jobs(self):
        """Jobs that are not over: [(number with place in the array, state, reason)]."""
        lines = self.ask("squeue", "-h", "-r", "-o", "%i %T %r").splitlines()
        return [tuple(line.split(None, 2)) for line in lines]
