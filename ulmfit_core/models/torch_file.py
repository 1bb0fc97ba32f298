"""Reads the tensors of a file that torch.save wrote, today's zip or the older sequence of pickles, and runs nothing.

The pickles inside are read by `inert_pickle`, as data. Sizes are checked against the file before memory is asked
for. What the file holds besides the weights, such as the optimizer's moments, is never loaded.
"""

from __future__ import annotations

import errno
import mmap
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor

from ulmfit_core.errors import UserError
from ulmfit_core.models import inert_pickle
from ulmfit_core.models.inert_pickle import Global, Name, Record, Reference, Unexpected
from ulmfit_core.reading import shortened

# The first value of a file in the older format.
MAGIC = 0x1950A86A20F9469CFC6C
DTYPES: dict[str, torch.dtype] = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip
TENSORS: set[Name] = {("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2")}
PARAMETER: Name = ("torch._utils", "_rebuild_parameter")
# What fastai's optimizer state mentions. It is passed over.
OPTIMIZER: set[Name] = {
    ("fastcore.foundation", "L"), ("numpy", "dtype"), ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"), ("_codecs", "encode"),
}  # fmt: skip
EXPECTED = {
    *TENSORS, PARAMETER, *OPTIMIZER, *inert_pickle.DICTIONARIES,
    *((module, name) for module in ("torch", "torch.cuda") for name in DTYPES),
}  # fmt: skip
# torch writes this many facts about a storage; older versions a sixth, the part of it that is meant.
STORAGE_FACTS = (5, 6)


@dataclass(frozen=True)
class Storage:
    """A run of `count` numbers of the file."""

    key: str
    dtype: torch.dtype
    count: int


@dataclass
class _File:
    """An open file: how a storage's bytes are fetched, how large the file is, what was fetched already."""

    fetch: Callable[[Storage], bytes]
    size: int
    storages: dict[Storage, Tensor] = field(default_factory=dict)

    def storage(self, storage: Storage) -> Tensor:
        """All numbers of a storage, read once. Raises ValueError where the file holds another number of them."""
        if storage not in self.storages:
            wanted = storage.count * storage.dtype.itemsize
            held = sum(tensor.nbytes for tensor in self.storages.values())
            if storage.count <= 0 or held + wanted > self.size:
                raise ValueError(f"storage {storage.key} is larger than the file")
            content = self.fetch(storage)
            if len(content) != wanted:
                raise ValueError(f"storage {storage.key} has {len(content):,} bytes instead of {wanted:,}")
            self.storages[storage] = torch.frombuffer(bytearray(content), dtype=storage.dtype)
        return self.storages[storage]


