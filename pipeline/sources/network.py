"""A network stream as dv-processing's `NetworkWriter` (and dv-gui) serves it, over TCP or a UNIX socket.

On the wire it is an AEDAT 4 recording without its first line and without a table: an IOHeader, then packets, uncompressed or compressed.
That is read here with our own container code rather than with dv's NetworkReader, whose constructor waits for ever, with Python's lock
held, for a peer that says nothing or something else, and which drops whatever arrives beyond 1,000 packets waiting.

A stranger is at the other end: connecting, naming and greeting have time limits, a packet's size is checked when it is announced, memory
grows only with what has arrived, and whatever makes no sense ends the connection. It is tried again for ever, because at a booth the
other program is started later, or again.
"""

import errno
import select
import socket
import threading
import time
from collections import deque
from typing import Any, Self

from pipeline.errors import UserError
from pipeline.events import Events, SourceInfo, join_events
from pipeline.formats.aedat4.container import PACKET_HEADER, Damaged, Stream, decompress, parse_header, unpack_events
from pipeline.sources.base import Intake, Item, Notice, Options
from pipeline.sources.spec import Spec

CONNECT_S = 5.0
GREETING_S = 5.0
"""A server sends its header as soon as it is connected to."""
STALL_S = 5.0
"""A packet that has begun is complete after this, or never will be."""
RETRY_S = 0.5
QUIET_MARGIN_US = 1_000_000
"""A stream that has been silent for this long shows a still scene. Noise is never silent for so long, but a server may stall."""
QUIET_STEP_S = 0.02
MAX_HEADER = 1 << 20
MAX_PACKET = 64 << 20
_READ = 1 << 18


class Unusable(Exception):
    """The connection is of no use; the message is the sentence for the user."""


