"""Push during training: each best model so far in the background, and the finished model at the end."""

import logging
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from eraserhead.errors import UserError
from eraserhead.loading.run_layout import RUN
from eraserhead.publishing.facts import Options
from eraserhead.publishing.hub import Hub
from eraserhead.publishing.model_folder import check_source, find_results, read_source
from eraserhead.publishing.publication import write_publication
from eraserhead.publishing.target import Pushed
from eraserhead.training.folder import RunFolder

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class Waiting:
    """A model that waits until an earlier one has been pushed.

    Attributes:
        folder: Temporary folder with the files to push.
        epoch: Epoch after which the model was saved.
    """

    folder: tempfile.TemporaryDirectory[str]
    epoch: int | None


class Publisher:
    """Pushes the models of one training run one after the other; if several wait, only the newest is pushed."""

    def __init__(self, hub: Hub, options: Options) -> None:
        self._hub = hub
        self._options = options
        self._lock = threading.Lock()
        self._waiting: Waiting | None = None
        self._worker: threading.Thread | None = None

    def push_best(self, folder: RunFolder) -> None:
        """Copy a model, push the copy in the background, and return: the hub neither delays nor ends training."""
        try:
            scratch = tempfile.TemporaryDirectory()
            source = read_source(folder.path)
            write_publication(source, Path(scratch.name) / RUN.hub, self._options)
        except (UserError, OSError, ValueError) as error:
            logger.warning("the best model so far is not pushed, training goes on: %s", error)
            return
        with self._lock:
            self._waiting = Waiting(scratch, None if source.metrics is None else source.metrics.best_epoch)
            if self._worker is None:
                self._worker = threading.Thread(target=self._push_waiting, daemon=True)
                self._worker.start()

    def push_finished(self, folder: RunFolder) -> Pushed:
        """Wait for the push that is under way, then push the finished model.

        Raises:
            UserError: It cannot be pushed; the model in its folder is still complete.
        """
        with self._lock:
            self._waiting, worker = None, self._worker
        if worker is not None:
            worker.join()
        source = read_source(folder.path, find_results(folder.path))
        try:
            check_source(source)
        except UserError as error:
            if not source.results:
                raise
            logger.info("pushed without erasure results: %s", error)
            source = replace(source, results=())
        with tempfile.TemporaryDirectory() as scratch:
            write_publication(source, Path(scratch) / "hub", self._options)
            return self._hub.push(Path(scratch) / RUN.hub)

    def _push_waiting(self) -> None:
        while (waiting := self._next()) is not None:
            with waiting.folder as scratch:
                try:
                    pushed = self._hub.push(Path(scratch) / RUN.hub)
                    logger.info(f"the model of epoch {waiting.epoch} is at {pushed.address} (commit {pushed.commit})")
                except Exception as error:  # no error may end training or this thread
                    logger.warning("the model of epoch %s was not pushed, training goes on: %s", waiting.epoch, error)

    def _next(self) -> Waiting | None:
        with self._lock:
            waiting, self._waiting = self._waiting, None
            if waiting is None:
                self._worker = None  # set under the lock, so that the next model starts a new worker
            return waiting
