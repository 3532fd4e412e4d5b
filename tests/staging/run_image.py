"""Image test: builds the image with podman, runs it confined, then compose.yaml and the manifests with it.

Run as root: python -m tests.staging.run_image FOLDER   (`make image-test`; needs podman, runc, mmdebstrap, ...)
"""

import argparse
import asyncio
import json
import re
import secrets
import shutil
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.deploy_files import DEPLOY, manifests
from tests.staging.compose_services import ROOT
from tests.staging.container_engine import STAND_INS, ContainerEngine, EngineError
from tests.staging.outage_drill import print_step
from tests.support.fakes.twilio_api import FakeTwilio
from tests.support.faults.aggregator_phone import AggregatorPhone, open_http_session
from tests.support.faults.gateway_processes import AUTH_TOKEN, HOOK_TOKEN
from tests.support.server_processes import poll_until, wait_until

IMAGE, PROJECT = "localhost/dialtree", "dialtree-image-test"
COMPRESSED_GOAL_MEGABYTES = 200
PROGRAMS = {
    **{"podman": "podman", "mmdebstrap": "mmdebstrap", "podman-compose": "podman-compose"},
    **{"netavark": "netavark", "aardvark-dns": "aardvark-dns", "runc": "runc"},
}
"""Debian's package of each program."""
PROGRAM_PATH = "/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin:/usr/lib/podman:/usr/libexec/podman"
STORES = {"postgres": "localhost/postgres:16", "redis": "localhost/redis:7"}
PROMETHEUS = "localhost/prom/prometheus:v2.53.2"
"""Images that compose.yaml names; mailbox and Grafana are not among Debian's packages."""
ROLES = {"serve": 9090, "worker": 9190}
START_SECONDS = 180.0
CONFIG = f"""
[operators.orange-ro]
routes = {{sms = ["twilio"]}}
[operators.orange-ro.twilio]
account_sid = "AC0"
auth_token = "{AUTH_TOKEN}"
sender = "+40700000477"
api_url = "http://host.containers.internal:PROVIDER_PORT"
[operators.orange-ro.africastalking]
username = "sandbox"
api_key = "atsk-4f1d0c9a7be25863"
hook_token = "{HOOK_TOKEN}"
"""
CONFINED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
PROBE = (
    "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{port}/{path}', timeout=5).status)"
)
FORBIDDEN_PROGRAMS = ("pip", "gcc", "cc", "curl")


class ImageFaultError(Exception):
    """The image, or what was started from it, is not as it must be."""


def expect(holds: object, what: str) -> None:
    """Raise ImageFaultError unless a condition holds."""
    if not holds:
        raise ImageFaultError(what)


def build_images(engine: ContainerEngine) -> None:
    """Build the gateway's image and the stand-ins for those of the stores and Prometheus."""
    wanted = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
    base = engine.prepare_base(wanted)
    print_step("base", f"{base} in the place of {wanted}" if base != wanted else base)
    engine.build(IMAGE, ROOT, python_image=base, revision="image-test")
    compressed = engine.compressed_megabytes(IMAGE)
    sizes = f"{engine.size_megabytes(IMAGE):.0f} MB on disk, of it base {engine.size_megabytes(base):.0f} MB"
    print_step("built", f"{compressed:.0f} MB compressed; {sizes}")
    expect(compressed < COMPRESSED_GOAL_MEGABYTES, f"{compressed:.0f} MB compressed")
    for name in (*STORES.values(), PROMETHEUS):
        target = name.partition(":")[0].rpartition("/")[2]
        engine.build(name, STAND_INS, base=base, target=target)
    print_step("stand-ins", ", ".join([*STORES.values(), PROMETHEUS]))


def check_confinement(engine: ContainerEngine) -> None:
    """Run the image without any right and look at what it is: user, programs, root file system."""
    run = ("run", "--rm", *CONFINED)
    version = engine.run(*run, IMAGE, "--version")
    found = "; ".join(f"command -v {program}" for program in FORBIDDEN_PROGRAMS)
    shell = f"id -u; touch /opt/x 2>&1; {found}; true"
    told = engine.run(*run, "--entrypoint=sh", IMAGE, "-c", shell).splitlines()
    expect(told[0] == "10001", f"runs as {told[0]}")
    expect("Read-only file system" in told[1] and len(told) == 2, f"not confined: {told}")
    print_step("confined", f"{version}, user 10001, read-only root, without {', '.join(FORBIDDEN_PROGRAMS)}")


