"""The images: split without overlap, and read from files in the true formats."""

import base64
import hashlib
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from my_project.data import cnn as data
from my_project.utils.errors import UserError

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class Quiet(SimpleHTTPRequestHandler):
    """A file server that keeps no log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small archive in the format of CIFAR-10, served on this machine, and its folder."""
    generator = np.random.default_rng(0)
    archive = tmp_path / "served" / "cifar-10-binary.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        files = {"batches.meta.txt": "\n".join([*NAMES, "\n"]).encode()}
        for name in [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]:
            labels = np.tile(np.arange(10, dtype=np.uint8), 2)
            pixels = generator.integers(0, 256, (20, 3072), dtype=np.uint8)
            files[name] = np.hstack([labels[:, None], pixels]).tobytes()
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=archive.parent))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/{archive.name}"
    monkeypatch.setattr(data, "CIFAR10", address)
    monkeypatch.setattr(data, "CIFAR10_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.chdir(tmp_path)
    yield archive
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of ten images each, of several sizes, modes and formats."""
    folder = tmp_path / "pictures"
    for name, colour in [("blue", (0, 0, 255)), ("red", (255, 0, 0))]:
        (folder / name).mkdir(parents=True)
        for number in range(5):
            image = Image.new("RGB", (20 + number, 30), colour)
            image.save(folder / name / f"{number}.png")
            image.save(folder / name / f"{number}.JPG", "JPEG")
    (folder / "blue" / ".DS_Store").write_bytes(b"hidden")
    shutil.copytree(folder / "blue", folder / ".ipynb_checkpoints")
    return folder


def test_digits_are_split_without_overlap(digits: data.Data) -> None:
    parts = (digits.train, digits.validation, digits.test)
    assert [len(part.labels) for part in parts] == [1077, 360, 360]
    assert digits.train.images.shape[1:] == (8, 8, 1)
    assert digits.train.images.max() == 255
    assert len({image.tobytes() for part in parts for image in part.images}) == 1797
    for part in parts:
        assert np.bincount(part.labels) / len(part.labels) == pytest.approx(0.1, abs=0.005)


def test_the_seed_decides_the_split_but_not_the_hash(digits: data.Data) -> None:
    again, other = (data.prepare(data.DataConfig(seed=seed)) for seed in (0, 1))
    assert np.array_equal(again.test.images, digits.test.images)
    assert not np.array_equal(other.test.images, digits.test.images)
    assert again.sha256 == other.sha256 == digits.sha256


def test_cifar10_is_downloaded_once_and_read(cifar10: Path) -> None:
    config = data.DataConfig(dataset="cifar10")
    first = data.prepare(config)
    assert first.classes == NAMES
    parts = (first.train, first.validation, first.test)
    assert [len(part.labels) for part in parts] == [90, 10, 20]
    with tarfile.open(cifar10) as tar:
        member = tar.extractfile("cifar-10-batches-bin/test_batch.bin")
        assert member
        record = member.read(3073)
    red, green, blue = (record[1 + 1024 * channel + 33] for channel in range(3))
    assert first.test.labels[0] == record[0]
    assert first.test.images[0, 1, 1].tolist() == [red, green, blue]
    cifar10.unlink()
    assert data.prepare(config).sha256 == first.sha256


def test_another_archive_is_refused(cifar10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "CIFAR10_SHA256", "0" * 64)
    with pytest.raises(UserError, match=r"cannot be read: .*hash"):
        data.prepare(data.DataConfig(dataset="cifar10"))


def test_no_network_is_told(cifar10: Path) -> None:
    cifar10.unlink()
    with pytest.raises(UserError, match="cannot be read: 404"):
        data.prepare(data.DataConfig(dataset="cifar10"))


def test_a_truncated_archive_is_refused(cifar10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = cifar10.read_bytes()[:-5000]
    cifar10.write_bytes(content)
    monkeypatch.setattr(data, "CIFAR10_SHA256", hashlib.sha256(content).hexdigest())
    with pytest.raises(UserError, match="cannot be read"):
        data.prepare(data.DataConfig(dataset="cifar10"))


def test_a_folder_of_pictures(pictures: Path) -> None:
    config = data.DataConfig(dataset="folder", folder=str(pictures), side=16)
    prepared = data.prepare(config)
    assert prepared.classes == ["blue", "red"]
    assert [len(part.labels) for part in (prepared.train, prepared.test)] == [12, 4]
    for image, label in zip(prepared.train.images, prepared.train.labels, strict=True):
        assert image.shape == (16, 16, 3)
        assert image[8, 8].argmax() == (2 if label == 0 else 0)


def test_each_bad_file_is_named(pictures: Path) -> None:
    whole = (pictures / "red" / "0.png").read_bytes()
    (pictures / "red" / "half.png").write_bytes(whole[: len(whole) // 2])
    (pictures / "red" / "notes.txt").write_text("no image", encoding="utf-8")
    (pictures / "blue" / "empty.jpg").write_bytes(b"")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(pictures / "blue" / "deep.png")
    with pytest.raises(UserError, match="mend or remove 4 files: ") as error:
        data.prepare(data.DataConfig(dataset="folder", folder=str(pictures)))
    for name in ("half.png", "notes.txt", "empty.jpg", "deep.png (more than 8 bits"):
        assert name in str(error.value)


@pytest.mark.parametrize("keep", ["", "blue"])
def test_a_folder_without_classes_is_refused(pictures: Path, keep: str) -> None:
    for path in pictures.glob("*/*"):
        if path.parent.name != keep:
            path.unlink()
    with pytest.raises(UserError, match="a folder for each class, with 5 images or more"):
        data.prepare(data.DataConfig(dataset="folder", folder=str(pictures)))


def test_a_picture_that_unpacks_to_gigabytes_is_refused() -> None:
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    assert len(file.getvalue()) < 100_000
    with pytest.raises(ValueError, match="than 50,000,000 pixels"):
        data.decode(file.getvalue(), 8, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_example_keeps_every_pixel(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 12, channels), dtype=np.uint8)
    content = base64.b64decode(data.encode(image).image)
    assert np.array_equal(data.decode(content, 12, channels), image)
