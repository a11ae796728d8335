"""What a training that was stopped needs to go on, to the same weights as without the stop."""

import json
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
    best: Model  # a copy, with the weights that were best on validation data so far
    optimizer: torch.optim.SGD
    loss: Tensor  # summed over the steps of this epoch, on the device, which is not waited for
    origin: str  # of the data and the configuration
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def end_epoch(self, **losses: float) -> None:
        """Note the losses, and the weights if they are the best so far on validation data."""
        self.history.append(losses)
        if losses["validation_loss"] == min(one["validation_loss"] for one in self.history):
            self.best.load_state_dict(self.model.state_dict())
        self.epoch, self.step = self.epoch + 1, 0
        self.loss.zero_()

    def tensors(self) -> dict[str, Tensor]:
        """Return every array of this state, in place, by its name."""
        buffers = enumerate(one["momentum_buffer"] for one in self.optimizer.state.values())
        named = {f"momentum/{number}": one for number, one in buffers} | {"loss": self.loss}
        for part, model in (("model", self.model), ("best", self.best)):
            named |= {f"{part}/{name}": one for name, one in model.state_dict().items()}
        return named

    def save(self, path: Path) -> None:
        """Write under a temporary name, then rename; what is not finite is not written."""
        tensors = self.tensors()
        if all(one.isfinite().all() for one in tensors.values()):
            temporary = path.with_name("checkpoint.partial")
            position = json.dumps([self.epoch, self.step, self.history])
            write_tensors(temporary, tensors, position=position, origin=self.origin)
            temporary.replace(path)

    def load(self, path: Path) -> None:
        """Go back to where `save` was called; a UserError where that was another training."""
        tensors, texts = read_tensors(path)
        if texts.get("origin") != self.origin:
            raise UserError(f"{path}: data or configuration have changed; train without --resume")
        for name, one in self.tensors().items():
            one.copy_(tensors[name])
        self.epoch, self.step, self.history = json.loads(texts["position"])
