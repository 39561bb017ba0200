"""One job on its way: from the first request, through answers good and bad, to its outcome."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from http import HTTPStatus
from typing import Any

import pycurl

from core.errors import ELSEWHERE, FailureKind
from core.http import REDIRECTS, same_origin
from core.logs import redact_secrets
from core.pieces import Pieces
from core.text import display
from core.transfer.base import Job, Outcome
from core.transfer.request import Handle, Target
from core.transfer.response import Failure, Head, break_words, curl_failure, parse_head, status_failure
from core.transfer.sink import NameRefused, Sink
from core.transfer.writers import Writers
from core.urls import Reach, RedirectRefused, follow, host_key, less_reach, reach, same_host

ABORT = 0
"""What the body's callback returns to make curl end the request."""
USELESS_CHUNKS = 8
"""How much of a body that is not wanted is read all the same, so that the connection can be used again."""
LEAST_PIECE = 128
"""Bytes of the pieces of a body that cost other hosts less than can be measured."""
FREE_PIECES = 50_000
"""Pieces of a body that may be smaller: some tenths of a second of work."""
NOT_AN_ANSWER = frozenset({pycurl.E_FTP_WEIRD_SERVER_REPLY, pycurl.E_UNSUPPORTED_PROTOCOL})
"""What curl says where a status line should be: 8, no such line (whatever the protocol); 1, HTTP/0.9."""
WHOLE = Head(HTTPStatus.OK)
"""The head of a small file that came as it is listed: what else it says changes nothing, and takes time to read."""
NOT_A_FILE = frozenset({errno.EISDIR, errno.ELOOP})
LATER = frozenset({408, 425, 429})
"""Statuses below 500 that refuse for now, whatever was asked for."""


class Next(Enum):
    """What the transport has to do with a fetch."""

    REQUEST = "request"
    WAIT = "wait"
    END = "end"


