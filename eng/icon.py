"""Draws eng/icon.png, the packages' icon: lines of a log, the last one being written."""
import struct
import zlib
from pathlib import Path

SIZE = 128
BACK, LINE, LAST, MARK = (24, 32, 48), (120, 190, 255), (255, 255, 255), (255, 176, 59)
LINES = [(26, 84, LINE), (46, 64, LINE), (66, 92, LINE), (86, 44, LAST)]


def colour(x: int, y: int) -> tuple[int, int, int, int]:
    radius = 24
    corner_x, corner_y = max(radius - x, x - (SIZE - 1 - radius), 0), max(radius - y, y - (SIZE - 1 - radius), 0)
    if corner_x**2 + corner_y**2 > radius**2:
        return (0, 0, 0, 0)
    for top, length, paint in LINES:
        if top <= y < top + 10 and 18 <= x < 18 + length:
            return (*paint, 255)
    if 84 <= y < 98 and 68 <= x < 74:
        return (*MARK, 255)
    return (*BACK, 255)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\0" + bytes(v for x in range(SIZE) for v in colour(x, y)) for y in range(SIZE))
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
Path(__file__).with_name("icon.png").write_bytes(png)
