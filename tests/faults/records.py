"""records.py - what a run has on the disk, read without the program: the chains of its result file and its journals.

The layout of a journal is written down here a second time, so that the program's own reading is checked.
"""
import os
import struct
import zlib

import h5py
import numpy

MARK = b"\x89MMJ\r\n\x1a\n"
BLOCK = 4096
REALS_BEFORE = "loss ergotropy energy purity instability mean_c mean_q loss_by_mean_c loss_by_mean_q gradient_norm"
COUNTS = "iterations evaluations eigen_failures"
REALS_AFTER = "band_error truncation_population"


def record_type(batches):
    fields = [("number", "<i8")]
    fields += [(name, "<i4") for name in ("g_index", "lambda_index", "start")]
    fields += [(name, "<f8", (batches, 2)) for name in ("initial", "final")]
    fields += [(name, "<f8") for name in REALS_BEFORE.split()]
    fields += [(name, "<i8") for name in COUNTS.split()]
    fields += [("status", "<i4")]
    fields += [(name, "<f8") for name in REALS_AFTER.split()]
    fields += [("levels", "<i4"), ("crc32", "<u4")]
    return numpy.dtype(fields)


class Header:
    """The header of a journal from its first bytes; raises ValueError if no copy of it is intact."""

    def __init__(self, data):
        for offset in range(0, len(data), BLOCK):
            if data[offset : offset + 8] != MARK or len(data) - offset < 84:
                continue
            version, copy, size, record_size, fingerprint = struct.unpack_from("<IIQQQ", data, offset + 8)
            body = data[offset : offset + size]
            extent = -(-size // BLOCK) * BLOCK
            if len(body) == size >= 84 and copy < 2 and offset == copy * extent:
                if zlib.crc32(body[:-4]) == struct.unpack("<I", body[-4:])[0]:
                    self.version = version
                    self.fingerprint = struct.pack("<Q", fingerprint)
                    self.record_size = record_size
                    self.first = 2 * extent
                    return
        raise ValueError("no header")


def sound_records(header, data, reference):
    """Records at data whose CRC is right: the numbers of those that are in the reference as they are here, and how
    many are not."""
    size = header.record_size
    count = len(data) // size
    records = numpy.frombuffer(bytes(data[: count * size]), numpy.uint8).reshape(count, size)
    numbers = records[:, :8].copy().view("<i8").reshape(count)
    known = (numbers >= 0) & (numbers < len(reference))
    same = numpy.zeros(count, bool)
    same[known] = (records[known] == reference[numbers[known]]).all(axis=1)
    seed = zlib.crc32(header.fingerprint)
    others = (bytes(record) for record in records[~same])
    wrong = sum(zlib.crc32(record[:-4], seed) == struct.unpack("<I", record[-4:])[0] for record in others)
    return numbers[same], wrong


def read_journal(path, reference):
    """As sound_records, of a whole journal."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        header = Header(data)
    except ValueError:
        return numpy.empty(0, "i8"), 0
    return sound_records(header, data[header.first :], reference)


def read_result(path):
    """The rows of a result file as records, [rows][bytes], and their numbers."""
    with h5py.File(path, "r") as file:
        chains = file["chains"]
        rows = numpy.empty(chains["start"].shape, record_type(file["protocol/qubits"].shape[0]))
        for name in rows.dtype.names:
            if name != "number":
                rows[name] = chains[name][()]
        cells = rows["g_index"].astype("i8") * file["best/lambda"].shape[0] + rows["lambda_index"]
        rows["number"] = cells * starts_of(file.attrs["configuration"]) + rows["start"]
    return rows.view(numpy.uint8).reshape(len(rows), rows.dtype.itemsize), rows["number"].copy()


def compare_result(path, reference):
    """As sound_records, of a result file."""
    records, numbers = read_result(path)
    same = (records == reference[numbers]).all(axis=1)
    return numbers[same], int((~same).sum())


def fingerprint(configuration, version=6):
    """Of a run, from the canonical text of its configuration: FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in struct.pack("<I", version) + configuration.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return struct.pack("<Q", value)


def wrong_checksums(path):
    """How many rows of a result file have another CRC than their values, worked out here."""
    with h5py.File(path, "r") as file:
        seed = zlib.crc32(fingerprint(file.attrs["configuration"]))
    rows = (row.tobytes() for row in read_result(path)[0])
    return sum(zlib.crc32(row[:-4], seed) != struct.unpack("<I", row[-4:])[0] for row in rows)


def starts_of(configuration):
    """Starts of a grid point, from the canonical text of a configuration."""
    line = next(line for line in configuration.splitlines() if line.startswith("starts ="))
    return int(line.split("=")[1])


def datasets(path):
    """{name: bytes} of every dataset of a result file, to be compared with another's."""
    values = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: values.__setitem__(name, (item.dtype.str, item.shape, numpy.asarray(item).tolist()
                            if item.dtype.hasobject else item[()].tobytes()))
            if isinstance(item, h5py.Dataset)
            else None
        )  # fmt: skip
        values["complete"] = int(file.attrs["complete"])
    return values


def journals_of(result):
    folder, name = os.path.split(result)
    return [os.path.join(folder, entry) for entry in sorted(os.listdir(folder)) if entry.startswith(name + ".journal.")]