def is_torch_file(path: Path) -> bool:
    """Whether torch.save wrote the file, by its first bytes; no other part of it is looked at."""
    with path.open("rb") as file:
        head = file.read(32)
    return head.startswith(b"PK") or MAGIC.to_bytes(10, "little") in head


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a file by name, in the width in which they were saved.

    Of a file with model and optimizer it is the model. Raises UserError for a file that could run code or is
    damaged.
    """
    try:
        with path.open("rb") as file:
            return _read_zip(file, path) if zipfile.is_zipfile(file) else _read_legacy(file, path)
    except Unexpected as error:
        raise UserError(inert_pickle.refusal(path.name, error.name)) from None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which a place before the file's beginning is
            raise
        raise UserError(f"{path.name} is damaged: {shortened(str(error))}. Fetch it or save it again.") from None


def _read_zip(file: IO[bytes], path: Path) -> dict[str, Tensor]:
    size = path.stat().st_size
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        pickles = [name for name in entries if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise UserError(f"{path.name} is a zip archive, but not one of torch. Choose a .pth file.")
        root = pickles[0].removesuffix("data.pkl")
        if any(_is_packed(entry) or entry.file_size > size for entry in entries.values()):
            raise ValueError("its parts are larger than the file")
        if f"{root}byteorder" in entries and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("it was written on a machine with another byte order")
        value = inert_pickle.read(BytesIO(archive.read(pickles[0])), EXPECTED)
        return _weights(value, _File(lambda storage: _entry(archive, f"{root}data/{storage.key}"), size), path)


def _is_packed(entry: zipfile.ZipInfo) -> bool:
    """Whether a part is compressed or encrypted, which torch never does."""
    return entry.compress_type != zipfile.ZIP_STORED or bool(entry.flag_bits & 1)


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    if name not in archive.namelist():
        raise ValueError(f"{name} is missing")
    return archive.read(name)


def _read_legacy(file: IO[bytes], path: Path) -> dict[str, Tensor]:
    size = path.stat().st_size
    if not is_torch_file(path):
        raise UserError(f"{path.name} is not a file of torch. Choose a .pth file, or an .h5 file of fastai 0.7.")
    # A map reads no more than there is, whatever length a damaged pickle asks for.
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        stream = cast(IO[bytes], view)
        _, _, system, value, keys = (inert_pickle.read(stream, EXPECTED) for _ in range(5))
        if not isinstance(system, dict) or not system.get("little_endian", True):
            raise ValueError("it was written on a machine with another byte order")
        begins = _places(view, _storages(value), keys)
        return _weights(value, _File(lambda storage: _slice(view, begins, storage), size), path)


def _places(view: mmap.mmap, storages: dict[str, Storage], keys: Any) -> dict[str, int]:
    """Where each storage begins: after the pickles they stand in the order of `keys`, each after its count."""
    begins = {}
    for key in keys if isinstance(keys, list) and all(isinstance(key, str) for key in keys) else []:
        count = int.from_bytes(view.read(8), "little", signed=True)
        storage = storages.get(key)
        if storage is None or storage.count != count:
            raise ValueError(f"storage {key} is not as long as its tensors say")
        begins[storage.key] = view.tell()
        view.seek(count * storage.dtype.itemsize, 1)
    return begins


def _slice(view: mmap.mmap, begins: dict[str, int], storage: Storage) -> bytes:
    if storage.key not in begins:
        raise ValueError(f"storage {storage.key} is missing")
    begin = begins[storage.key]
    return view[begin : begin + storage.count * storage.dtype.itemsize]


def _storages(value: Any) -> dict[str, Storage]:
    """All storages that a value mentions, however deep."""
    found: dict[str, Storage] = {}
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or not isinstance(part, (dict, list, tuple, Record, Reference)):
            continue
        seen.add(id(part))
        if isinstance(part, Reference):
            storage = _storage(part)
            found[storage.key] = storage
        elif isinstance(part, Record):
            waiting += [part.arguments, part.state]
        else:
            waiting += part.values() if isinstance(part, dict) else part
    return found


def _storage(reference: Any) -> Storage:
    facts = reference.facts if isinstance(reference, Reference) else None
    if not isinstance(facts, tuple) or len(facts) not in STORAGE_FACTS or facts[0] != "storage":
        raise ValueError("a tensor has no storage")
    _, kind, key, _, count, *part = facts
    if not isinstance(kind, Global) or kind.name[1] not in DTYPES or type(count) is not int or type(key) is not str:
        raise ValueError("a storage has no name, type or length")
    if part and part[0] is not None:
        raise ValueError("it holds parts of storages, as old versions of torch wrote them; save it with a newer one")
    return Storage(key, DTYPES[kind.name[1]], count)


def _weights(value: Any, file: _File, path: Path) -> dict[str, Tensor]:
    if isinstance(value, dict) and set(value) == {"model", "opt"}:
        value = value["model"]
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise UserError(f"{path.name} holds no table of weights. Save them with learn.save or learn.save_encoder.")
    return {name: _tensor(name, record, file) for name, record in value.items()}


def _tensor(name: str, record: Any, file: _File) -> Tensor:
    """The tensor that a record describes. Raises ValueError where it reaches beyond its storage."""
    if isinstance(record, Record) and record.name == PARAMETER and record.arguments:
        record = record.arguments[0]
    if not isinstance(record, Record) or record.name not in TENSORS or len(record.arguments) < 4:
        raise ValueError(f"{name} is not a tensor")
    reference, offset, shape, strides = record.arguments[:4]
    storage = _storage(reference)
    _check_extent(name, storage, offset, shape, strides)
    return file.storage(storage).as_strided(shape, strides, offset)


def _check_extent(name: str, storage: Storage, offset: Any, shape: Any, strides: Any) -> None:
    sizes = (offset, *shape, *strides) if isinstance(shape, tuple) and isinstance(strides, tuple) else (None,)
    if any(type(size) is not int or size < 0 for size in sizes) or len(shape) != len(strides) or 0 in shape:
        raise ValueError(f"the sizes of {name} are not whole numbers")
    count = 1
    for size in shape:
        count *= size
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides))
    if count > storage.count or last >= storage.count:
        raise ValueError(f"{name} reaches beyond its storage")
