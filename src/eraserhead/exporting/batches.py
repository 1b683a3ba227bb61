"""Documents of random words in batches of different shapes, to compare a graph with its model on."""

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from eraserhead.data.batching import pad, pad_sentences
from eraserhead.data.encoding import TYPES
from eraserhead.exporting.graph import Graph
from eraserhead.loading.reader import DocumentReader

# Tokens of each document of a batch; in the documents of a hierarchical model, of each sentence in turn.
EXAMPLE = (11, 5, 7)
BATCHES = ((3,), (1, 17), (29, 2, 13, 29, 5), (64, 1))
SENTENCES = 3  # of the first document of a batch, and one fewer of each further one, down to one


def random_batch(
    graph: Graph,
    tokenizer: PreTrainedTokenizerBase,
    reader: DocumentReader,
    padding: int,
    lengths: tuple[int, ...],
    seed: int,
) -> dict[str, Tensor]:
    """Return a graph's inputs for documents of about so many random tokens, cut at the model's limits."""
    generator = torch.Generator().manual_seed(seed)
    ordinary = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))

    def encoded(count: int, limit: int) -> list[int]:
        chosen = torch.randint(len(ordinary), (count,), generator=generator).tolist()
        text = tokenizer.decode([ordinary[index] for index in chosen])
        return tokenizer(text, truncation=True, max_length=limit)["input_ids"]

    if reader.hierarchical:
        limit = reader.limits.sentence_tokens
        documents = [
            [encoded(lengths[(row + place) % len(lengths)], limit) for place in range(max(1, SENTENCES - row))]
            for row in range(len(lengths))
        ]
        inputs = pad_sentences(documents, padding)
    else:
        assert reader.limits.tokens is not None
        documents = [encoded(length, reader.limits.tokens) for length in lengths]
        inputs = pad(documents, padding)
    if TYPES in graph.inputs:
        inputs[TYPES] = torch.zeros_like(inputs["input_ids"])
    return {name: inputs[name] for name in graph.inputs}
