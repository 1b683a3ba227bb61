"""What a launcher says in the environment, and what is refused of it before anything is written."""

import json

import pytest
import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils.environment import get_cpu_distributed_information

from eraserhead.errors import UserError
from eraserhead.loading import devices
from eraserhead.loading.launcher import RANK, WORLD, Launcher, launcher, rank, tell_failure, training_precision


def test_no_launcher_is_one_process_in_full_precision():
    assert launcher({}) == Launcher(1, None, None, False, "no", "no")
    assert launcher({}).for_training == []


def test_the_launchers_file_is_read_as_accelerate_writes_it():
    """The variables of `accelerate launch` with bf16, dynamo's inductor, two processes and the CPU."""
    said = launcher(
        {
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2",
            "ACCELERATE_USE_CPU": "True",
            "ACCELERATE_MIXED_PRECISION": "bf16",
            "ACCELERATE_DYNAMO_BACKEND": "INDUCTOR",
        }
    )
    assert said == Launcher(2, "WORLD_SIZE", 2, True, "bf16", "inductor")
    assert said.for_training == ["mixed precision bf16", "dynamo 'inductor'"]


@pytest.mark.parametrize("variable", WORLD)
def test_every_launcher_that_accelerate_knows_is_counted(variable):
    assert launcher({variable: "3"}).processes == 3


@pytest.mark.parametrize("variable", RANK)
def test_a_process_has_the_number_that_accelerate_gives_it(monkeypatch, variable):
    for name in RANK:
        monkeypatch.delenv(name, raising=False)
    assert rank() == get_cpu_distributed_information().rank == 0
    monkeypatch.setenv(variable, "2")
    assert rank() == get_cpu_distributed_information().rank == 2


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed .*whole model"),
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP"),
        ({"ACCELERATE_USE_MEGATRON_LM": "true"}, "Megatron"),
        ({"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}, "accumulate 4 batches.*training.batch_size"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two'"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE is '0', and must be a whole number from 1"),
        ({"WORLD_SIZE": "-1"}, "WORLD_SIZE is '-1', and must be a whole number from 1"),
        ({"ACCELERATE_USE_CPU": "maybe"}, "ACCELERATE_USE_CPU is 'maybe', and must be true or false"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_nothing_here_does_is_refused(environment, said):
    with pytest.raises(UserError, match=said):
        launcher(environment)
    assert launcher(dict.fromkeys(environment, "1" if "WORLD_SIZE" in environment else "0")).processes == 1


def test_the_option_comes_before_the_launchers_precision(monkeypatch):
    assert training_precision(None) == "no"
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert training_precision(None) == "bf16"
    assert training_precision("no") == "no"
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp8")
    with pytest.raises(UserError, match=r"'fp8', and training has no, fp16, bf16; give training\.mixed_precision"):
        training_precision(None)
    assert training_precision("bf16") == "bf16"


def test_a_process_that_would_work_alone_beside_others_is_refused(monkeypatch):
    """Accelerate has made one process of what the environment calls two."""
    devices.join(cpu=True)  # whoever came first: this interpreter is one process
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UserError, match=r"WORLD_SIZE=2, and this process works alone.*launch`, or unset WORLD_SIZE"):
        devices.join(cpu=True)


def test_a_number_of_processes_without_a_launcher_is_refused_before_any_waits(monkeypatch):
    for name in RANK:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    with pytest.raises(UserError, match=r"WORLD_SIZE=2, but RANK, .*PORT are not set: unset WORLD_SIZE, or"):
        devices.join(cpu=True)


def test_a_compiler_that_accelerate_does_not_know_is_refused_by_its_variable(monkeypatch):
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "INDUCTORX")
    with pytest.raises(UserError, match="ACCELERATE_DYNAMO_BACKEND is 'inductorx', and must be one of no, eager"):
        devices.join(cpu=True)


def test_more_processes_than_devices_are_refused():
    devices.check_devices(Launcher(4, "WORLD_SIZE", 2), 2)  # two machines of two
    with pytest.raises(UserError, match=r"3 processes on this machine, which has 2 accelerators: start 2 at most"):
        devices.check_devices(Launcher(3, "WORLD_SIZE", 3), 2)


def test_a_precision_that_the_device_lacks_is_one_line():
    if torch.accelerator.is_available():
        pytest.skip("accelerators have fp16")
    with pytest.raises(UserError, match=r"mixed_precision='fp16': has no effect on cpu; choose no, or bf16"):
        devices.start_training(True, "fp16")
    assert devices.start(True).mixed_precision == "no"


def test_training_takes_its_precision_in_a_process_that_has_used_another():
    assert devices.start_training(True, "bf16").mixed_precision == "bf16"
    assert devices.describe_training(devices.start_training(True, "bf16")).endswith("CPU threads), bf16")
    assert devices.start_training(True, "no").mixed_precision == "no"
    assert PartialState().num_processes == 1


def test_what_is_for_training_is_said_to_have_no_effect_elsewhere(monkeypatch, caplog):
    AcceleratorState._reset_state()
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with caplog.at_level("INFO", "eraserhead"):
        assert devices.start(True).mixed_precision == "no"
    assert "mixed precision bf16 of the launcher: for training alone, no effect here" in caplog.text


def test_torchrun_is_given_the_line_where_it_asks_for_it(tmp_path, monkeypatch):
    assert not tell_failure("eraserhead: error: no")
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    assert tell_failure("eraserhead: error: no")
    message = json.loads((tmp_path / "error.json").read_text())["message"]
    assert message["message"] == "eraserhead: error: no"
    assert int(message["extraInfo"]["timestamp"]) > 10**9
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "nowhere" / "error.json"))
    assert not tell_failure("eraserhead: error: no")
