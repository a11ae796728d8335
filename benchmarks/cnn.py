"""How many images per second the cnn recipe trains on, beside the two usual ways.

    mlmw new /tmp/images --recipe cnn --defaults && cd /tmp/images && make setup
    .venv/bin/python -m pip install lightning     # optional: without it that row is left out
    .venv/bin/python PATH/TO/benchmarks/cnn.py [--project .] [--rounds N] [--images N]

All train the same network from the same weights on the same random images in the shape of CIFAR-10
(32 x 32 x 3 bytes), with crop, flip and cutout, for an epoch:

- recipe: the project's own loop, `training.cnn.fit`, checkpoint and validation included;
- textbook: a `Dataset` that augments one image at a time, a `DataLoader`, and the loop of PyTorch's
  tutorials in float32; without worker processes and with two, of which the faster counts;
- lightning: the same `DataLoader` and network under `lightning.Trainer`.

They run one after the other, in rounds that alternate in direction, so that a slow minute of the
machine hits all alike. Each ratio is the median of the rounds' own ratios. With a CUDA device the
whole is repeated there, with 50,000 images, peak memory, and the time of ten epochs of the recipe.
"""

import argparse
import importlib
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

try:
    import lightning
except ImportError:
    lightning = None


class Images(Dataset):
    """Normalised images, channels first, each augmented by itself as it is asked for."""

    def __init__(self, images: Any, labels: Any, config: Any) -> None:
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        self.labels, self.config = torch.from_numpy(labels), config

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        crop, side = self.config.crop, self.images.shape[2]
        image = F.pad(self.images[index].float(), [crop] * 4, mode="reflect")
        top, left = torch.randint(0, 2 * crop + 1, (2,)).tolist()
        image = image[:, top : top + side, left : left + side]
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        half = self.config.cutout // 2
        row, column = torch.randint(0, side, (2,)).tolist()
        image = image.clone()
        image[:, max(0, row - half) : row + half, max(0, column - half) : column + half] = 0
        return image / 127.5 - 1, self.labels[index]


class Benchmark:
    """The three ways to train, on one device."""

    def __init__(self, project: str, device: str, images: int) -> None:
        self.training = importlib.import_module(f"{project}.training.cnn")
        self.models = importlib.import_module(f"{project}.models.cnn")
        self.data = importlib.import_module(f"{project}.data.cnn")
        self.runs = importlib.import_module(f"{project}.runs")
        self.device = importlib.import_module(f"{project}.utils.device").choose_device(device)
        self.config = self.training.Config(
            width=16, depth=3, epochs=1, batch_size=128, crop=4, flip=True, cutout=8, device=device
        )
        generator = np.random.default_rng(0)
        pixels = generator.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
        self.part = self.data.Part(pixels, generator.integers(0, 10, images))
        few = self.data.Part(pixels[:16], self.part.labels[:16])
        names = [str(number) for number in range(10)]
        self.dataset = self.data.Data(self.part, few, few, names, "0" * 64)
        self.architecture = self.models.Architecture(names, 32, 3, 16, 3)

    def model(self) -> Any:
        """Return the network with the same random weights each time."""
        torch.manual_seed(0)
        return self.models.Model(self.architecture)

    def recipe(self, epochs: int = 1) -> float:
        """Return the seconds that the project's loop takes."""
        config = self.config.model_copy(update={"epochs": epochs})
        state = self.training.new_state(config, self.dataset, self.model().to(self.device))
        with tempfile.TemporaryDirectory() as folder:
            run = self.runs.Run(Path(folder))
            return self.seconds(lambda: self.training.fit(config, self.dataset, run, state, 0, 1))

    def loader(self, workers: int) -> Any:
        """Return what hands out batches."""
        images = Images(self.part.images, self.part.labels, self.config)
        cuda = self.device.type == "cuda"
        return DataLoader(
            images,
            self.config.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            pin_memory=cuda,
        )

    def textbook(self, workers: int) -> float:
        """Return the seconds that a plain loop takes."""
        # Contiguous, as a network is that nobody has told otherwise.
        model = plain(self.model()).to(self.device)
        optimizer = sgd(model)
        loader = self.loader(workers)

        def loop() -> None:
            model.train()
            for images, labels in loader:
                images, labels = images.to(self.device), labels.to(self.device)
                optimizer.zero_grad()
                loss = F.cross_entropy(model(images), labels, label_smoothing=0.1)
                loss.backward()
                optimizer.step()

        return self.seconds(loop)

    def lightning(self, workers: int) -> float:
        """Return the seconds that `lightning.Trainer` takes, its start not counted."""
        model = plain(self.model())

        class Module(lightning.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.model = model
                self.started = self.ended = 0.0

            def training_step(self, batch: Any, index: int) -> torch.Tensor:
                images, labels = batch
                return F.cross_entropy(self.model(images), labels, label_smoothing=0.1)

            def configure_optimizers(self) -> torch.optim.Optimizer:
                return sgd(self)

            def on_train_epoch_start(self) -> None:
                self.started = time.perf_counter()

            def on_train_epoch_end(self) -> None:
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
                self.ended = time.perf_counter()

        trainer = lightning.Trainer(
            accelerator="gpu" if self.device.type == "cuda" else "cpu",
            devices=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        module = Module()
        trainer.fit(module, self.loader(workers))
        return module.ended - module.started

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long `work` takes, until the device is done."""
        started = time.perf_counter()
        work()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    def ways(self, workers: list[int]) -> dict[str, Callable[[], float]]:
        """What is compared, the recipe first."""
        ways: dict[str, Callable[[], float]] = {"recipe": self.recipe}
        for count in workers:
            ways[f"textbook, {count} workers"] = lambda count=count: self.textbook(count)
        if lightning:
            ways["lightning"] = lambda: self.lightning(self.fastest)
        return ways

    def measure(self, rounds: int, workers: list[int]) -> None:
        """Print images per second, and the recipe's ratio to each other way."""
        self.fastest = workers[0]
        ways = self.ways(workers)
        for way in ways.values():
            way()  # warms up
        if len(workers) > 1:
            self.fastest = min(workers, key=self.textbook)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds):
            for name in list(ways) if number % 2 else reversed(ways):
                times[name].append(ways[name]())
        images = len(self.part.labels) // self.config.batch_size * self.config.batch_size
        print(f"{'one epoch on ' + self.device.type:24}  images/s  slowest-fastest  recipe is")
        for name, measured in times.items():
            pairs = zip(measured, times["recipe"], strict=True)
            ratio = statistics.median(theirs / ours for theirs, ours in pairs)
            rates = sorted(images / seconds for seconds in measured)
            spread = f"{rates[0]:.0f}-{rates[-1]:.0f}"
            print(f"{name:24}  {statistics.median(rates):8.0f}  {spread:>15}  {ratio:8.2f} x")


def plain(model: torch.nn.Module) -> torch.nn.Module:
    """Return the same network, but for images that are floats with channels first."""
    stripped = torch.nn.Sequential(
        model.backbone, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), model.head
    )
    return stripped.to(memory_format=torch.contiguous_format)


