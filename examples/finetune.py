"""Fine-tune the packaged encoder as an ordinary classifier of transformers.

python examples/finetune.py runs/bert-imdb --data.name imdb --data.max_length 128
"""

from pathlib import Path

import torch
from jsonargparse import auto_cli
from torch.nn.utils import clip_grad_norm_
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from eraserhead.data.batching import pad, training_steps
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.tokens import tokenize
from eraserhead.loading.checkpoints import quiet
from eraserhead.training.new_classifier import encoder_path


def finetune(
    folder: Path, data: DataConfig, epochs: int = 2, batch_size: int = 16, learning_rate: float = 1e-4, seed: int = 0
) -> str:
    """Train encoder and classifier on the training documents of `data`; returns the folder of the checkpoint.

    Args:
        folder: Folder of the checkpoint.
        data: The documents.
        epochs: Passes over the documents.
        batch_size: Documents per step.
        learning_rate: Peak learning rate.
        seed: Seed of the head and of the batches.
    """
    documents = load_documents(data, "train")
    assert documents.labels is not None
    names = documents.labels.names
    encoder = encoder_path("packaged")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    torch.manual_seed(seed)
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(
            encoder, id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)}
        ).train()
    rows = tokenize(documents.rows, tokenizer, data.max_length or 256)
    ids, labels = list(rows["input_ids"]), torch.tensor(rows["label"])
    steps = [step for epoch in range(epochs) for step in training_steps(list(map(len, ids)), batch_size, seed, epoch)]
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min(1.0, 10 * done / len(steps)) * (1 - done / len(steps))
    )
    for step in steps:
        loss = model(**pad([ids[row] for row in step], 0), labels=labels[step]).loss
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    auto_cli(finetune)
