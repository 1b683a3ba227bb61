"""Tiny models and data made on the spot; no download, no mock."""

import json
from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, BertConfig, PreTrainedTokenizerFast

from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification

WORDS = [
    "a",
    "fine",
    "cast",
    "good",
    "bad",
    "dull",
    "never",
    "not",
    "but",
    "script",
    "film",
    "the",
    "it",
    "was",
    "is",
    "and",
    "very",
    "wakes",
    "up",
    "wasted",
    "on",
    "that",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Whitespace words in BERT's frame, with offsets."""
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )


def tiny_encoder(folder: Path, seed: int = 0, layers: int = 3) -> str:
    """A random 3-layer BERT of width 16 with its tokenizer, saved in a folder; weights large enough to matter."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=29,
        max_position_embeddings=64,
        initializer_range=0.1,
        hidden_dropout_prob=0.0,  # so that a gradient is a function of its batch
        attention_probs_dropout_prob=0.0,
    )
    AutoModel.from_config(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def tiny_classifier(folder: Path, labels: tuple[str, ...] = ("neg", "pos"), seed: int = 0):
    """A random attention-pooling classifier whose attention is far from uniform."""
    encoder = tiny_encoder(folder / "encoder", seed)
    torch.manual_seed(seed + 1)
    model = AttentionPoolingForSequenceClassification.from_encoder(encoder, labels)
    inputs = tiny_tokenizer()(random_texts(50), return_tensors="pt", padding=True)
    with torch.no_grad():
        model.head.last.pooling.context.weight.mul_(2)
        # Centred, so that decisions differ from document to document and flip before everything is erased.
        logits = model.eval()(**inputs).logits
        model.head.classifier.bias.sub_(logits.mean(0)).add_(0.05 * torch.randn(len(labels)))
    return model


def saved_classifier(folder: Path, labels: tuple[str, ...] = ("neg", "pos"), seed: int = 0) -> str:
    """The same in a folder of its own, with its tokenizer."""
    model = tiny_classifier(folder, labels, seed)
    model.save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    return str(folder / "model")


def random_texts(count: int, seed: int = 0, longest: int = 17) -> list[str]:
    """Texts of one to `longest` words."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    return [
        " ".join(WORDS[index] for index in torch.randint(len(WORDS), (length,), generator=generator).tolist())
        for length in lengths
    ]


def labelled_file(path: Path, count: int, seed: int = 0) -> str:
    """A JSON-lines file whose label says whether "good" or "bad" comes more often; texts in between are left out."""
    rows = []
    for text in random_texts(20 * count, seed):
        words = text.split()
        difference = words.count("good") - words.count("bad")
        if difference:
            rows.append({"text": text, "label": "pos" if difference > 0 else "neg"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:count]))
    return str(path)


def texts_dataset(texts: list[str]) -> Dataset:
    """Rows as `load_documents` gives them, without labels."""
    return Dataset.from_dict(
        {"id": [f"test/{i}" for i in range(len(texts))], "text": texts, "label": [None] * len(texts)}
    )
