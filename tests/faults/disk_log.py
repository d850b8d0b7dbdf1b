"""disk_log.py - what fault_injector.c wrote down: which chains were committed, and what a power loss would leave."""
import os
import struct

from records import Header, sound_records

ENTRY = struct.Struct("<IiQQqIIQ")
PAGE = 4096


class Call:
    """One call that changed, or failed to change, a file."""

    __slots__ = ("kind", "failure", "number", "inode", "offset", "path", "other", "data")

    def __init__(self, log, at):
        kind, self.failure, self.number, self.inode, self.offset, first, second, size = ENTRY.unpack_from(log, at)
        self.kind = chr(kind)
        at += ENTRY.size
        self.path = os.path.normpath(os.fsdecode(bytes(log[at : at + first])))
        self.other = os.path.normpath(os.fsdecode(bytes(log[at + first : at + first + second])))
        self.data = log[at + first + second : at + first + second + size]

    def end(self, log, at):
        first, second, size = ENTRY.unpack_from(log, at)[5:]
        return at + ENTRY.size + first + second + size


def read_log(path):
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        log = memoryview(file.read())
    calls = []
    at = 0
    while at + ENTRY.size <= len(log) and at + ENTRY.size + sum(ENTRY.unpack_from(log, at)[5:]) <= len(log):
        call = Call(log, at)
        at = call.end(log, at)
        calls.append(call)
    return calls


class File:
    """A file in the page cache and on the disk: what was synced, and which pages were changed since."""

    def __init__(self, content=b""):
        self.current = bytearray(content)
        self.durable = bytearray(content)
        self.dirty = set()
        self.header = None
        self.counted = 0  # bytes of a journal whose records were counted as committed

    def write(self, offset, data):
        end = offset + len(data)
        if end > len(self.current):
            self.current.extend(bytes(end - len(self.current)))
        self.current[offset:end] = data
        self.dirty.update(range(offset // PAGE, -(-end // PAGE)))

    def truncate(self, size):
        self.counted = min(self.counted, size)
        if size < len(self.current):
            del self.current[size:]
        else:
            self.current.extend(bytes(size - len(self.current)))

    def sync(self):
        self._keep(self.durable, self.dirty, len(self.current))
        self.dirty.clear()

    def fail_to_sync(self, random):
        """The system takes the pages for clean, whether they were written or not."""
        kept = {page for page in self.dirty if random.random() < 0.5}
        self._keep(self.durable, kept, random.choice((len(self.durable), len(self.current))))
        self.dirty.clear()

    def after_power_loss(self, random):
        content = bytearray(self.durable)
        kept = {page for page in self.dirty if random.random() < 0.5}
        self._keep(content, kept, random.choice((len(self.durable), len(self.current))))
        return content

    def _keep(self, content, pages, size):
        content.extend(bytes(max(0, len(self.current) - len(content))))
        for page in pages:
            piece = self.current[page * PAGE : (page + 1) * PAGE]
            content[page * PAGE : page * PAGE + len(piece)] = piece
        if size < len(content):
            del content[size:]
        else:
            content.extend(bytes(size - len(content)))


class Disk:
    """A folder on a disk, as its calls go by."""

    def __init__(self, folder, reference, random):
        """All that lies in the folder now is on the disk. The chains of the run are known, see records.py."""
        self.folder = folder
        self.reference = reference
        self.random = random
        self.files = {}  # by inode
        self.names = {}
        for entry in os.scandir(folder):
            with open(entry.path, "rb") as file:
                self.files[entry.inode()] = self.names[entry.path] = File(file.read())
        self.durable_names = dict(self.names)
        self.changes = []  # of names, not synced: lists of (path, file or None)
        self.committed = set()  # chains in a journal when it was synced

    def take(self, call):
        if call.kind == "F" and call.path == self.folder:
            if not call.failure:
                for change in self.changes:
                    self._apply(self.durable_names, change)
                self.changes.clear()
        elif call.kind == "F" and call.inode in self.files:
            file = self.files[call.inode]
            if call.failure:
                file.fail_to_sync(self.random)
            else:
                file.sync()
                self._count(call, file)
        elif call.kind == "W":
            self.files.setdefault(call.inode, File()).write(call.offset, call.data)
        elif call.failure:
            return
        elif call.kind in "TE":
            self.files.setdefault(call.inode, File()).truncate(call.offset)
        elif call.kind == "C":
            self.files[call.inode] = File()
            self._change([(call.path, self.files[call.inode])])
        elif call.kind == "R":
            self._change([(call.other, self.names.get(call.path)), (call.path, None)])
        elif call.kind == "L":
            self._change([(call.other, self.names.get(call.path))])
        elif call.kind == "U":
            self._change([(call.path, None)])

    def _change(self, change):
        self._apply(self.names, change)
        self.changes.append(change)

    @staticmethod
    def _apply(names, change):
        for path, file in change:
            names.pop(path, None)
            if file is not None:
                names[path] = file

    def _count(self, call, file):
        """Takes the new records of a journal for committed: the program was told that they are synced."""
        if ".journal." not in call.path:
            return
        if file.header is None:
            file.header = Header(file.current)
        begin = max(file.counted, file.header.first)
        numbers, _ = sound_records(file.header, memoryview(file.current)[begin:], self.reference)
        self.committed.update(numbers.tolist())
        file.counted = len(file.current)

    def after_power_loss(self):
        """{name: content} of the folder: what was synced, and some of the rest."""
        names = dict(self.durable_names)
        if self.random.random() < 0.5:  # in their order, as far as the disk got
            kept = self.changes[: self.random.randint(0, len(self.changes))]
        else:
            kept = [change for change in self.changes if self.random.random() < 0.5]
        for change in kept:
            self._apply(names, change)
        return {os.path.basename(path): file.after_power_loss(self.random) for path, file in names.items()}