class Fetch:
    """The state of one job. All methods are called in the network's thread.

    `next` tells what to do; `on_head` and `on_body` are curl's callbacks while a request runs, and
    `answered` is told how it ended. `admit` asks for leave to take so many bytes now (the bandwidth bound);
    `stirred` is called by the writers' threads when the sink has got on.
    """

    def __init__(
        self, job: Job, writers: Writers, stirred: Callable[[Fetch], None], admit: Callable[[Fetch, int], bool]
    ):
        self.job = job
        self.sink = Sink(job, writers, lambda: stirred(self))
        self.handle: Handle | None = None
        """The handle of the request that runs."""
        self.paused = False
        self.starved = False
        """Paused by the bandwidth bound, not by the disk."""
        self.received = 0
        """Bytes of the file in hand, those of an earlier try included."""
        self.validator: str | None = None
        self._admit = admit
        self._url = job.url
        self._hops = 0
        self._least = Reach.LINK
        self._fresh = job.fresh
        self._fetched = 0
        self._failure: Failure | None = None
        self._stopped = False
        self._ending = False
        self._cleaned = False
        self._begun = False
        self._begin_request(0)

    def _begin(self) -> None:
        self._begun = True
        known = self.job.validator is not None and self.job.digest is not None
        if known and 0 < self.job.offset <= self.job.size:
            self.validator = self.job.validator
            self.sink.prepare(self.job.offset)

    def _begin_request(self, offset: int) -> None:
        self._offset = offset
        self.received = self.sink.written
        self._lines: list[bytes] = []
        self._pieces: list[bytes] = []
        self._head: Head | None = None
        self._useful = False
        self._whole = False
        self._useless_chunks = 0
        self._watched = Pieces(LEAST_PIECE, FREE_PIECES)
        self._in_crumbs: str | None = None
        self._bug: Exception | None = None
        self._plain = False
        self.on_head = self._lines.append
        self.on_body: Callable[[bytes], int | None] = self._take_guarded

    # What the transport asks and tells.

    def next(self) -> Next:
        """Return what to do now that no request runs."""
        if not self._begun:
            self._begin()
        if not self._ending and self.sink.idle and (self._stopped or self.sink.error is not None):
            self._end()
        if not self.sink.idle:
            return Next.WAIT
        if not self._ending:
            self._begin_request(0 if self._cleaned else self.sink.written)
            return Next.REQUEST
        self._judge_file()
        if not self._deserves_clean_fetch():
            return Next.END
        self._from_zero()
        return self.next()

    def target(self, bounded: bool) -> Target:
        """Return the request to make; `bounded` tells that leave has to be asked for every piece of the body."""
        job = self.job
        if self._url is job.url and job.plain and not (bounded or self._offset):
            # A callback of our own for the body would cost more than the rest.
            self._plain = True
            self.on_body = self._pieces.append
            return Target(job.url, job.access, plain=True, fresh=self._fresh)
        own = self._url is job.url or same_origin(self._url, job.url)
        return Target(self._url, job.access, self._offset, job.validator, own, self._least, fresh=self._fresh)

    def stop(self) -> None:
        """Give up: what came is kept. A file whose body is already whole is completed all the same."""
        self._stopped = self.sink.stopped = True

    def answered(self, code: int, message: str, easy: Any) -> None:
        """The request has ended with curl's `code` and `message`."""
        if self._plain:
            self._read_plain(code, easy)
        elif self._head is None and self._head_ended(code):
            self._read_head()
        if self._bug is not None:
            raise self._bug
        if self.sink.error is not None:
            self._end()
        elif self._head is None and not self._fresh and _out_of_step(code, easy):
            self._fresh = True
        elif self._head is None:
            self._judge_silence(code, message, easy)
        elif self._useful:
            self._judge_body(self._head, code)
        elif self._head.status in REDIRECTS and "location" in self._head.fields:
            self._redirect(self._head.fields["location"], easy)
        else:
            self._judge_status(self._head)

    def outcome(self) -> Outcome:
        """Return how the job ended."""
        failure = self._failure
        unfinished = failure is not None or not self._whole
        return Outcome(
            self.job.id,
            kind=None if failure is None else failure.kind,
            detail="" if failure is None else display(redact_secrets(failure.detail)),
            size=self._seen_size(),
            digest=self.sink.digest if self._whole else None,
            blake3=self.sink.blake3 if self._whole and failure is None else None,
            ctime=self.sink.ctime if self._whole and failure is None else None,
            kept=self._kept if unfinished and self.validator is not None else 0,
            validator=self.validator,
            resumed=self._offset > 0 and (self._useful or self._whole),
            fetched=self._fetched,
            retry_after=None if failure is None else failure.retry_after,
            elsewhere=self._elsewhere,
            stopped=self._stopped and failure is None and not self._whole,
        )

    # The answer.

    def _read_plain(self, code: int, easy: Any) -> None:
        """Take the answer to a plain request, in hindsight; of one that broke off, what came may be half a head."""
        received = sum(map(len, self._pieces))
        if code == pycurl.E_OK and received == self.job.size and easy.getinfo(pycurl.RESPONSE_CODE) == HTTPStatus.OK:
            self._use_head(WHOLE)
        elif self._pieces or code == pycurl.E_FILESIZE_EXCEEDED or self._head_ended(code):
            self._read_head()
        if self._useful:
            self.received = self._fetched = received
            if self.received <= self.job.size:
                self.sink.take(b"".join(self._pieces))

    def _take_guarded(self, chunk: bytes) -> int | None:
        """Take a piece of the body, as curl's write callback."""
        try:
            return self._take(chunk)
        except Exception as bug:  # curl would swallow it; `answered` raises it again
            self._bug = bug
            return ABORT

    def _take(self, chunk: bytes) -> int | None:
        if self._head is None:
            self._read_head()
        if not self._useful:
            self._useless_chunks += 1
            return ABORT if self._useless_chunks > USELESS_CHUNKS else None
        if self.sink.error is not None or self._announced_too_long():
            return ABORT
        count = len(chunk)
        self.starved = False
        self.paused = self.sink.full
        if not self.paused:
            self.paused = self.starved = not self._admit(self, count)
        if self.paused:
            return int(pycurl.WRITEFUNC_PAUSE)
        self.received += count
        self._fetched += count
        self._in_crumbs = self._watched.add(count)
        if self.received > self.job.size or self._in_crumbs is not None:
            return ABORT
        self.sink.take(chunk)
        return None

    def _head_ended(self, code: int) -> bool:
        """Tell whether a whole head has come, though no body."""
        return code == pycurl.E_OK or self._lines[-1:] in ([b"\r\n"], [b"\n"])

    def _read_head(self) -> None:
        self._use_head(parse_head(self._lines))

    def _use_head(self, head: Head) -> None:
        self._head = head
        if head.status == 200:
            if self.received:
                self.sink.discard()
                self._offset = self.received = 0
            self.validator = None if self.job.digest is None else head.validator
            self._useful = True
        elif head.status == 206:
            self._useful = self._offset > 0 and self._continued_by(head)

    def _continued_by(self, head: Head) -> bool:
        """Tell whether this 206 is the rest of the file in hand."""
        confirmed = self.validator is not None and head.confirms(self.validator)
        return confirmed and head.continues(self._offset, self.job.size)

    def _announced_too_long(self) -> bool:
        return self._head is not None and self._head.status == 200 and (self._head.length or 0) > self.job.size

    # Judgement.

    def _judge_body(self, head: Head, code: int) -> None:
        size = self.job.size
        if code == pycurl.E_FILESIZE_EXCEEDED or self._announced_too_long() or self.received > size:
            self._fail(Failure(FailureKind.INTEGRITY, f"longer than the {size} bytes listed{_encoding_words(head)}"))
        elif self._in_crumbs is not None:
            self._fail_in_crumbs(self._in_crumbs)
        elif (code == pycurl.E_OK and (head.framed or self.received == size)) or self._proven_by_digest():
            self._finish()
        elif code == pycurl.E_OPERATION_TIMEDOUT:
            access = self.job.access
            words = f"stalled: less than {access.min_rate} B/s for {access.stall_seconds:g} s"
            self._fail(Failure(FailureKind.TRANSIENT, f"{words} {break_words(self.received, size)}"))
        else:
            words = f"the connection broke {break_words(self.received, size)}"
            self._fail(Failure(FailureKind.TRANSIENT, words))

    def _fail_in_crumbs(self, words: str) -> None:
        """Fail without any progress: else what came would count as some, and the host as one that works."""
        if not self.job.offset:
            self.validator = None
        self._fail(Failure(FailureKind.TRANSIENT, words))

    def _proven_by_digest(self) -> bool:
        """Tell whether the body, though not ended well, has all its bytes and a digest to prove them."""
        return self.received == self.job.size > 0 and self.job.digest is not None

    def _judge_status(self, head: Head) -> None:
        failure = status_failure(head)
        later = failure.retry_after or head.status in LATER
        if head.status == 416 and self._offset == self.job.size > 0:
            self._finish()
        elif not later and self._blames_range(at_once=head.status < 500):
            self._ask_for_all()
        else:
            self._fail(failure)

    def _judge_silence(self, code: int, message: str, easy: Any) -> None:
        asked = easy.getinfo(pycurl.REQUEST_SIZE) > 0
        if asked and self._blames_range(at_once=False):
            self._ask_for_all()
        else:
            self._fail(_no_answer(code, message, easy, asked, self._least))

    def _blames_range(self, at_once: bool) -> bool:
        """Tell whether the Range may be what was refused; not `at_once`: only if the last try brought nothing either.

        Some firewalls, caches and old servers refuse each, in any way, and would send the file as a whole.
        """
        return self._offset > 0 and not self._cleaned and (at_once or self.job.stuck)

    def _redirect(self, location: str, easy: Any) -> None:
        self._hops += 1
        try:
            self._url = follow(self._url, location, self._hops)
        except RedirectRefused as error:
            self._fail(Failure(FailureKind.UNSAFE, str(error)))
        else:
            address = easy.getinfo(pycurl.PRIMARY_IP)
            self._least = max(self._least, reach(address) if address else Reach.LINK)

    def _judge_file(self) -> None:
        """Judge what the sink made of a whole body."""
        if self.sink.error is not None:
            self._whole = False
            self._failure = _disk_failure(self.sink.error, self.job.size)
        elif self._whole and self._failure is None:
            self._failure = self._mismatch()

    def _mismatch(self) -> Failure | None:
        job = self.job
        encoded = "" if self._head is None else _encoding_words(self._head)
        wanted = "accepted was" if job.accepted else "the index says"
        if self.received != job.size:
            words = f"{self.received} bytes, {wanted} {job.size}{encoded}"
        elif job.digest not in {None, self.sink.digest}:
            words = f"MD5 is {self.sink.digest}, {wanted} {job.digest}{encoded}"
        else:
            return None
        return Failure(FailureKind.INTEGRITY, words)

    @property
    def _elsewhere(self) -> bool:
        """True if the server has redirected to another host, which has to answer."""
        return self._hops > 0 and not same_host(self._url, self.job.url)

    @property
    def _kept(self) -> int:
        """Bytes to be continued."""
        return self.sink.kept if self._in_crumbs is None else min(self.sink.kept, self.job.offset)

    def _seen_size(self) -> int | None:
        if self._whole:
            return self.received
        return self._head.length if self._head is not None and self._announced_too_long() else None

    # The end, or another beginning.

    def _finish(self) -> None:
        self._whole = self._ending = True
        self.sink.finish()

    def _fail(self, failure: Failure) -> None:
        if self._elsewhere:
            # what another host refuses says nothing of the mirror's own: it is this file's trouble alone
            kind = ELSEWHERE.get(failure.kind, failure.kind)
            failure = replace(failure, kind=kind, detail=f"{failure.detail} (redirected to {host_key(self._url)})")
        self._failure = failure
        self._end()

    def _end(self) -> None:
        self._ending = True
        wrong = self._failure is not None and self._failure.kind is FailureKind.INTEGRITY
        if wrong or self.validator is None:
            self.sink.discard()
        else:
            self.sink.keep()

    def _deserves_clean_fetch(self) -> bool:
        """Tell whether the failure may come from what was on disk before."""
        wrong = self._failure is not None and self._failure.kind is FailureKind.INTEGRITY
        return wrong and self._offset > 0 and not self._cleaned and not self._stopped

    def _ask_for_all(self) -> None:
        """Ask once more, without a Range. What is on disk goes when the whole file comes, not before."""
        self._cleaned = self._fresh = True
        self._url, self._hops, self._least = self.job.url, 0, Reach.LINK

    def _from_zero(self) -> None:
        self._ask_for_all()
        self._ending = self._whole = False
        self._failure = None
        self.validator = None
        self.sink.discard()


