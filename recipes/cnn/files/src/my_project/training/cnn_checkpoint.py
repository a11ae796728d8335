"""What a training that was stopped needs to go on, to the same weights as without the stop."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..models.cnn import Model, read_tensors, write_tensors
from ..utils.errors import UserError


@dataclass
class State:
    """The weights, their momentum, and the position in the training.

    No random state: learning rate, order and augmentation follow from the seed and the position.
    """

    model: Model
    optimizer: torch.optim.SGD
    data_sha256: str
    loss: Tensor  # summed over the steps of this epoch, on the device, which is not waited for
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    def end_epoch(self, **losses: float) -> None:
        """Note the losses, and the weights if they are the best so far on validation data."""
        self.history.append(losses)
        if losses["validation_loss"] == min(one["validation_loss"] for one in self.history):
            self.best = {name: one.clone() for name, one in self.model.state_dict().items()}
        self.epoch, self.step = self.epoch + 1, 0
        self.loss.zero_()

    def save(self, path: Path) -> None:
        """Write under a temporary name, then rename; what is not finite is not written."""
        buffers = self.optimizer.state_dict()["state"].items()
        momentum = {str(number): one["momentum_buffer"] for number, one in buffers}
        parts = {"model": self.model.state_dict(), "best": self.best, "momentum": momentum}
        tensors = {f"{part}/{name}": one for part in parts for name, one in parts[part].items()}
        tensors["sum/loss"] = self.loss
        if all(one.isfinite().all() for one in tensors.values()):
            temporary = path.with_name("checkpoint.partial")
            position = json.dumps([self.epoch, self.step, self.history])
            write_tensors(temporary, tensors, position=position, data_sha256=self.data_sha256)
            os.replace(temporary, path)

    def load(self, path: Path) -> None:
        """Go back to where `save` was called; a UserError where that was with other data."""
        tensors, texts = read_tensors(path)
        if texts.get("data_sha256") != self.data_sha256:
            raise UserError(f"{path}: the data has changed since; train without --resume")
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "momentum": {}, "sum": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor.to(self.loss.device)
        self.epoch, self.step, self.history = json.loads(texts["position"])
        self.loss, self.best = parts["sum"]["loss"], parts["best"]
        self.model.load_state_dict(parts["model"])
        state = {int(name): {"momentum_buffer": one} for name, one in parts["momentum"].items()}
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})
