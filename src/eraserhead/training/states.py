"""Write and read the states that an interrupted run resumes from, with the best weights so far.

A state is a sealed folder, and the file of the best weights has their fingerprint.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils.constants import RNG_STATE_NAME
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eraserhead.digests import CHANGED
from eraserhead.disk import disk_failures
from eraserhead.errors import Setting, UserError
from eraserhead.files import damaged, previous, replacing, unfinished_name
from eraserhead.loading import devices
from eraserhead.loading.fingerprints import tensors_fingerprint
from eraserhead.loading.run_layout import RUN
from eraserhead.seals import check_seal, seal

FINGERPRINT = "fingerprint"  # key in the file of the best weights
REPLACE = "replace the run with "  # advice about damage that only training again mends
OTHER_NAMES = "key(s) in state_dict"  # in torch's message about weights of other names, which a compiled model has


@dataclass(frozen=True)
class States:
    """The states of a training run.

    Attributes:
        run: Folder of the run.
    """

    run: Path

    @property
    def resumable(self) -> Path | None:
        """The state to resume from; null if there is none."""
        latest = self.run / RUN.latest
        return next((state for state in (latest, previous(latest)) if state.is_dir()), None)

    @property
    def best(self) -> Path:
        """The trained weights of the best epoch."""
        return self.run / RUN.best

    def save(self, accelerator: Accelerator) -> None:
        """Save everything that resuming needs; the previous state stays until the new one is complete."""
        latest = self.run / RUN.latest
        turn = replacing(latest) if accelerator.is_main_process else nullcontext(unfinished_name(latest))
        with turn as unfinished:
            accelerator.wait_for_everyone()
            with disk_failures(unfinished):
                # On a GPU a recurrent network's weights are views of one buffer; safetensors would save only one.
                accelerator.save_state(str(unfinished), safe_serialization=False)
            accelerator.wait_for_everyone()
            if accelerator.is_main_process:
                seal(unfinished)
        accelerator.wait_for_everyone()

    def load(self, accelerator: Accelerator) -> None:
        """Restore the newest state, if neither it nor the best weights are damaged.

        Raises:
            UserError: A file is missing or damaged, or was saved by a run that the launcher compiled otherwise.
        """
        state = self.resumable
        assert state is not None
        self._check(state, accelerator)
        try:
            accelerator.load_state(str(state))
        except RuntimeError as error:
            if OTHER_NAMES not in str(error):
                raise
            raise UserError(
                f"{state}: does not fit this model; resume with the dynamo settings of the launcher that the run "
                "was started with, or replace it with ",
                Setting("overwrite", True),
            ) from error

    def _check(self, state: Path, accelerator: Accelerator) -> None:
        try:
            files = check_seal(state, REPLACE).files  # Accelerate itself goes on without random states
        except UserError as error:
            raise UserError(error, Setting("overwrite", True)) from error
        self.best_weights()
        saved, now = sum(name.startswith(f"{RNG_STATE_NAME}_") for name in files), accelerator.num_processes
        if saved != now:
            devices.tell(
                accelerator,
                f"{state}: saved by {saved} process(es), and there are {now} now: other random numbers are drawn, so "
                "the weights will not be those of an uninterrupted run",
            )

    def save_best(self, state: Mapping[str, Tensor]) -> None:
        """Save the trained weights of the best epoch so far; the previous ones stay until these are complete."""
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        with replacing(self.best) as unfinished:
            save_file(weights, unfinished, {FINGERPRINT: tensors_fingerprint(weights)})

    def best_weights(self) -> dict[str, Tensor]:
        """Read the trained weights of the best epoch.

        Raises:
            UserError: They are missing or damaged.
        """
        try:
            with safe_open(self.best, framework="pt") as file:  # pyright: ignore[reportArgumentType]
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
                known = (file.metadata() or {}).get(FINGERPRINT)
        except (OSError, SafetensorError) as error:
            raise UserError(damaged(self.best, error, REPLACE), Setting("overwrite", True)) from error
        if known != tensors_fingerprint(weights):
            raise UserError(damaged(self.best, CHANGED, REPLACE), Setting("overwrite", True))
        return weights
