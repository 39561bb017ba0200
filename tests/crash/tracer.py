"""Runs a program, notes how it changes files, and kills it in the midst of one change.

``python -m tests.crash.tracer FOLDER RECORD [WORD AREA N MOMENT] -- COMMAND``: every call that changes something
below FOLDER becomes a line of RECORD, ``WORD AREA<tab>PATH``. The program gets SIGKILL at the N-th call of its kind:
``before`` the call has happened, ``midway`` (a write of which the first half has happened), or ``after`` it, when the
program has not learned of it. Exits as the program does; 128 + 9 when it was killed.

See ptrace(2) and seccomp(2): the filter stops the program at these calls alone, so that it runs at its usual speed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import PurePath
from typing import IO, NoReturn

from tests.crash.calls import WRITING, Call, numbers, recognize

TRACE_ME, CONTINUE, TO_NEXT_STOP = 0, 7, 24
SET_OPTIONS, GET_SYSCALL_INFO = 0x4200, 0x420E
OPTIONS = 0x100000 | 0x80 | 0x10 | 0x8 | 0x4 | 0x2 | 0x1
"""EXITKILL, TRACESECCOMP, TRACEEXEC, TRACECLONE, TRACEVFORK, TRACEFORK, TRACESYSGOOD."""
EVENT_SECCOMP = 7
SYSCALL_STOP = signal.SIGTRAP | 0x80
WAIT_ALL = 0x40000000
SET_SECCOMP, FILTER, NO_NEW_PRIVILEGES = 22, 2, 38
ALLOW, TRACE = 0x7FFF0000, 0x7FF00000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
LONGEST_PATH = 4096
AT_FDCWD = -100

CANNOT_TRACE = 125
CANNOT = (
    "this process may not trace another ({reason}). Crash points need ptrace(2) and seccomp(2): in a container allow "
    "them (docker run --cap-add=SYS_PTRACE --security-opt seccomp=unconfined), outside set kernel.yama.ptrace_scope "
    "to at most 1. CRASH_POINTS=skip leaves these tests out"
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class Instruction(ctypes.Structure):
    """See struct sock_filter in linux/filter.h."""

    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class Program(ctypes.Structure):
    """See struct sock_fprog."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction)))


