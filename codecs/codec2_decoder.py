"""A process that decodes one clip of Codec 2: packets on standard input, 16-bit samples on standard output.

    python -P codec2_decoder.py MODE BYTES_A_PACKET

Started by `codec2.py`, which says why. It imports nothing of codeczoo, to start fast.
"""

from __future__ import annotations

import importlib
import sys


def main(mode: int, packet_bytes: int) -> None:
    package = importlib.import_module("pycodec2")  # a compiled class, which type checkers do not see in an import
    codec2 = package.Codec2(mode)
    while packet := sys.stdin.buffer.read(packet_bytes):
        sys.stdout.buffer.write(codec2.decode(packet).tobytes())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
