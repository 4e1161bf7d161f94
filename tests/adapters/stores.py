"""A store on a real socket that keeps its connections, and says what a test has it say."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

END = b"\r\n\r\n"


@dataclass
class Peer:
    """One connection, as the store sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[bytes] = field(default_factory=list)  # request heads
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self) -> bytes:
        """Read a request's head."""
        self.heard.append(await self.reader.readuntil(END))
        return self.heard[-1]

    async def say(self, said: bytes) -> None:
        self.writer.write(said)
        await self.writer.drain()


Behaves = Callable[[Peer], Awaitable[None]]


@dataclass
class KeepingStore:
    """Where it is, and its connections so far."""

    port: int
    peers: list[Peer] = field(default_factory=list)

    @property
    def heard(self) -> list[int]:
        """How many requests each connection carried."""
        return [len(peer.heard) for peer in self.peers]


@asynccontextmanager
async def keeping(
    behaves: Behaves, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[KeepingStore]:
    """Serve; each connection is closed when `behaves` is done, or what it hears ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        store.peers.append(peer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await behaves(peer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            peer.ended.set()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    store = KeepingStore(server.sockets[0].getsockname()[1])
    async with server:
        try:
            yield store
        finally:
            server.close()
            for peer in store.peers:
                peer.writer.close()
            for peer in store.peers:
                await peer.ended.wait()


def answers(said: bytes) -> Behaves:
    """Say the same to whatever is asked."""

    async def behave(peer: Peer) -> None:
        while True:
            await peer.hear()
            await peer.say(said)

    return behave


def certified(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for these names; give its server's context and a trusting client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, SHA256())
    )
    file = folder / "store.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cafile=str(file))
    return server, client


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