def sgd(model: torch.nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser that all use."""
    return torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)


def print_environment(rounds: int, images: int) -> None:
    """What the numbers hold for."""
    capable = [name for name, has in torch.cpu.get_capabilities().items() if has is True]
    bfloat16 = "with" if "avx512_bf16" in capable else "without"
    print(f"{platform.platform()}, {os.cpu_count()} cores, {bfloat16} bfloat16 instructions")
    version = lightning.__version__ if lightning else "not installed: that row is left out"
    print(f"Python {platform.python_version()}, torch {torch.__version__}, lightning {version}")
    print(f"ResNet-20 (width 16), batch 128, {images} images, {rounds} rounds")
    print(f"threads: {torch.get_num_threads()}, load: {os.getloadavg()[0]:.1f}\n")


def on_cuda(project: str, rounds: int) -> None:
    """Repeat on CUDA, with more to tell; or say plainly that there is none."""
    if not torch.cuda.is_available():
        print("\nNo GPU was available: nothing here is known about CUDA.")
        return
    print(f"\n{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
    benchmark = Benchmark(project, "cuda", 50_000)
    benchmark.measure(rounds, [0, min(8, os.cpu_count() or 1)])
    torch.cuda.reset_peak_memory_stats()
    seconds = benchmark.recipe(epochs=10)
    peak = torch.cuda.max_memory_allocated() / 2**20
    print(f"recipe: 10 epochs of 50,000 images in {seconds:.1f} s, peak memory {peak:.0f} MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=2560, help="in an epoch on the CPU")
    arguments = parser.parse_args()
    source = arguments.project.resolve() / "src"
    sys.path.insert(0, str(source))
    [package] = (path.parent.name for path in source.glob("*/workloads.py"))
    logging.disable(logging.INFO)
    warnings.filterwarnings("ignore", module="lightning")
    print_environment(arguments.rounds, arguments.images)
    Benchmark(package, "cpu", arguments.images).measure(arguments.rounds, [0, 2])
    on_cuda(package, arguments.rounds)


if __name__ == "__main__":
    main()