class NetworkSource:
    """The event stream served at `spec` (kind ``tcp`` or ``unix``). Never fails: it waits for the server, for ever."""

    def __init__(self, spec: Spec, options: Options) -> None:
        self._spec = spec
        self._intake = Intake(spec.text, options)
        self._items: deque[Item] = deque()
        self._peer: Peer | None = None
        self._retry_at = 0.0
        self._told = ""
        self._greeted = False
        self._info: SourceInfo | None = None

    def open(self) -> None:
        """Nothing to take yet: `read` connects."""

    def close(self) -> None:
        """End the connection."""
        if self._peer is not None:
            self._peer.close()

    def command(self, op: str, arguments: dict[str, Any]) -> None:
        """A stream has no transport."""
        raise UserError(f"A network stream cannot {op}: it shows what the other side sends.")

    def fileno(self) -> int | None:
        """The socket, once data may come from it."""
        return self._peer.fileno() if self._peer is not None else None

    def due(self) -> float:
        """Seconds until there is something to do although no data has come."""
        if self._items:
            return 0.0
        if self._peer is None:
            return max(0.0, self._retry_at - time.monotonic())
        return self._peer.due()

    def read(self) -> Item | None:
        """The next thing to tell."""
        if not self._items:
            try:
                self._work()
            except Unusable as error:
                self._lost(str(error))
        return self._items.popleft() if self._items else None

    def _work(self) -> None:
        if self._peer is None:
            if time.monotonic() < self._retry_at:
                return
            self._peer = Peer(self._spec)
            self._greeted = False
        arrived = self._peer.work()
        stream = self._peer.stream
        if stream is None:
            return
        if not self._greeted:
            self._greeted = True
            self._begin(stream)
        events = join_events([admitted for raw in arrived if len(admitted := self._intake.admit(raw))])
        if len(events):
            self._items.append(self._intake.live_packet(events))
        elif (quiet := self._intake.quiet_packet(QUIET_MARGIN_US)) is not None:
            self._items.append(quiet)

    def _begin(self, stream: Stream) -> None:
        """The other side has said what it sends."""
        self._intake.new_scene(stream.width, stream.height)
        title = stream.source or self._spec.text
        info = SourceInfo(self._spec.text, "network", title, stream.width, stream.height, live=True)
        if info != self._info:
            self._info = info
            self._items.append(info)
        self._items.append(Notice("info", "live", f"Receiving {title} from {self._spec.text}."))
        self._told = ""

    def _lost(self, sentence: str) -> None:
        """The connection is over: say so (once), close the window that is open, and try again soon."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None
        self._retry_at = time.monotonic() + RETRY_S
        if sentence == self._told:
            return
        self._told = sentence
        if (last := self._intake.close_window()) is not None:
            self._items.append(last)
        self._items.append(Notice("warning", "waiting", sentence))


class Peer:
    """One connection to a server: finds it, connects, takes its header and its packets apart. Never waits.

    `Unusable` is raised where the connection is of no use (any more).
    """

    def __init__(self, spec: Spec) -> None:
        self.stream: Stream | None = None
        """The event stream, once the server has said what it sends."""
        self._spec = spec
        self._socket: socket.socket | None = None
        self._naming: _Naming | None = None
        self._buffer = bytearray()
        self._connected = False
        self._deadline = time.monotonic() + CONNECT_S

    @classmethod
    def over(cls, spec: Spec, connection: socket.socket) -> Self:
        """A server at the other end of `connection`, which becomes non-blocking."""
        peer = cls(spec)
        connection.setblocking(False)
        peer._socket = connection
        return peer

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()

    def fileno(self) -> int | None:
        """The socket, once data may come."""
        return self._socket.fileno() if self._socket is not None and self._connected else None

    def due(self) -> float:
        """Seconds until `work` should be called although nothing has come."""
        return QUIET_STEP_S

    def work(self) -> list[Events]:
        """What has come since the last call, a step further towards a connection if there is none yet."""
        if not self._connected:
            self._advance()
            return []
        began = len(self._buffer) > 0
        arrived = self._receive()
        events = self._packets() if self._understand() else []
        incomplete = self.stream is None or len(self._buffer) > 0
        if arrived and (events or not began):
            self._deadline = time.monotonic() + STALL_S
        if incomplete and time.monotonic() > self._deadline:
            if self.stream is None:
                raise Unusable(f"{self._spec.text} answers but does not say what it sends: start a dv-processing server there.")
            raise Unusable(f"{self._spec.text} stopped in the middle of a packet: connecting again.")
        return events

    def _advance(self) -> None:
        """Towards a connection: name, then socket."""
        if self._socket is None and (address := self._address()) is not None:
            self._connect(*address)
        if self._socket is not None and select.select([], [self._socket], [], 0)[1]:
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise Unusable(self._refused(OSError(error, "")))
            self._connected = True
            self._deadline = time.monotonic() + GREETING_S
        elif time.monotonic() > self._deadline:
            raise Unusable(f"{self._spec.text} does not answer: check the address and the network; Egret keeps trying.")

    def _address(self) -> tuple[int, Any] | None:
        """Family and address to connect to; None if the name is not found yet."""
        if self._spec.kind == "unix":
            return socket.AF_UNIX, self._spec.path
        if self._naming is None:
            self._naming = _Naming(self._spec.host, self._spec.port)
        return self._naming.result()

    def _connect(self, family: int, address: Any) -> None:
        self._socket = connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        if family != socket.AF_UNIX:
            for option, value in ((socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3)):
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a server whose cable is pulled says nothing
        try:
            connection.connect(address)
        except BlockingIOError:
            pass
        except OSError as error:
            raise Unusable(self._refused(error)) from error
        except ValueError as error:
            raise Unusable(f"{self._spec.text} is not an address ({error}): check it.") from error

    def _refused(self, error: OSError) -> str:
        match error.errno:
            case errno.ECONNREFUSED | errno.ENOENT:
                return f"Nothing serves {self._spec.text} yet: start the server; Egret keeps trying."
            case errno.EACCES | errno.EPERM:
                return f"{self._spec.text} may not be opened: check the permissions of the socket; Egret keeps trying."
        reason = error.strerror or errno.errorcode.get(error.errno or 0, "") or error
        return f"{self._spec.text} cannot be reached ({reason}): check the address; Egret keeps trying."

    def _receive(self) -> bool:
        """Take what has come into the buffer; whether there was anything."""
        assert self._socket is not None
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            if self.stream is None:
                raise Unusable(f"{self._spec.text} hangs up without saying what it sends: start a dv-processing server there.")
            raise Unusable(f"{self._spec.text} has gone: waiting for it to come back.")
        self._buffer += data
        return True

    def _understand(self) -> bool:
        """Whether the header is complete; takes it apart when it is."""
        if self.stream is not None:
            return True
        if len(self._buffer) < 12:
            return False
        size = int.from_bytes(self._buffer[:4], "little")
        if self._buffer[8:12] != b"IOHE" or size > MAX_HEADER:
            raise Unusable(
                f"{self._spec.text} answers, but not with an event stream: check the port, or start a dv-processing server there."
            )
        if len(self._buffer) < 4 + size:
            return False
        try:
            self.stream = parse_header(self._buffer[4 : 4 + size]).event_stream()
        except Damaged:
            raise Unusable(f"{self._spec.text} sends a header that is damaged: connecting again.") from None
        if self.stream is None:
            raise Unusable(f"{self._spec.text} sends no events: let the server send its camera's event stream.")
        del self._buffer[: 4 + size]
        return True

    def _packets(self) -> list[Events]:
        """The event packets that are complete, taken out of the buffer."""
        found: list[Events] = []
        position = 0
        assert self.stream is not None
        while len(self._buffer) - position >= PACKET_HEADER.size:
            stream, size = PACKET_HEADER.unpack_from(self._buffer, position)
            if stream < 0 or not 0 <= size <= MAX_PACKET:
                raise Unusable(f"{self._spec.text} sends packets that make no sense: connecting again.")
            end = position + PACKET_HEADER.size + size
            if len(self._buffer) < end:
                break
            if stream == self.stream.id:
                try:
                    found.append(unpack_events(decompress(self._buffer[position + PACKET_HEADER.size : end], MAX_PACKET)))
                except Damaged:
                    raise Unusable(f"{self._spec.text} sends packets that make no sense: connecting again.") from None
            position = end
        del self._buffer[:position]
        return found


class _Naming:
    """Looks up a host name in a thread of its own, because that may take longer than the heartbeat may stop."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._answer: list[tuple[int, Any]] | OSError | None = None
        self._thread = threading.Thread(target=self._look_up, args=(port,), name="look up host", daemon=True)
        self._thread.start()

    def _look_up(self, port: int) -> None:
        try:
            found = socket.getaddrinfo(self._host, port, type=socket.SOCK_STREAM)
            self._answer = sorted(((family, address) for family, _, _, _, address in found), key=lambda a: a[0] != socket.AF_INET)
        except (OSError, UnicodeError) as error:
            self._answer = error if isinstance(error, OSError) else OSError(str(error))

    def result(self) -> tuple[int, Any] | None:
        """Family and address, IPv4 first as dv serves it; None if it is not known yet."""
        if isinstance(self._answer, OSError) or self._answer == []:
            raise Unusable(f"The computer {self._host} is not known in this network: check the name; Egret keeps trying.")
        return self._answer[0] if self._answer else None
