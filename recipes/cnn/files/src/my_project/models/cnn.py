"""A compact residual network (He et al. 2016, Deep Residual Learning, their CIFAR-10 variant)."""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_gather

from ..data.cnn import Example, Pixels, decode
from ..utils.artifacts import read_json, write_json
from ..utils.config import explain
from ..utils.errors import UserError

Size = Annotated[int, Field(strict=True, ge=1, le=512)]


@dataclass(frozen=True)
class Architecture:
    """What decides the shape of every weight, and how sure the model may be."""

    classes: list[str]
    side: Size
    channels: Literal[1, 3]
    width: Size
    depth: Size
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1


@dataclass(frozen=True)
class Prediction:
    """The most probable class, and the probability of each."""

    prediction: str
    probabilities: dict[str, float]


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the batch of all processes; PyTorch's own does so on CUDA only."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise (batch, channels, height, width) per channel."""
        if not (self.training and distributed.is_initialized()):
            return super().forward(inputs)
        parts = torch.stack(all_gather(inputs.contiguous()))  # type: ignore[no-untyped-call]
        return super().forward(parts.flatten(0, 1)).view_as(parts)[distributed.get_rank()]


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = BatchNorm(outputs)
        self.shortcut = nn.Sequential()
        if (inputs, stride) != (outputs, 1):
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, BatchNorm(outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (batch, outputs, height / stride, width / stride)."""
        hidden = F.relu(self.bn1(self.conv1(inputs)), inplace=True)
        return F.relu(self.bn2(self.conv2(hidden)) + self.shortcut(inputs), inplace=True)


class Model(nn.Module):
    """A stem, three stages of `depth` blocks, each at half the resolution, and a linear head."""

    example_type = Example

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture, width = architecture, architecture.width
        stem = nn.Conv2d(architecture.channels, width, 3, padding=1, bias=False)
        layers: list[nn.Module] = [stem, BatchNorm(width), nn.ReLU(inplace=True)]
        for stage in range(3):
            for block in range(architecture.depth):
                stride = 2 if stage > 0 and block == 0 else 1
                layers.append(ResidualBlock(width * 2**stage // stride, width * 2**stage, stride))
        self.backbone = nn.Sequential(*layers)
        self.head = nn.Linear(4 * width, len(architecture.classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes) for images (batch, side, side, channels) from 0 to 255."""
        # Channels last, as convolutions are fastest, is how images lie in memory: nothing moves.
        inputs = (images / 127.5 - 1).permute(0, 3, 1, 2)
        logits: Tensor = self.head(self.backbone(inputs).mean((2, 3)))
        return logits

    @torch.inference_mode()
    def logits(self, images: Pixels) -> Tensor:
        """Return what `forward` does, in evaluation mode, and batch by batch."""
        self.eval()
        batches = torch.split(torch.from_numpy(images), max(1, 512_000 // images[0].size))
        return torch.cat([self(batch.to(self.head.weight.device)) for batch in batches])

    def probabilities(self, images: Pixels) -> NDArray[np.float64]:
        """Return the probability of each class, (n, classes), of (n, side, side, channels)."""
        logits = self.logits(images).double() / self.architecture.temperature
        return logits.softmax(dim=1).numpy()

    def calibrated(self, images: Pixels, labels: NDArray[np.int64]) -> Self:
        """Set the temperature at which other images are most probable (Guo et al. 2017).

        One more label in n is taken for wrong, or it would be 0 where all are right.
        """
        from scipy.optimize import minimize_scalar

        logits, truth, doubt = self.logits(images), torch.from_numpy(labels), 1 / (len(labels) + 1)

        def loss(temperature: float) -> float:
            return F.cross_entropy(logits / temperature, truth, label_smoothing=doubt).item()

        found = float(minimize_scalar(loss, bounds=(0.01, 10)).x)
        self.architecture = replace(self.architecture, temperature=found)
        return self

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """Classify examples: each by itself, but for rounding, which others may change by 1e-6."""
        shape, files = self.architecture, [base64.b64decode(one.image) for one in examples]
        images = np.stack([decode(file, shape.side, shape.channels) for file in files])
        rows = self.probabilities(images)
        named = [dict(zip(shape.classes, row.tolist(), strict=True)) for row in rows]
        return [Prediction(max(row, key=row.__getitem__), row) for row in named]

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors, and the architecture as JSON."""
        write_json(folder / "architecture.json", asdict(self.architecture))
        write_tensors(folder / "model.safetensors", self.state_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model; neither format can hold code. A UserError where a file is another's."""
        path = folder / "architecture.json"
        try:
            model = cls(TypeAdapter(Architecture).validate_python(read_json(path)))
        except ValidationError as error:
            raise UserError(f"{path}: cannot be read: {explain(error)}") from None
        model.fill(read_tensors(folder / "model.safetensors")[0], folder)
        return model

    def transfer(self, path: Path) -> None:
        """Take all but the head from a saved model, and freeze it."""
        head = {f"head.{name}": one for name, one in self.head.state_dict().items()}
        self.fill(read_tensors(path)[0] | head, path)
        self.backbone.requires_grad_(False)

    def fill(self, tensors: dict[str, Tensor], source: Path) -> None:
        """Copy weights; a UserError where they are not those of this architecture."""
        try:
            self.load_state_dict(tensors)
        except RuntimeError:
            raise UserError(f"{source}: holds weights of another architecture") from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the arrays and texts of a safetensors file; a UserError where it is none."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as safetensors: {error}") from None


def write_tensors(path: Path, tensors: dict[str, Tensor], **texts: str) -> None:
    """Write a safetensors file; it knows one layout of arrays only."""
    save_file({name: one.contiguous() for name, one in tensors.items()}, path, texts)
