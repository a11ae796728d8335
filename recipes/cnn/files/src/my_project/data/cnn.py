"""Images with labels: handwritten digits, CIFAR-10, or a folder of your own."""

import base64
import hashlib
import io
import struct
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pooch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import AfterValidator, Field

from ..utils.config import BaseConfig
from ..utils.errors import UserError
from ..utils.progress import progress

Pixels = NDArray[np.uint8]
MAX_PIXELS = 50_000_000  # a small file can unpack to gigabytes
# The binary version: the one for Python is a pickle, which could run any code.
CIFAR10 = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"


class DataConfig(BaseConfig):
    """Which images; those of a folder are cut to squares of `side` pixels."""

    dataset: Literal["digits", "cifar10", "folder"] = "digits"
    folder: str = "data/images"
    side: int = Field(default=32, ge=8, le=256)


def check_image(image: str) -> str:
    """Return a PNG or JPEG file as base64 as it is; a ValueError for anything else."""
    decode(base64.b64decode(image, validate=True), side=8, channels=1)
    return image


@dataclass(frozen=True)
class Example:
    """One image: a PNG or JPEG file as base64; a digit is light ink on a dark ground."""

    image: Annotated[
        str, AfterValidator(check_image), Field(json_schema_extra={"contentEncoding": "base64"})
    ]


@dataclass(frozen=True)
class Part:
    """Images (n, side, side, channels), from 0 to 255, and their labels (n,)."""

    images: Pixels
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """Three disjoint parts in which each class has the same share, and the hash of the whole."""

    train: Part
    validation: Part
    test: Part
    classes: list[str]
    sha256: str


def prepare(config: DataConfig) -> Data:
    """Load and split 60 : 20 : 20; CIFAR-10 has a test part, and the rest is split 90 : 10."""
    whole, given, classes = read(config)
    digest = hashlib.sha256(str(classes).encode())
    for part in (whole, given) if given else (whole,):
        digest.update(part.images.tobytes() + part.labels.tobytes())
    rest, test = (whole, given) if given else _split(whole, 0.2, config.seed)
    train, validation = _split(rest, 0.1 if given else 0.25, config.seed)
    return Data(train, validation, test, classes, digest.hexdigest())


def read(config: DataConfig) -> tuple[Part, Part | None, list[str]]:
    """Return all images, those kept apart for the test where they are given, and the classes."""
    if config.dataset == "cifar10":
        return read_cifar10()
    if config.dataset == "folder":
        return read_folder(Path(config.folder), config.side)
    from sklearn.datasets import load_digits  # here: who only predicts need not wait for it

    pixels, labels = load_digits(return_X_y=True)
    images = np.round(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return Part(images, labels.astype(np.int64)), None, [str(digit) for digit in range(10)]


def read_cifar10() -> tuple[Part, Part, list[str]]:
    """Download CIFAR-10 (170 MB; Krizhevsky 2009) into data/, once, and read it."""
    try:
        terminal = sys.stderr.isatty()
        path = pooch.retrieve(CIFAR10, CIFAR10_SHA256, path="data", progressbar=terminal)
        with tarfile.open(path) as archive:
            files = {Path(member.name).name: archive.extractfile(member) for member in archive}
            content = {name: file.read() for name, file in files.items() if file}
        train = b"".join(content[f"data_batch_{number}.bin"] for number in range(1, 6))
        classes = content["batches.meta.txt"].decode().split()
        return _records(train), _records(content["test_batch.bin"]), classes
    except (OSError, EOFError, ValueError, KeyError, tarfile.TarError) as error:
        raise UserError(f"{CIFAR10}: cannot be read: {error}") from None


def read_folder(folder: Path, side: int) -> tuple[Part, None, list[str]]:
    """Read FOLDER/CLASS/IMAGE; a UserError names each file that is no image, or damaged."""
    paths = sorted(folder.glob("[!.]*/[!.]*"))  # but hidden ones
    classes = sorted({path.parent.name for path in paths})
    images, bad = [], []
    for path in progress(paths, "image"):
        try:
            images.append(decode(path.read_bytes(), side, channels=3))
        except (OSError, ValueError) as error:
            bad.append(f"{path} ({error})")
    if bad:
        raise UserError(f"{folder}: mend or remove {len(bad)} files: {', '.join(bad[:10])}")
    labels = np.array([classes.index(path.parent.name) for path in paths], dtype=np.int64)
    if len(classes) < 2 or np.bincount(labels).min() < 5:
        raise UserError(f"{folder}: must hold a folder for each class, with 5 images or more")
    return Part(np.stack(images), labels), None, classes


def decode(content: bytes, side: int, channels: int) -> Pixels:
    """Turn a PNG or JPEG file into (side, side, channels); a ValueError for anything else."""
    try:
        image: Image.Image = Image.open(io.BytesIO(content), formats=["PNG", "JPEG"])
        if image.mode.startswith("I") or image.width * image.height > MAX_PIXELS:
            raise ValueError(f"more than 8 bits for a colour, or than {MAX_PIXELS:,} pixels")
        image.draft(None, (2 * side, 2 * side))  # a large JPEG is unpacked at a smaller scale
        image = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
    except (OSError, SyntaxError, TypeError, struct.error, Image.DecompressionBombError):
        raise ValueError("neither PNG nor JPEG, or damaged, or too large") from None
    return np.asarray(ImageOps.fit(image, (side, side))).reshape(side, side, channels)


def encode(image: Pixels) -> Example:
    """Turn pixels (side, side, channels) into an example, without loss."""
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, "PNG")
    return Example(base64.b64encode(file.getvalue()).decode())


def _records(content: bytes) -> Part:
    """Read records of one byte for the label, then 32 x 32 of red, of green and of blue."""
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Part(np.ascontiguousarray(images), records[:, 0].astype(np.int64))


def _split(part: Part, share: float, seed: int) -> tuple[Part, Part]:
    from sklearn.model_selection import train_test_split

    options = {"test_size": share, "stratify": part.labels, "random_state": seed}
    images, fewer, labels, answers = train_test_split(part.images, part.labels, **options)
    return Part(images, labels), Part(fewer, answers)
