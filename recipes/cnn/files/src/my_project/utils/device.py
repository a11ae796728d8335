"""Which processor computes, how precisely, and how many share the work: decided here alone."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, distributed

from .errors import UserError

logger = logging.getLogger(__name__)


def choose_device(wanted: str) -> torch.device:
    """Return the wanted device; "auto" is the first available of CUDA, MPS (Apple) and CPU.

    Under torchrun each process gets a CUDA device of its own. A UserError where it is missing.
    """
    mps = torch.backends.mps.is_available()
    names = ["cuda"] * torch.cuda.is_available() + ["mps"] * mps + ["cpu"]
    if wanted not in ("auto", *names):
        raise UserError(f"device {wanted}: is not available here; there is {', '.join(names)}")
    name = names[0] if wanted == "auto" else wanted
    logger.info("device: %s (asked for: %s; available: %s)", name, wanted, ", ".join(names))
    # The same seed gives the same model, so the fastest kernel of the moment is not searched for.
    torch.backends.cudnn.deterministic = True
    rank, count = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if name == "cuda" and rank >= count:
        raise UserError(f"process {rank + 1} of torchrun: only {count} CUDA devices; start fewer")
    return torch.device(f"cuda:{rank}" if name == "cuda" else name)


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return the context of a forward pass: bfloat16 where that is faster, else float32."""
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    fast |= device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)
    logger.info("precision: %s", "bfloat16 mixed with float32" if fast else "float32")
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


def join_processes(device: torch.device) -> tuple[int, int]:
    """Return this process's rank and how many there are: 0 and 1, but under torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return 0, 1
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return distributed.get_rank(), distributed.get_world_size()


def resident(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Return arrays as tensors: on the device if they leave half of its memory free."""
    size = sum(array.nbytes for array in arrays)
    fits = device.type != "cuda" or size < torch.cuda.mem_get_info(device)[0] / 2
    return [torch.from_numpy(array).to(device if fits else "cpu") for array in arrays]


class Replayed:
    """A step of training whose shapes never change; on CUDA, it is recorded and then replayed.

    A small network's kernels end sooner than Python starts the next ones. A CUDA graph starts all
    of a step at once. What the step reads and writes must stay where it is.
    """

    def __init__(self, step: Callable[[], object], recordable: bool) -> None:
        self.step, self.calls = step, 0
        self.graph = torch.cuda.CUDAGraph() if recordable else None

    def __call__(self) -> None:
        """Do the step: the first three times as it is written, for libraries to warm up."""
        self.calls += 1
        if self.graph is None:
            self.step()
        elif self.calls <= 3:
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self.step()
            torch.cuda.current_stream().wait_stream(stream)
        else:
            if self.calls == 4:
                with torch.cuda.graph(self.graph):
                    self.step()
            self.graph.replay()
