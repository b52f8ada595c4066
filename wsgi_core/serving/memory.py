"""What is there when the server starts is not looked at again, and what a large body takes goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys

_LARGE_BLOCK = 1 << 20
# malloc.h: blocks from so many bytes on are the system's own, and go back to it at once.
_M_MMAP_THRESHOLD = -3


def keep_what_is_loaded() -> None:
    """Have the garbage collector leave alone what there is now.

    Models and modules live as long as the process does. To look through them takes tens of ms each time, in which
    nobody is answered.
    """
    gc.collect()
    gc.freeze()


def return_large_blocks() -> bool:
    """Have the C library keep no large block for later; whether it can be told so, which is glibc's own invention.

    By itself glibc raises the size from which on it does this with each large block that is freed, up to 32 MiB, and
    then every thread keeps what its largest body has needed.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK) == 1
