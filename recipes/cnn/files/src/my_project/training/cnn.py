"""Train a network: `python -m my_project train cnn`."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from ..data.augmentation import augment, draw_epoch
from ..data.cnn import Data, DataConfig, Example, encode, prepare
from ..models.cnn import Architecture, Model
from ..runs import Run
from ..utils.device import Replayed, choose_device, join_processes, mixed_precision, resident
from ..utils.errors import UserError
from ..utils.progress import progress
from ..utils.records import stream_records
from .cnn_checkpoint import State

__all__ = ["Config", "Model", "evaluate", "examples", "prepare", "primary_metric", "train"]


class Config(DataConfig):
    """What experiments/cnn.toml may set."""

    width: int = Field(default=16, ge=1, le=512)
    depth: int = Field(default=1, ge=1, le=512)
    backbone: str = ""
    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=0.1, gt=0)
    weight_decay: float = Field(default=5e-4, ge=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    crop: int = Field(default=1, ge=0, le=7)
    flip: bool = False
    cutout: int = Field(default=0, ge=0)
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    compile: bool = False
    checkpoint_seconds: float = Field(default=60, ge=0)


def primary_metric(config: Config) -> str:
    """Compare models by accuracy."""
    return "accuracy"


def evaluate(model: Model, data: Data, figures: Path | None = None) -> dict[str, Any]:
    """Measure on test data, beside a baseline; draw pictures into `figures`."""
    from . import cnn_evaluation  # scikit-learn and Matplotlib: who only predicts need not wait

    return cnn_evaluation.evaluate(model, data, figures)


def examples(data: Data, count: int = 5) -> list[Example]:
    """Return the first images of the test part."""
    return [encode(image) for image in data.test.images[:count]]


def held_out(data: Data) -> list[Example]:
    """Return images of the test part to compare predictions on."""
    return examples(data, 1000)


def stream(config: Config, path: Path) -> Iterator[dict[str, Any]]:
    """Read images from CSV or JSON lines."""
    return stream_records(path)


def train(config: Config, data: Data, run: Run) -> Model:
    """Fit by gradient descent on the cross-entropy; keep the weights best on validation data.

    Of N processes each takes every N-th image of a batch; only the first one returns.
    """
    device = choose_device(config.device)
    rank, world = join_processes(device)
    torch.manual_seed(config.seed)
    _, side, _, channels = data.train.images.shape
    model = Model(Architecture(data.classes, side, channels, config.width, config.depth))
    if config.backbone:
        model.transfer(Path(config.backbone))
    if world > 1 and device.type == "cuda":  # where PyTorch's own is there, and faster
        torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    state = new_state(config, data, model.to(device))
    if run.checkpoint.exists():
        state.load(run.checkpoint)
    fit(config, data, run, state, rank, world)
    if world > 1:
        distributed.destroy_process_group()
    if rank > 0:
        raise SystemExit(0)  # the first process's run counts; the pipeline removes this one's
    from .cnn_evaluation import draw_history

    draw_history(state.history, run.figures / "learning_curve.png")
    # On the CPU it answers the same, whatever it was trained on.
    return state.best.cpu().calibrated(data.validation.images, data.validation.labels)


def new_state(config: Config, data: Data, model: Model) -> State:
    """Return the start of a training: Nesterov momentum for all weights that are not frozen."""
    device, best = model.head.weight.device, Model(model.architecture)
    # The rate is a tensor, for a recorded step to read it anew.
    decay, rate = config.weight_decay, torch.zeros((), device=device)
    optimizer = torch.optim.SGD(model.parameters(), rate, 0.9, 0, decay, nesterov=True, fused=True)
    for weight in model.parameters():  # zeros, for a checkpoint to be read into
        optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    loss, origin = torch.zeros((), device=device), data.sha256 + config.model_dump_json()
    return State(model, best.to(device), optimizer, loss, origin)


def fit(config: Config, data: Data, run: Run, state: State, rank: int, world: int) -> None:
    """Train from where `state` stands to the last epoch; a UserError where the loss diverges."""
    device, size, smoothing = state.loss.device, config.batch_size, config.label_smoothing
    precision, threads = mixed_precision(device), torch.get_num_threads()
    run.facts.update(device=str(device), processes=world, threads=threads, bf16=precision._enabled)
    model = DistributedDataParallel(state.model) if world > 1 else state.model
    if size % world or size > len(data.train.labels):
        raise UserError(f"batch_size: {size} is no multiple of {world}, or more than all images")
    if config.compile:
        model.compile()
    images, labels = resident([data.train.images, data.train.labels], device)
    (count, side), place = images.shape[:2], images.device
    rows = torch.zeros((size // world, 6), dtype=torch.long, device=place)
    steps, saved = count // size, -math.inf

    def descend() -> None:
        inputs = augment(images, rows, config.cutout).to(device)
        targets = labels[rows[:, 0]].to(device)
        with precision:
            loss = F.cross_entropy(model(inputs), targets, label_smoothing=smoothing)
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        state.loss += loss.detach()

    learn = Replayed(descend, recordable=images.is_cuda and world == 1)
    if rank == 0:
        (run.folder / "history.jsonl").unlink(missing_ok=True)
        for number, losses in enumerate(state.history, start=1):
            run.log(number, **losses)
    for epoch in progress(range(state.epoch, config.epochs), "epoch", state.history):
        model.train()
        state.model.backbone.train(not config.backbone)  # what is frozen keeps its statistics
        plan = draw_epoch(config.seed, epoch, count, side, config.crop, config.flip).to(place)
        for step in range(state.step, steps):
            position = (epoch * steps + step) / (config.epochs * steps)
            state.optimizer.param_groups[0]["lr"].fill_(config.learning_rate * one_cycle(position))
            rows.copy_(plan[step * size : (step + 1) * size][rank::world])
            learn()
            state.step = step + 1
            if rank == 0 and time.monotonic() - saved >= config.checkpoint_seconds:
                state.save(run.checkpoint)
                saved = time.monotonic()
        if world > 1:
            distributed.all_reduce(state.loss)
        train_loss = state.loss.item() / steps / world
        logits = state.model.logits(data.validation.images)
        truth = torch.from_numpy(data.validation.labels).to(device)
        validation_loss = F.cross_entropy(logits, truth).item()
        if not math.isfinite(train_loss + validation_loss):
            kept = run.checkpoint.with_suffix(".diverged")  # the last good weights; not resumed
            if rank == 0 and run.checkpoint.exists():
                run.checkpoint.replace(kept)
            raise UserError(f"loss not finite in epoch {epoch + 1}: lower learning_rate ({kept})")
        state.end_epoch(train_loss=train_loss, validation_loss=validation_loss)
        if rank == 0:
            run.log(epoch + 1, **state.history[-1])


def one_cycle(position: float) -> float:
    """Return the factor of the learning rate: up, then down to 0 (Smith and Topin 2018)."""
    return min(position / 0.3, (1 - position) / 0.7)
