"""WebDataset: tar shards whose members share the part of their name before the first dot; each such key is a record."""

from __future__ import annotations

import io
import tarfile

import numpy as np

from embodio.datasets.files.byte_files import ByteFile
from embodio.datasets.records.file_records import FileRecords, content, hash_of
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.files.tables import Array, Table, content_digest
from embodio.datasets.records.files.unpacked import ByteStream, plain_file
from embodio.datasets.records.members import Member, is_member, record_of_members, split_name
from embodio.datasets.records.opening import RecordFormat
from embodio.datasets.records.record import Record
from embodio.datasets.records.settings import RecordSettings, refuse

_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst")
_BLOCK = 512  # bytes, of a tar
_HEADERS = 1 << 15  # bytes that are read for a header; small members lie within them


class TarRecords(FileRecords):
    """Records of tar shards, reached at random by the offsets of their members."""

    kind = "webdataset"

    def _table(self, number: int) -> Table:
        file, packing_problem = plain_file(self.files.file(number))
        members = list[tuple[str, int, int]]()
        problem = packing_problem or _scan(file, members)
        firsts, names, spans = list[int](), bytearray(), list[tuple[int, int, int, int]]()
        last = None
        for name, offset, size in members:
            key, suffix = split_name(name, at_first=True)
            if not is_member(suffix):
                continue
            if key != last:
                firsts.append(len(spans))
                last = key
            encoded = name.encode("utf-8", "surrogateescape")
            spans.append((offset, size, len(names), len(encoded)))
            names += encoded
        arrays: dict[str, Array] = {
            "records": np.array([*firsts, len(spans)], dtype=np.int64),
            "members": np.array(spans, dtype=np.int64).reshape(-1, 4),
            "names": np.frombuffer(bytes(names), dtype=np.uint8),
        }
        if self.settings.duplicates == "drop":
            ends = [*firsts[1:], len(spans)] if firsts else []
            ranges = zip(firsts, ends, strict=True)
            arrays["hashes"] = np.array(
                [hash_of(content(file, [span[:2] for span in spans[a:b]])) for a, b in ranges], dtype=np.int64
            )
        return Table(arrays, content_digest(self.files.file(number)), len(firsts), problem)

    def _file(self, number: int) -> ByteFile:
        return plain_file(super()._file(number))[0]

    def _read(self, number: int, row: int) -> Record:
        arrays = self._tables[number].arrays
        first, end = arrays["records"][row : row + 2].tolist()
        key, members = "", dict[str, Member]()
        for offset, size, begin, length in arrays["members"][first:end].tolist():
            name = arrays["names"][begin : begin + length].tobytes().decode("utf-8", "replace")
            key, suffix = split_name(name, at_first=True)
            member = self._member(number, row, offset, size, name)
            if suffix in members:
                refuse(member.origin, f"a second .{suffix} of the record {key!r}")
            members[suffix] = member
        return record_of_members(key, members, self.settings)

    def _member(self, number: int, row: int, offset: int, size: int, name: str) -> Member:
        origin = self.origin(number, row, f"{name} at byte {offset}")

        return Member(lambda: self._bytes(number, origin, offset, size), origin)


def _scan(file: ByteFile, members: list[tuple[str, int, int]]) -> str:
    """Adds name, offset and size of all members of a tar; returns what is wrong with it, "" for nothing."""
    size, _ = file.stamp()
    if not size:
        return "the tar is empty"
    stream = io.BufferedReader(ByteStream(file), _HEADERS)
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            while member := archive.next():
                end = member.offset_data + member.size
                if end > size:
                    return f"it ends inside {member.name}, at byte {size} instead of {end}"
                if member.isreg() and not member.name.rpartition("/")[2].startswith("."):
                    members.append((member.name.removeprefix("./"), member.offset_data, member.size))
                archive.members = []  # type: ignore[attr-defined]  # which would keep all of them
            end = archive.offset
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        return f"not a tar, or damaged ({error})"
    rest = file.read(end, _BLOCK)
    return "" if not rest.strip(b"\0") else f"there is no header of a tar at byte {end}; what follows is not read"


def _holds(files: FileSet) -> bool:
    return bool(files.with_suffix(*_SUFFIXES))


def _opened(files: FileSet, settings: RecordSettings) -> TarRecords:
    return TarRecords(files.with_suffix(*_SUFFIXES), settings)


READER = RecordFormat("webdataset", "tar shards", _holds, _opened)