def _out_of_step(code: int, easy: Any) -> bool:
    """Tell whether what came was the rest of an earlier answer: it says nothing of the host, another connection may."""
    return code in NOT_AN_ANSWER and easy.getinfo(pycurl.NUM_CONNECTS) == 0


def _no_answer(code: int, message: str, easy: Any, asked: bool, least: Reach) -> Failure:
    if code == pycurl.E_ABORTED_BY_CALLBACK:
        return Failure(FailureKind.UNSAFE, less_reach(least))
    return curl_failure(code, message, easy.getinfo(pycurl.OS_ERRNO), asked)


def _disk_failure(error: Exception, size: int) -> Failure:
    if not isinstance(error, OSError):
        raise error
    words = (os.strerror(error.errno) if error.errno else str(error)).lower()
    if isinstance(error, NameRefused):
        return Failure(FailureKind.UNSAFE, f"this destination can't hold a file of this name: {words}")
    if error.errno == errno.EFBIG:
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if 0 <= limit < size:
            words = f"the file has {size} bytes, and this process may write {limit} to one"
            return Failure(FailureKind.DISK, f"{words}: raise its limit on file sizes (`ulimit -f`, LimitFSIZE)")
        return Failure(FailureKind.UNSAFE, f"this destination can't hold a file of {size} bytes: {words}")
    if error.errno in NOT_A_FILE:
        return Failure(FailureKind.UNSAFE, f"the file cannot have this name: {words}")
    return Failure(FailureKind.DISK, f"the file cannot be written: {words}")


def _encoding_words(head: Head) -> str:
    return (
        "" if head.encoding is None else f" (sent with Content-Encoding {head.encoding}, though identity was asked for)"
    )
