"""After training: the model behaves as a reader of digits should, and refuses what is none."""

import base64
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from my_project import pipeline
from my_project.data.cnn import Data, Example, encode
from my_project.models.cnn import Model, read_tensors
from my_project.runs import Run
from my_project.training.cnn_checkpoint import State
from my_project.utils.errors import UserError
from my_project.utils.records import validate


class Canary:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def model(trained: Mapping[str, Run]) -> Model:
    loaded = pipeline.load_model(trained["cnn"])
    assert isinstance(loaded, Model)
    return loaded


def test_probabilities_sum_to_one(model: Model, digits: Data) -> None:
    assert model.probabilities(digits.test.images).sum(axis=1) == pytest.approx(1)


def test_one_by_one_equals_all_at_once(model: Model, digits: Data) -> None:
    examples = [encode(image) for image in digits.test.images[:20]]
    together = model.predict(examples)
    alone = [model.predict([example])[0] for example in examples]
    for one, other in zip(alone, together, strict=True):
        assert one.prediction == other.prediction
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_a_shift_by_one_pixel_reads_the_same(model: Model, digits: Data) -> None:
    # No digit's ink is cut off: outside of the outermost columns these images are empty.
    images = digits.test.images[digits.test.images[:, :, -1].max(axis=(1, 2)) == 0]
    still = model.probabilities(images).argmax(1)
    moved = model.probabilities(np.roll(images, 1, axis=2)).argmax(1)
    assert len(images) > 100
    assert (still == moved).mean() > 0.9


def test_faint_ink_reads_the_same(model: Model, digits: Data) -> None:
    full = model.probabilities(digits.test.images).argmax(1)
    faint = model.probabilities((digits.test.images * 0.9).astype(np.uint8)).argmax(1)
    assert (full == faint).mean() > 0.97


def test_a_larger_picture_is_made_to_fit(model: Model, digits: Data) -> None:
    large = digits.test.images[:50].repeat(8, axis=1).repeat(8, axis=2)
    small = model.predict([encode(image) for image in digits.test.images[:50]])
    answers = model.predict([encode(image) for image in large])
    same = [one.prediction == two.prediction for one, two in zip(small, answers, strict=True)]
    assert np.mean(same) > 0.9


@pytest.mark.parametrize(
    "image",
    ["", "no base64!", "aGVsbG8=", base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 50).decode()],
)
def test_what_is_no_image_is_refused(digits: Data, image: str) -> None:
    with pytest.raises(UserError, match=r"two\.jsonl, row 2: image: "):
        validate([vars(encode(digits.test.images[0])), {"image": image}], Example, "two.jsonl")


@pytest.mark.parametrize("victim", ["model.safetensors", "architecture.json"])
def test_a_pickle_is_refused_and_not_run(
    trained: Mapping[str, Run], tmp_path: Path, victim: str
) -> None:
    folder = shutil.copytree(trained["cnn"].model, tmp_path / "model")
    with (folder / victim).open("wb") as file:
        pickle.dump(Canary(tmp_path / "canary"), file)
    with pytest.raises(UserError, match="cannot be read"):
        Model.load(folder)
    torch.save(Canary(tmp_path / "canary"), folder / victim)
    with pytest.raises(UserError, match="cannot be read"):
        Model.load(folder)
    assert not (tmp_path / "canary").exists()


def test_a_pickle_as_backbone_or_checkpoint_is_not_run(model: Model, tmp_path: Path) -> None:
    torch.save(Canary(tmp_path / "canary"), tmp_path / "checkpoint")
    optimizer = torch.optim.SGD(model.parameters())
    state = State(model, model, optimizer, torch.zeros(()), "")
    for read in (state.load, model.transfer):
        with pytest.raises(UserError, match="cannot be read as safetensors"):
            read(tmp_path / "checkpoint")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"width": 8},
        {"width": -1},
        {"width": 10**9},
        {"width": "16"},
        {"depth": 2},
        {"channels": 2},
        {"classes": "0123456789"},
        {"classes": ["0", "1"]},
    ],
)
def test_a_changed_architecture_is_refused(
    trained: Mapping[str, Run], tmp_path: Path, change: dict[str, object]
) -> None:
    folder = shutil.copytree(trained["cnn"].model, tmp_path / "model")
    path = folder / "architecture.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change), encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot be read|weights of another architecture"):
        Model.load(folder)


def test_weights_that_are_missing_are_told(trained: Mapping[str, Run], tmp_path: Path) -> None:
    folder = shutil.copytree(trained["cnn"].model, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights.popitem()
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(UserError, match="weights of another architecture"):
        Model.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        Model.load(folder)


def test_a_saved_model_is_the_model(model: Model, digits: Data, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = Model.load(tmp_path)
    wanted = model.probabilities(digits.test.images)
    assert np.array_equal(again.probabilities(digits.test.images), wanted)
    assert read_tensors(tmp_path / "model.safetensors")[1] == {}


def test_who_only_predicts_need_not_wait_for_what_evaluates() -> None:
    code = "import sys, my_project.training.cnn; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "torch" in printed.stdout.split()
    assert not {"matplotlib", "scipy", "sklearn"}.intersection(printed.stdout.split())