@contextmanager
def compose_folder(provider_port: int) -> Iterator[Path]:
    """Make a folder as docs/deploying.md says: compose file, `.env` filled in, an operator in the settings."""
    folder = ROOT / "var" / "image-test"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DEPLOY, folder / "deploy")
    shutil.copy(ROOT / "compose.yaml", folder)
    example = (DEPLOY / "compose.env.example").read_text()
    values = re.sub(r"^(\w+)=$", lambda line: f"{line[0]}{secrets.token_hex(32)}", example, flags=re.MULTILINE)
    (folder / ".env").write_text(re.sub(r"(PUBLIC_URL=).*", r"\1https://gw.example.net", values))
    with (folder / "deploy" / "dialtree.toml").open("a") as settings:
        settings.write(CONFIG.replace("PROVIDER_PORT", str(provider_port)))
    yield folder
    shutil.rmtree(folder)


class ComposeProject:
    """The services of compose.yaml, started by podman-compose."""

    def __init__(self, engine: ContainerEngine, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    def start(self, *services: str) -> None:
        """Start services in the background."""
        words = ("--project-name", PROJECT, "up", "--detach", "--no-build", "--no-recreate", *services)
        self.engine.run(*words, program="podman-compose", seconds=START_SECONDS, folder=self.folder)

    def container(self, service: str) -> str:
        """Return the name of a service's container."""
        return f"{PROJECT}_{service}_1"

    def wait_healthy(self, service: str) -> None:
        """Wait until the health check of a service passes."""
        name = self.container(service)
        wait_until(
            lambda: is_done(self.engine, "healthcheck", "run", name), START_SECONDS, f"{service} healthy"
        )


def is_done(engine: ContainerEngine, *words: str) -> bool:
    """Return whether a command of the engine succeeds."""
    with suppress(EngineError):
        engine.run(*words)
        return True
    return False


def wait_answer(engine: ContainerEngine, container: str, port: int, path: str) -> None:
    """Wait until the internal listener in a container answers 200."""
    command = ("exec", container, "python", "-c", PROBE.format(port=port, path=path))
    wait_until(lambda: is_done(engine, *command), START_SECONDS, f"{container}: {path}")


def start_compose(project: ComposeProject) -> None:
    """Start stores, migration and roles of compose.yaml in the order it demands, and see each answer."""
    project.start(*STORES)
    for store in STORES:
        project.wait_healthy(store)
    print_step("compose", "postgres and redis healthy")
    project.start("upgrade")
    status = project.engine.run("wait", project.container("upgrade"))
    expect(status == "0", project.engine.run("logs", project.container("upgrade"))[-500:])
    print_step("compose", "migrations done")
    project.start(*ROLES, "prometheus")
    for role, port in ROLES.items():
        for path in ("healthz", "readyz"):
            wait_answer(project.engine, project.container(role), port, path)
        print_step("compose", f"{role} answers /healthz and /readyz on port {port}")
    project.wait_healthy("serve")
    print_step("compose", "HEALTHCHECK of the image passes")


async def deliver_reply(provider: FakeTwilio) -> None:
    """Text 477 to the serving container and wait until the worker's SMS reaches the provider."""
    async with open_http_session() as session:
        phone = AggregatorPhone(session)
        taken = await phone.post_text(ServingContainer(), "image-test", "AJUTOR")
        expect(taken is not None, "the text was not taken")

        async def has_message() -> bool:
            return provider.message_count > 0

        await poll_until(has_message, START_SECONDS)


class ServingContainer:
    """The serving container as its callers see it."""

    port = 8080


def check_scrapes(project: ComposeProject) -> None:
    """Wait until Prometheus has scraped both roles by their names of the compose file."""
    query = ("promtool", "query", "instant", "http://127.0.0.1:9090", "sum(up{role=~'serve|worker'})")

    def sees_both() -> bool:
        return "=> 2 " in project.engine.run("exec", project.container("prometheus"), *query)

    wait_until(sees_both, START_SECONDS, "Prometheus sees serve and worker")
    print_step("compose", "Prometheus scrapes serve and worker")


def play_manifests(project: ComposeProject) -> None:
    """Run serve and worker of the Kubernetes manifests as pods, on the stores of the compose project."""
    engine, values = project.engine, dict(read_values(project.folder / ".env"))
    database = f"postgresql://dialtree:{values['POSTGRES_PASSWORD']}@postgres/dialtree"
    given = {"DATABASE_URL": database, "REDIS_URL": "redis://redis:6379/0"}
    secret = given | {"DIALTREE_SECRET_KEY": values["SECRET_KEY"]}
    encoded = {name: b64encode(value.encode()).decode() for name, value in secret.items()}
    (project.folder / "secret.json").write_text(json.dumps(encoded))
    settings = (project.folder / "deploy" / "dialtree.toml").read_text()
    objects = playable_objects(f'public_url = "{values["PUBLIC_URL"]}"\n{settings}')
    (project.folder / "pods.yaml").write_text(yaml.safe_dump_all(objects))
    engine.run("secret", "create", "dialtree", str(project.folder / "secret.json"))
    engine.run("kube", "play", "--network", f"{PROJECT}_default", str(project.folder / "pods.yaml"))
    for role, port in ROLES.items():
        wait_answer(engine, f"dialtree-{role}-pod-0-{role}", port, "readyz")
        print_step("manifests", f"{role}.yaml: the pod is ready")


def read_values(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the variables of an environment file."""
    yield from re.findall(r"^(\w+)=(.*)$", file.read_text(), re.MULTILINE)


def playable_objects(settings: str) -> Iterator[dict[str, Any]]:
    """Yield what podman plays of the manifests: settings and a pod of each role, without ports and probes."""
    for each in manifests():
        if each["kind"] == "ConfigMap":
            yield each | {"data": {"dialtree.toml": settings}}
        if each["kind"] == "Deployment" and each["metadata"]["labels"]["role"] in ROLES:
            each["spec"]["replicas"] = 1
            for container in each["spec"]["template"]["spec"]["containers"]:
                del container["ports"], container["startupProbe"]
                del container["livenessProbe"], container["readinessProbe"]
            yield each


def remove_all(engine: ContainerEngine) -> None:
    """Remove pods, containers, volumes, secrets and the network; images stay."""
    for words in (
        ("pod", "rm", "--force", "--all"),
        ("rm", "--force", "--all", "--time=2"),
        ("volume", "rm", "--force", "--all"),
        ("secret", "rm", "--all"),
        ("network", "rm", "--force", f"{PROJECT}_default"),
    ):
        is_done(engine, *words)


async def run_all(engine: ContainerEngine) -> None:
    """Build, look, and run; each step is printed once it was seen."""
    work = asyncio.to_thread
    await work(build_images, engine)
    await work(check_confinement, engine)
    async with FakeTwilio(host="0.0.0.0") as provider:
        with compose_folder(int(provider.url.rpartition(":")[2])) as folder:
            project = ComposeProject(engine, folder)
            await work(start_compose, project)
            await deliver_reply(provider)
            print_step("compose", "worker: SMS delivered")
            await work(check_scrapes, project)
            await work(play_manifests, project)


def missing_programs(find: Callable[..., str | None] = shutil.which) -> list[str]:
    """Return the Debian packages whose programs are not installed."""
    return [package for program, package in PROGRAMS.items() if not find(program, path=PROGRAM_PATH)]


def main() -> int:
    """Print each step; return 0 when all were seen, 1 for a fault, 2 without an engine."""
    parser = argparse.ArgumentParser(prog="python -m tests.staging.run_image")
    parser.add_argument("folder", type=Path, help="keeps the images between runs")
    engine = ContainerEngine(parser.parse_args().folder.absolute())
    if absent := missing_programs():
        sys.stderr.write(f"NO CONTAINER ENGINE: apt-get install {' '.join(absent)}\n")
        return 2
    engine.write_settings()
    remove_all(engine)
    try:
        asyncio.run(run_all(engine))
    except (EngineError, ImageFaultError, TimeoutError) as fault:
        sys.stderr.write(f"NOT SEEN: {fault}\n")
        return 1
    finally:
        remove_all(engine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
