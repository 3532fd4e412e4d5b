"""Redis deployments: TLS, Sentinel failover, a cluster of three nodes."""

import ssl
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.asyncio import Redis as Client

from flows.domain.failures import Down, Unavailable
from flows.domain.ports import OpenedSession, SessionKey
from storage.sessions.redis_store import RedisSessions
from tests.storage.sessions.test_contract import take_turn
from tests.support.redis_cluster import cluster_url, run_cluster, run_on_node
from tests.support.redis_sessions import build_redis_sessions
from tests.support.server_processes import RedisServer, poll_until, run_server

pytestmark = pytest.mark.redis


def random_key() -> SessionKey:
    return SessionKey(uuid.uuid4().hex[:22], uuid.uuid4().hex[:22])


@pytest.fixture
def key() -> SessionKey:
    return random_key()


def create_certificate(folder: Path) -> tuple[Path, Path]:
    """Create a self-signed certificate for 127.0.0.1 and its key."""
    own = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis under test")])
    now, place = datetime.now(UTC), x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, own.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = builder.add_extension(place, critical=False).sign(own, hashes.SHA256())
    paths = folder / "redis.crt", folder / "redis.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(own.private_bytes(serialization.Encoding.PEM, *private))
    return paths


class TlsRedisServer(RedisServer):
    """A Redis that accepts TLS only."""

    @property
    def certificate(self) -> Path:
        return self.folder / "redis.crt"

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}/0"

    def command_line(self) -> list[str]:
        crt, own = create_certificate(self.folder)
        files = ["--tls-cert-file", str(crt), "--tls-key-file", str(own), "--tls-ca-cert-file", str(crt)]
        doors = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
        return [*super().command_line(), *doors, *files]

    def is_ready(self, pid: int) -> bool:
        """Return whether the server answers over TLS with this pid."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        return self.is_answering(pid, context)


@pytest.fixture
def tls_redis() -> Iterator[TlsRedisServer]:
    with run_server(TlsRedisServer) as server:
        yield server


@pytest.mark.parametrize("named", ["in the URL", "in the environment"])
async def test_rediss_verifies_the_certificate(
    tls_redis: TlsRedisServer, key: SessionKey, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    url = f"{tls_redis.url}?ssl_ca_certs={tls_redis.certificate}"
    if named == "in the environment":
        url = tls_redis.url
        monkeypatch.setenv("SSL_CERT_FILE", str(tls_redis.certificate))
    sessions = build_redis_sessions(url, budget_seconds=5.0)
    await take_turn(sessions, key, "1")
    assert (await sessions.open(key, "1")).status == "replay"
    await sessions.aclose()


@pytest.mark.parametrize("scheme", ["rediss", "redis"])
async def test_an_unknown_certificate_and_plain_speech_are_down(
    tls_redis: TlsRedisServer, key: SessionKey, scheme: str
) -> None:
    sessions = build_redis_sessions(f"{scheme}://127.0.0.1:{tls_redis.port}/0", budget_seconds=5.0)
    with pytest.raises(Down):
        await sessions.open(key, "1")
    await sessions.aclose()


class FailoverSentinel(RedisServer):
    """A sentinel that replaces its master soon after it stops answering."""

    def command_line(self) -> list[str]:
        conf = self.folder / "sentinel.conf"
        rules = (f"monitor bills 127.0.0.1 {self.options[0]} 1", "down-after-milliseconds bills 300")
        conf.write_text("".join(f"sentinel {rule}\n" for rule in (*rules, "failover-timeout bills 3000")))
        binary, *rest = super().command_line()
        return [binary, str(conf), "--sentinel", *rest[: rest.index("--save")]]


async def wait_for_replica(master: RedisServer) -> None:
    """Wait until one replica has everything."""
    async with Client.from_url(master.url) as client:
        await poll_until(lambda: is_replicated(client))


async def is_replicated(client: Client) -> bool:
    return int(await client.wait(1, 100)) >= 1


async def has_candidate(sentinel: RedisServer) -> bool:
    """Return whether the sentinel knows a replica to promote."""
    async with Client.from_url(sentinel.url.removesuffix("/0")) as client:
        return bool(await client.sentinel_slaves("bills"))


async def test_a_failover_by_sentinels_carries_sessions_on(key: SessionKey) -> None:
    with ExitStack() as servers:
        master = servers.enter_context(run_server(RedisServer))
        servers.enter_context(run_server(RedisServer, "--replicaof", "127.0.0.1", str(master.port)))
        sentinel = servers.enter_context(run_server(FailoverSentinel, str(master.port)))
        sessions = build_redis_sessions(f"redis+sentinel://127.0.0.1:{sentinel.port}/bills", budget_seconds=1.0)
        await take_turn(sessions, key, "1", b"at home")
        await wait_for_replica(master)
        await poll_until(lambda: has_candidate(sentinel))
        master.kill()
        opened = await open_when_back(sessions, key, "2")
        assert (opened.status, opened.session) == ("live", b"at home")
        assert await sessions.save(key, opened, "2", b"at bills", b"reply 2")
        assert (await sessions.open(key, "2")).status == "replay"
        await sessions.aclose()


async def open_when_back(sessions: RedisSessions, key: SessionKey, hop: str) -> OpenedSession:
    """Take the first turn the store accepts again; until then it may only raise its declared failure."""
    taken: list[OpenedSession] = []

    async def tried() -> bool:
        try:
            taken.append(await sessions.open(key, hop))
        except Unavailable:
            return False
        return True

    await poll_until(tried, 30)
    return taken[0]


@pytest.fixture
async def cluster() -> AsyncIterator[list[RedisServer]]:
    async with run_cluster() as nodes:
        yield nodes


async def test_a_cluster_of_three_serves_every_session_where_its_tag_is(cluster: list[RedisServer]) -> None:
    sessions = build_redis_sessions(cluster_url(cluster), budget_seconds=5.0)
    await sessions.load_scripts()
    for key in [random_key() for _ in range(40)]:
        await take_turn(sessions, key, "1")
        await take_turn(sessions, key, "2", None)
        assert (await sessions.open(key, "2")).status == "replay"
    await sessions.aclose()
    assert all([int(await run_on_node(node, "DBSIZE")) > 0 for node in cluster])
