"""Container engine: podman with a store of its own, base images from Debian packages, builds and sizes."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.staging.compose_services import ROOT
from tools.index_settings import read_pip_settings

STAND_INS = Path(__file__).parent / "stand_ins"
BASE = "localhost/dialtree-base"
"""Stands in for the image of Python that the Dockerfile names where no registry can be reached."""
BASE_SUITE, BASE_MIRROR = "trixie", "http://deb.debian.org/debian"
"""Debian 13 has the Python that the Dockerfile's default has: 3.13."""
BASE_PACKAGES = ("python3", "python3-venv", "python-is-python3", "ca-certificates")
LEFT_OUT_PATHS = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
"""What slim images leave out, too."""
PULL_SECONDS, BUILD_SECONDS, COMMAND_SECONDS = 300.0, 1800.0, 120.0
PIP_SETTINGS = ("index-url", "proxy", "trusted-host")
LIMIT_KINDS: Mapping[str, int] = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
MOST_OF_EACH = 8192
"""Open files, and processes, of a container."""
MEGABYTE = 1_000_000


class EngineError(Exception):
    """A command of the engine failed; the message has its last lines."""


@dataclass(frozen=True)
class ContainerEngine:
    """podman with images and containers in a folder of its own."""

    folder: Path

    def write_settings(self) -> None:
        """Write podman's settings: limits this machine allows, and no systemd where there is none.

        runc runs where cgroups of both versions are mounted, which crun refuses.
        """
        limits = [f'"{name}={most}:{most}"' for name, most in permitted_limits().items()]
        runtime = "runc" if shutil.which("runc") else "crun"
        cgroups = "systemd" if Path("/run/systemd/system").exists() else "cgroupfs"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "containers.conf").write_text(
            f"[containers]\ndefault_ulimits = [{', '.join(limits)}]\n"
            f'[engine]\nruntime = "{runtime}"\ncgroup_manager = "{cgroups}"\nevents_logger = "file"\n'
        )
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\n'
            f'graphroot = "{self.folder}/images"\nrunroot = "{self.folder}/run"\n'
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of podman and podman-compose."""
        settings = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
        return os.environ | {name: str(self.folder / file) for name, file in settings.items()}

    def run(
        self, *words: str, program: str = "podman", seconds: float = COMMAND_SECONDS, folder: Path = ROOT
    ) -> str:
        """Run a command of the engine and return what it printed; EngineError when it fails or takes longer."""
        command = [program, *words]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise EngineError(f"{' '.join(command[:4])}: not done after {seconds:g} s") from None
        if done.returncode:
            raise EngineError(f"{' '.join(command[:4])}: {(done.stderr or done.stdout)[-2000:]}")
        return done.stdout.strip()

    def has_image(self, name: str) -> bool:
        """Return whether an image is in the store."""
        return bool(self.run("images", "--quiet", name))

    def prepare_base(self, wanted: str) -> str:
        """Return the base image: the one wanted if it can be pulled, else one made of Debian packages."""
        try:
            self.run("pull", "--quiet", wanted, seconds=PULL_SECONDS)
        except EngineError:
            if not self.has_image(BASE):
                self._make_base()
            return BASE
        return wanted

    def _make_base(self) -> None:
        archive = self.folder / "base.tar"
        excluded = [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT_PATHS]
        packages = f"--include={','.join(BASE_PACKAGES)}"
        source = [BASE_SUITE, str(archive), BASE_MIRROR]
        self.run("--variant=minbase", packages, *excluded, *source, program="mmdebstrap", seconds=BUILD_SECONDS)
        self.run("import", "--quiet", str(archive), BASE)
        archive.unlink()

    def build(self, name: str, context: Path, **arguments: str) -> None:
        """Build an image in the format that keeps HEALTHCHECK; pip reaches the index as it does outside."""
        given = [f"--build-arg={key.upper()}={value}" for key, value in arguments.items() if key != "target"]
        target = [f"--target={arguments['target']}"] if "target" in arguments else []
        self.run(
            *("build", "--format=docker", "--network=host", "--layers", f"--tag={name}"),
            *(*given, *target, *self._pip_mounts(), str(context)),
            seconds=BUILD_SECONDS,
        )

    def _pip_mounts(self) -> list[str]:
        """Return the mounts by which pip in a build reaches the index as pip outside does; not in the image."""
        settings = read_pip_settings((sys.executable, "-m", "pip")) or read_pip_settings(("pip",))
        passed: dict[str, str] = {
            name: settings[name] for name in ("index-url", "proxy", "trusted-host") if name in settings
        }
        mounts = []
        if certificates := settings.get("cert"):
            passed["cert"] = "/run/pip-certificates.pem"
            mounts.append(f"--volume={certificates}:{passed['cert']}:ro")
        file = self.folder / "pip.conf"
        file.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in passed.items()))
        return [*mounts, f"--volume={file}:/etc/pip.conf:ro"]

    def size_megabytes(self, image: str) -> float:
        """Return the size of an image on disk in MB, its base included."""
        return int(self.run("image", "inspect", "--format", "{{.Size}}", image)) / MEGABYTE

    def compressed_megabytes(self, image: str) -> float:
        """Return the size of an image as registries keep and send it in MB: each layer compressed by gzip."""
        copy = self.folder / "compressed"
        shutil.rmtree(copy, ignore_errors=True)
        self.run("push", "--quiet", "--compress", image, f"dir:{copy}", seconds=BUILD_SECONDS)
        size = sum(file.stat().st_size for file in copy.iterdir())
        shutil.rmtree(copy)
        return size / MEGABYTE


def permitted_limits() -> dict[str, int]:
    """Return the limits of containers that this process may set: podman's own may be above what it has."""
    found = {name: resource.getrlimit(kind)[1] for name, kind in LIMIT_KINDS.items()}
    return {name: MOST_OF_EACH if hard < 0 else min(hard, MOST_OF_EACH) for name, hard in found.items()}
