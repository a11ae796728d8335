"""Before training: the network, the augmentation and the loop are what they should be."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from my_project.data import cnn as data
from my_project.data.augmentation import augment, draw_epoch
from my_project.models.cnn import Architecture, Model, read_tensors
from my_project.runs import Run
from my_project.training import cnn as training
from my_project.utils.config import load_config
from my_project.utils.errors import UserError

DIGITS = Architecture([str(digit) for digit in range(10)], 8, 1, 4, 1)


@pytest.mark.parametrize(("side", "channels", "depth"), [(8, 1, 1), (32, 3, 2), (33, 3, 1)])
def test_one_logit_for_each_class(side: int, channels: int, depth: int) -> None:
    architecture = Architecture(["a", "b", "c"], side, 3 if channels == 3 else 1, 4, depth)
    images = np.zeros((5, side, side, channels), dtype=np.uint8)
    assert Model(architecture).logits(images).shape == (5, 3)


def test_untrained_weights_know_nothing(digits: data.Data) -> None:
    torch.manual_seed(0)
    logits = Model(DIGITS).logits(digits.train.images)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(digits.train.labels))
    assert loss.item() == pytest.approx(math.log(10), abs=0.5)


def test_depth_and_width_are_the_dials() -> None:
    def weights(width: int, depth: int) -> int:
        model = Model(Architecture(["a", "b"], 32, 3, width, depth))
        return sum(weight.numel() for weight in model.parameters())

    assert weights(8, 1) > 3 * weights(4, 1)
    # 0.27 million weights in ResNet-20, as in the paper, up to the projected shortcuts.
    assert weights(16, 3) == pytest.approx(270_000, rel=0.03)


def test_the_epoch_is_drawn_from_seed_and_number_alone() -> None:
    plan = draw_epoch(0, 3, 100, 8, 1, flip=True)
    torch.manual_seed(1)
    assert torch.equal(draw_epoch(0, 3, 100, 8, 1, flip=True), plan)
    assert not torch.equal(draw_epoch(0, 4, 100, 8, 1, flip=True), plan)
    assert not torch.equal(draw_epoch(1, 3, 100, 8, 1, flip=True), plan)
    assert sorted(plan[:, 0].tolist()) == list(range(100))
    assert set(plan[:, 1:3].flatten().tolist()) == {-1, 0, 1}
    assert 30 < plan[:, 3].sum() < 70


def test_augmentation_equals_padding_cropping_and_flipping_one_by_one() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 9, 9, 3), dtype=np.uint8)
    plan = draw_epoch(0, 0, 20, 9, 4, flip=True)
    result = augment(torch.from_numpy(images), plan, cutout=0).numpy()
    for number, (image, down, right, flip, _, _) in enumerate(plan.tolist()):
        flipped = images[image][:, ::-1] if flip else images[image]
        padded = np.pad(flipped, [(4, 4), (4, 4), (0, 0)], mode="reflect")
        wanted = padded[4 + down : 13 + down, 4 + right : 13 + right]
        assert np.array_equal(result[number], wanted), number


def test_cutout_blackens_a_square() -> None:
    images = torch.full((50, 8, 8, 1), 7, dtype=torch.uint8)
    plan = draw_epoch(0, 0, 50, 8, 0, flip=False)
    result = augment(images, plan, cutout=3)
    assert images.eq(7).all(), "the images themselves must stay as they are"
    black = (result == 0).sum((1, 2, 3))
    inside = ((plan[:, 4:] > 0) & (plan[:, 4:] < 7)).all(dim=1)
    assert set(black[inside].tolist()) == {9}
    assert set(black[~inside].tolist()) <= {4, 6}


def test_the_learning_rate_goes_up_then_down_to_nothing() -> None:
    rates = [training.one_cycle(step / 100) for step in range(101)]
    assert rates[30] == max(rates) == 1
    assert rates[0] == rates[100] == 0


def test_one_batch_can_be_learnt_by_heart(batch: data.Data, run: Run) -> None:
    config = training.Config(width=8, epochs=60, weight_decay=0, label_smoothing=0, crop=0)
    model = training.train(config, batch, run)
    assert (model.probabilities(batch.train.images).argmax(1) == batch.train.labels).all()


def test_shuffled_labels_cannot_be_learnt(digits: data.Data, run: Run) -> None:
    shuffled = np.random.default_rng(0).permutation(digits.train.labels)
    train = data.Part(digits.train.images, shuffled)
    chance = data.Data(train, digits.validation, digits.test, digits.classes, digits.sha256)
    model = training.train(training.Config(width=4, epochs=4), chance, run)
    right = model.probabilities(digits.test.images).argmax(1) == digits.test.labels
    assert right.mean() < 0.25


def test_transfer_trains_the_head_alone(
    digits: data.Data, batch: data.Data, quick: training.Config, run: Run, tmp_path: Path
) -> None:
    first = training.train(quick, digits, run)
    first.save(tmp_path)
    run.checkpoint.unlink()
    train, test = (data.Part(one.images, one.labels % 2) for one in (digits.train, batch.test))
    two = data.Data(train, test, test, ["even", "odd"], digits.sha256)
    config = quick.model_copy(update={"backbone": str(tmp_path / "model.safetensors")})
    second = training.train(config, two, run)
    for (name, old), new in zip(
        first.backbone.state_dict().items(), second.backbone.state_dict().values(), strict=True
    ):
        assert torch.equal(old, new), name
    assert second.head.weight.shape == (2, 16)


def test_a_backbone_of_another_shape_is_refused(
    digits: data.Data, quick: training.Config, run: Run, tmp_path: Path
) -> None:
    Model(Architecture(["a", "b"], 8, 1, 5, 1)).save(tmp_path)
    config = quick.model_copy(update={"backbone": str(tmp_path / "model.safetensors")})
    with pytest.raises(UserError, match="weights of another architecture"):
        training.train(config, digits, run)


def test_compiling_changes_nothing_but_speed(
    batch: data.Data, quick: training.Config, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(self))
    plain = training.train(quick, batch, run)
    assert not compiled
    run.checkpoint.unlink()
    fast = training.train(quick.model_copy(update={"compile": True}), batch, run)
    assert len(compiled) == 1
    assert torch.equal(plain.head.weight, fast.head.weight)


def test_a_loss_that_is_not_finite_stops_the_training(
    digits: data.Data, quick: training.Config, run: Run
) -> None:
    config = quick.model_copy(update={"learning_rate": 1e30, "checkpoint_seconds": 0.0})
    with pytest.raises(UserError, match="loss not finite in epoch 1: lower learning_rate"):
        training.train(config, digits, run)
    assert not run.checkpoint.exists(), "to go on from there would end the same"
    kept, _ = read_tensors(run.folder / "checkpoint.diverged")
    assert all(tensor.isfinite().all() for tensor in kept.values())


def test_a_batch_is_not_larger_than_the_data(
    batch: data.Data, quick: training.Config, run: Run
) -> None:
    with pytest.raises(UserError, match="batch_size: 65 "):
        training.train(quick.model_copy(update={"batch_size": 65}), batch, run)


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_configurations_are_valid(name: str) -> None:
    folder = Path(__file__).parents[2] / "experiments"
    file = folder / ("cnn.toml" if name == "digits" else f"cnn_{name}.toml")
    assert load_config(training.Config, file).dataset == name
