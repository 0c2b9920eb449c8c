"""Sending parcels to a server: in order, one process of a project at a time, each until the server has acknowledged it.

What the server already has, it acknowledges again and records no second time: so a parcel is sent as often as it takes,
and is recorded once. What it refuses as false or malformed is set aside with the reason, and holds up nothing.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from wherefrom.capture.channel import say
from wherefrom.capture.recorder.parcels import list_parcels, read_parcel, sending, set_aside
from wherefrom.client import Sent, ServerBusyError
from wherefrom.errors import (
    ConflictError,
    FormatError,
    NotFoundError,
    SignatureError,
    UnavailableError,
    VerificationError,
    WherefromError,
)
from wherefrom.notes import VerifierKey

MAX_STATEMENTS: Final = 100
MAX_BYTES: Final = 4 << 20
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_OTHERS_PAUSE_S: Final = 0.2
_MAX_IN_A_ROW: Final = 3
_REFUSALS: Final = (FormatError, VerificationError, ConflictError, NotFoundError)


class Post(Protocol):
    """What a sender needs of `wherefrom.client.Client`, which must not try again by itself."""

    @property
    def url(self) -> str: ...

    def send_formatted(self, envelopes: Sequence[bytes], /) -> list[Sent]: ...

    def register_key(self, key: VerifierKey, /) -> object: ...


@dataclass
class Delivery:
    """What came of one round.

    Attributes:
        sent: statements that the server has acknowledged.
        refused: files with what it refused, and the first reason in each.
        left: parcels that were passed over, and why; those behind them were sent.
        error: why the round ended early, None when it did not.
        is_others: nothing was done, since another process sends.
    """

    sent: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)
    left: list[tuple[Path, str]] = field(default_factory=list)
    error: WherefromError | None = None
    is_others: bool = False


class Sender:
    """Sends what waits in one project's outbox. For one thread."""

    def __init__(self, root: str | Path, post: Post, read_key: Callable[[], VerifierKey]) -> None:
        """`read_key`: the key that signs here; the server is told of it once it turns out not to know it."""
        self._root = root
        self._post = post
        self._read_key = read_key
        self._is_registered = False
        self._at_once = MAX_STATEMENTS

    def send(self) -> Delivery:
        """Send all that waits, and what comes meanwhile. Raises OSError: the outbox can't be read or written."""
        with sending(self._root) as is_mine:
            if not is_mine:
                return Delivery(is_others=True)
            delivery, failures = Delivery(), 0
            while parcels := self._choose(delivery):
                try:
                    self._deliver(parcels, delivery)
                    self._at_once, failures = min(2 * self._at_once, MAX_STATEMENTS), 0
                except ServerBusyError as error:
                    # Perhaps it was too much at once for a slow server, or a proxy in front of it.
                    self._at_once = max(1, self._at_once // 2)
                    delivery.error = error
                    return delivery
                except UnavailableError as error:
                    if len(parcels) > 1:  # which of them it is about must be found out
                        self._at_once = 1
                        continue
                    delivery.left.append((parcels[0][0], str(error)))
                    failures += 1
                    if failures == _MAX_IN_A_ROW:
                        delivery.error = error
                        return delivery
                except WherefromError as error:
                    delivery.error = error
                    return delivery
            return delivery

    def _choose(self, delivery: Delivery) -> list[tuple[Path, list[bytes]]]:
        """The next parcels to send together: at least one, if any is there."""
        passed_over = {path for path, _ in delivery.left}
        chosen: list[tuple[Path, list[bytes]]] = []
        count = size = 0
        for path in list_parcels(self._root):
            if path in passed_over:
                continue
            lines = read_parcel(path)
            count, size = count + len(lines), size + sum(map(len, lines))
            if chosen and (count > self._at_once or size > MAX_BYTES):
                break
            chosen.append((path, lines))
        return chosen

    def _deliver(self, parcels: Sequence[tuple[Path, list[bytes]]], delivery: Delivery) -> None:
        """Send parcels, and settle each. Raises what concerns all of them; then all of them wait on."""
        receipts = iter(self._send_lines([line for _, lines in parcels for line in lines]))
        for path, lines in parcels:
            errors = [(line, next(receipts).error) for line in lines]
            waiting = [error for _, error in errors if error and not isinstance(error, _REFUSALS)]
            if waiting:
                delivery.left.append((path, str(waiting[0])))
                continue
            refused = [(line, f"{type(error).__name__}: {error}") for line, error in errors if error]
            if refused:
                delivery.refused.append((set_aside(path, refused), refused[0][1]))
            path.unlink(missing_ok=True)
            delivery.sent += len(lines) - len(refused)

    def _send_lines(self, lines: list[bytes]) -> list[Sent]:
        """One receipt for each envelope, in requests that are not too large."""
        found: list[Sent] = []
        while len(found) < len(lines):
            some: list[bytes] = []
            for line in lines[len(found) : len(found) + self._at_once]:
                if some and sum(map(len, some)) + len(line) > MAX_BYTES:
                    break
                some.append(line)
            found += self._request(some)
        return found

    def _request(self, lines: list[bytes]) -> list[Sent]:
        try:
            receipts = self._post.send_formatted(lines)
        except (FormatError, VerificationError, ConflictError) as error:
            if isinstance(error, SignatureError) and self._register():
                return self._request(lines)
            if len(lines) == 1:
                return [Sent(None, error=error)]
            return [receipt for line in lines for receipt in self._request([line])]
        unknown = [number for number, receipt in enumerate(receipts) if isinstance(receipt.error, SignatureError)]
        if unknown and self._register():
            again = self._request([lines[number] for number in unknown])
            for number, receipt in zip(unknown, again, strict=True):
                receipts[number] = receipt
        return receipts

    def _register(self) -> bool:
        """Tell the server of our key, once. Whether that was done just now."""
        if self._is_registered:
            return False
        self._post.register_key(self._read_key())
        self._is_registered = True
        return True


class Courier:
    """Has a sender send whatever comes into the outbox, in a thread of its own, while this process lives."""

    def __init__(self, sender: Sender, *, url: str) -> None:
        self._sender = sender
        self._url = url
        self._changed = threading.Condition()
        self._is_news = True  # what an earlier process has left
        self._is_ending = False
        self._is_empty = False
        self._said: set[str] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Something was written to the outbox."""
        with self._changed:
            self._is_news = True
            self._changed.notify_all()

    def finish(self, seconds: float) -> bool:
        """Give it so long to send what is left. Whether nothing is left that it could send."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        self._thread.join(seconds)
        return self._is_empty

    def _run(self) -> None:
        failures = 0
        while True:
            with self._changed:
                self._is_news = False
            delivery = self._send()
            self._tell(delivery)
            busy = delivery.is_others or isinstance(delivery.error, ServerBusyError)
            failures = 0 if delivery.error is None else failures + 1
            with self._changed:
                self._is_empty = delivery.error is None and not delivery.is_others and not self._is_news
                if self._is_ending and not busy and not self._is_news:
                    return  # all is sent, or what is left needs somebody to mend something
                self._wait(delivery, failures)

    def _wait(self, delivery: Delivery, failures: int) -> None:
        """Until there is news, or it is time to try again."""
        if delivery.is_others:
            self._changed.wait(_OTHERS_PAUSE_S)
        elif delivery.error is None:
            self._changed.wait_for(lambda: self._is_news or self._is_ending)
        else:
            # News are no reason to ask a server again that is away; that this process wants to end is one.
            asked = delivery.error.retry_after_s if isinstance(delivery.error, ServerBusyError) else None
            longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
            pause = random.uniform(longest / 2, longest) if asked is None else asked  # noqa: S311 - spreads load
            was_ending = self._is_ending
            self._changed.wait_for(lambda: self._is_ending and not was_ending, pause)

    def _send(self) -> Delivery:
        try:
            return self._sender.send()
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it; statements wait
            return Delivery(error=UnavailableError(f"{type(error).__name__}: {error}"))

    def _tell(self, delivery: Delivery) -> None:
        """Say each trouble once."""
        for path, reason in delivery.refused:
            self._say(f"the server refused what is now in '{path}': {reason}", key=reason)
        for path, reason in delivery.left:
            self._say(f"'{path}' waits: {reason}", key=reason)
        if error := delivery.error:
            where = "" if self._url in str(error) else f" {self._url}"
            hint = f" ({error.hint})" if error.hint and not isinstance(error, ServerBusyError) else ""
            waits = "statements wait in the outbox, and are sent later (`wherefrom outbox` shows them)"
            self._say(f"nothing can be sent to the server{where} now: {error}{hint}; {waits}", key=type(error).__name__)

    def _say(self, text: str, *, key: str) -> None:
        if key not in self._said and len(self._said) < 10:
            self._said.add(key)
            say(f"warning: {text}")


def send_patiently(sender: Sender, *, seconds: float) -> Delivery:
    """One round, as soon as no other process sends; when that takes longer than `seconds`, none."""
    deadline = time.monotonic() + seconds
    while (delivery := sender.send()).is_others and time.monotonic() < deadline:
        time.sleep(_OTHERS_PAUSE_S)
    return delivery