class Stop(ctypes.Structure):
    """See struct ptrace_syscall_info: the same on every machine."""

    _fields_ = (
        ("op", ctypes.c_uint8), ("pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32), ("ip", ctypes.c_uint64),
        ("sp", ctypes.c_uint64), ("number", ctypes.c_uint64), ("arguments", ctypes.c_uint64 * 6),
        ("data", ctypes.c_uint32),
    )  # fmt: skip


def ptrace(request: int, thread: int, address: int | None = None, data: object = None) -> None:
    """Raises OSError."""
    if _libc.ptrace(request, thread, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def stop_at(wanted: list[int]) -> None:
    """Let this process, and what it becomes, stop for its tracer at the calls with these numbers."""
    last = len(wanted) + 1
    filters = [
        Instruction(LOAD, 0, 0, 0),
        *(Instruction(JUMP_IF_EQUAL, last - at, 0, number) for at, number in enumerate(wanted, 1)),
        Instruction(RETURN, 0, 0, ALLOW),
        Instruction(RETURN, 0, 0, TRACE),
    ]
    program = Program(len(filters), (Instruction * len(filters))(*filters))
    if _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or _libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become(command: list[str], wanted: list[int]) -> NoReturn:
    """Be traced, and become the program."""
    try:
        ptrace(TRACE_ME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        stop_at(wanted)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{CANNOT.format(reason=error.strerror)}\n".encode())
    os._exit(CANNOT_TRACE)


class Thread:
    """A thread that has come to a call, and waits."""

    def __init__(self, number: int):
        self.id = number
        stop = Stop()
        ptrace(GET_SYSCALL_INFO, number, ctypes.sizeof(stop), ctypes.byref(stop))
        self.number = stop.number
        self.arguments = list(stop.arguments)

    def of_descriptor(self, descriptor: int) -> str:
        return os.readlink(f"/proc/{self.id}/fd/{descriptor}")

    def of_name(self, directory: int | None, pointer: int) -> str:
        number = AT_FDCWD if directory is None else ctypes.c_int32(directory).value
        parent = os.readlink(f"/proc/{self.id}/cwd") if number == AT_FDCWD else self.of_descriptor(number)
        return str(PurePath(parent, os.fsdecode(self.memory(pointer, LONGEST_PATH).partition(b"\0")[0])))

    def memory(self, address: int, length: int) -> bytes:
        with open(f"/proc/{self.id}/mem", "rb", buffering=0) as file:
            file.seek(address)
            return file.read(length)

    def write_half(self, at_offset: bool) -> None:
        """Do the first half of the write that it is about to do."""
        descriptor, buffer, length, offset, *_ = self.arguments
        half = self.memory(buffer, length // 2)
        if not at_offset:
            with open(f"/proc/{self.id}/fdinfo/{descriptor}") as file:
                offset = int(file.readline().split()[1])
        own = os.open(f"/proc/{self.id}/fd/{descriptor}", os.O_WRONLY)
        os.pwrite(own, half, offset)
        os.close(own)


class Tracer:
    """Follows all threads of one program."""

    def __init__(self, folder: PurePath, record: IO[str], target: tuple[str, int, str] | None):
        self._folder = folder
        self._record = record
        self._target = target
        self._names = numbers()
        self._seen: Counter[str] = Counter()
        self._known: set[int] = set()
        self._program = 0

    def run(self, command: list[str]) -> int:
        """Run the program to its end; return its exit code."""
        self._program = os.fork()
        if not self._program:
            become(command, list(self._names))
        _, status = os.waitpid(self._program, 0)
        if os.WIFSTOPPED(status):
            self._known.add(self._program)
            ptrace(SET_OPTIONS, self._program, None, OPTIONS)
            ptrace(CONTINUE, self._program)
            status = self._follow()
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def _follow(self) -> int:
        ended = 0
        while True:
            try:
                thread, status = os.waitpid(-1, WAIT_ALL)
            except ChildProcessError:
                return ended
            if os.WIFSTOPPED(status):
                self._answer(thread, status)
            elif thread == self._program:
                ended = status

    def _answer(self, thread: int, status: int) -> None:
        """Let a thread go on that has stopped; one may have died meanwhile, with its process."""
        with suppress(ProcessLookupError, FileNotFoundError):
            request, passed_on = self._judge(thread, status >> 16, os.WSTOPSIG(status))
            ptrace(request, thread, None, passed_on)

    def _judge(self, thread: int, event: int, number: int) -> tuple[int, int]:
        """Return how a thread is to go on, and the signal that it gets."""
        is_new = thread not in self._known
        self._known.add(thread)
        if number == SYSCALL_STOP:
            self._kill()
        elif event == EVENT_SECCOMP:
            return self._at_call(Thread(thread)), 0
        elif not event and not (is_new and number == signal.SIGSTOP):  # a thread begins with a stop of its own
            return CONTINUE, number
        return CONTINUE, 0

    def _at_call(self, thread: Thread) -> int:
        """Note a call, and kill before or midway; return how its thread is to go on."""
        name = self._names[thread.number]
        call = recognize(name, thread.arguments, thread, self._folder)
        if call is None:
            return CONTINUE
        self._seen[call.kind] += 1
        self._note(call)
        if self._target is None or (call.kind, self._seen[call.kind]) != self._target[:2]:
            return CONTINUE
        moment = self._target[2]
        if moment == "after":
            return TO_NEXT_STOP
        if moment == "midway" and call.word == WRITING:
            thread.write_half(at_offset=name == "pwrite64")
        self._kill()
        return CONTINUE

    def _note(self, call: Call) -> None:
        self._record.write(f"{call.kind}\t{call.path}\n")

    def _kill(self) -> None:
        os.kill(self._program, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    at = arguments.index("--")
    folder, record, *point = arguments[:at]
    target = (f"{point[0]} {point[1]}", int(point[2]), point[3]) if point else None
    with open(record, "w") as file:
        return Tracer(PurePath(folder), file, target).run(arguments[at + 1 :])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
