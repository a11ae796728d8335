"""Devices: which is chosen and why, and that their number and kind do not change the result."""

import logging

import numpy as np
import pytest
import torch

from my_project.data import cnn as data
from my_project.runs import Run
from my_project.training import cnn as training
from my_project.utils import device as devices
from my_project.utils.errors import UserError


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine with CUDA and MPS as the test's parameter tells."""
    cuda, mps = request.param
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4 if cuda else 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("fake", "wanted", "chosen"),
    [
        ((True, False), "auto", "cuda:0"),
        ((True, True), "auto", "cuda:0"),
        ((False, True), "auto", "mps"),
        ((False, False), "auto", "cpu"),
        ((True, True), "cpu", "cpu"),
        ((True, True), "mps", "mps"),
    ],
    indirect=["fake"],
)
def test_the_first_available_device_is_chosen(
    fake: None, wanted: str, chosen: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert str(devices.choose_device(wanted)) == chosen
    assert f"device: {chosen.partition(':')[0]} (asked for: {wanted};" in caplog.text


@pytest.mark.parametrize(
    ("fake", "wanted"), [((False, True), "cuda"), ((False, False), "mps")], indirect=["fake"]
)
def test_a_device_that_is_missing_is_told(fake: None, wanted: str) -> None:
    with pytest.raises(UserError, match=f"device {wanted}: is not available here; there is"):
        devices.choose_device(wanted)


@pytest.mark.parametrize("fake", [(True, False)], indirect=True)
def test_under_torchrun_each_process_has_its_own(
    fake: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert str(devices.choose_device("auto")) == "cuda:3"
    monkeypatch.setenv("LOCAL_RANK", "4")
    with pytest.raises(UserError, match="process 5 of torchrun: only 4 CUDA devices"):
        devices.choose_device("auto")


@pytest.mark.parametrize(
    ("kind", "supported", "fast"),
    [
        ("cuda", True, True),
        ("cuda", False, False),
        ("cpu", True, True),
        ("cpu", False, False),
    ],
)
def test_precision_follows_the_device(
    monkeypatch: pytest.MonkeyPatch, kind: str, supported: bool, fast: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: kind == "cuda")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": supported})
    context = devices.mixed_precision(torch.device(kind))
    assert context._enabled is fast
    assert context.device == kind


def test_apple_computes_in_float32() -> None:
    assert not devices.mixed_precision(torch.device("mps"))._enabled


def test_images_stay_in_memory_where_the_device_is_too_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    [large] = devices.resident([np.zeros(501, np.uint8)], torch.device("cuda"))
    assert large.device.type == "cpu"


@pytest.mark.parametrize("recordable", [False] + [True] * torch.cuda.is_available())
def test_a_step_is_done_as_often_as_it_is_called(recordable: bool) -> None:
    device = "cuda" if recordable else "cpu"
    total, number = torch.zeros((), device=device), torch.zeros((), device=device)
    step = devices.Replayed(lambda: total.add_(number), recordable)
    for position in range(6):
        number.fill_(position)
        step()
    assert total.item() == 15


@pytest.mark.parametrize("device", ["cpu"] + ["cuda"] * torch.cuda.is_available())
def test_on_one_device_the_seed_decides_the_weights(
    device: str, quick: training.Config, digits: data.Data, run: Run
) -> None:
    config = quick.model_copy(update={"device": device})
    one = training.train(config, digits, run)
    run.checkpoint.unlink()
    two = training.train(config, digits, run)
    assert all(map(torch.equal, one.state_dict().values(), two.state_dict().values()))
