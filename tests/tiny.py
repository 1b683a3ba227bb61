"""Tiny models and data made on the spot; no download, no mock."""

import json
from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, AutoModelForSequenceClassification, BertConfig, PreTrainedTokenizerFast

from eraserhead.data.batching import pad_sentences
from eraserhead.models.architecture import Architecture
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.splitting import sentence_spans

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


OWN_CODE = """from torch import nn
from transformers import BertModel, BertPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class OwnForSequenceClassification(BertPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.bert = BertModel(config)
        self.decider = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        kwargs.pop("labels", None)
        pooled = self.bert(input_ids, attention_mask=attention_mask, **kwargs).pooler_output
        return SequenceClassifierOutput(logits=-self.decider(pooled))
"""


def with_own_code(folder: Path) -> str:
    """Give the tiny encoder in a folder a classifier that is Python code beside it, and a head."""
    config = folder / "config.json"
    code = {"auto_map": {"AutoModelForSequenceClassification": "modeling_own.OwnForSequenceClassification"}}
    config.write_text(json.dumps(json.loads(config.read_text()) | code))
    (folder / "modeling_own.py").write_text(OWN_CODE)
    torch.manual_seed(3)
    options = {"trust_remote_code": True, "initializer_range": 0.7}
    AutoModelForSequenceClassification.from_pretrained(folder, **options).save_pretrained(folder)
    return str(folder)


def tiny_bert_config(labels: tuple[str, ...], **changes) -> BertConfig:
    """The configuration of a tiny BERT that decides among labels, by weights that tell documents apart."""
    settings = {
        "vocab_size": len(SPECIAL) + len(WORDS),
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 37,
        "max_position_embeddings": 64,
        "initializer_range": 0.4,
        "id2label": dict(enumerate(labels)),
        "label2id": {name: index for index, name in enumerate(labels)},
        **changes,
    }
    return BertConfig(**settings)


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


def saved_limited(folder: Path, **limits: int | str) -> str:
    """The same, which reads documents within these limits."""
    saved = Path(saved_classifier(folder))
    config = json.loads((saved / "config.json").read_text())
    config["limits"] |= limits
    (saved / "config.json").write_text(json.dumps(config))
    return str(saved)


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


HIERARCHICAL = {
    "hierarchical": True,
    "attention_size": 7,
    "dropout": 0.0,
    "recurrent_size": 5,
    "filters": 5,
    "filter_dropout": 0.0,
    "transformer_heads": 2,
    "transformer_feedforward": 13,
}


def tiny_hierarchical(
    folder: Path,
    context: str = "none",
    sentence_context: str | None = None,
    encoder_layers: int = 0,
    labels: tuple[str, ...] = ("a", "b", "c"),
    seed: int = 0,
    **changes,
):
    """A random hierarchical classifier in float64 whose attentions are far from uniform; decisions as above."""
    encoder = tiny_encoder(folder / "encoder", seed)
    torch.manual_seed(seed + 1)
    architecture = Architecture(
        **(HIERARCHICAL | changes), context=context, sentence_context=sentence_context, encoder_layers=encoder_layers
    )
    model = AttentionPoolingForSequenceClassification.from_encoder(encoder, labels, architecture).eval().double()
    inputs = pad_sentences(sentence_ids(sentence_texts(50)), 0)
    with torch.no_grad():
        for name, parameter in model.head.named_parameters():
            if parameter.ndim == 1:  # biases are zeros at first, or tiny
                parameter.add_(0.1 * torch.randn_like(parameter))
            parameter.mul_(3 if "pooling" in name or "classifier" in name else 1)
        if encoder_layers == 0:
            model.encoder.weight.mul_(7)
        logits = model(**inputs).logits
        noise = 0.05 * torch.randn(len(labels), dtype=torch.float64)
        model.head.classifier.bias.sub_(logits.mean(0)).add_(noise)
    return model


def saved_hierarchical(folder: Path, *arguments, **changes) -> str:
    """The same in float32 in a folder of its own, with its tokenizer."""
    model = tiny_hierarchical(folder, *arguments, **changes).float()
    model.save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    return str(folder / "model")


def sentence_texts(count: int, seed: int = 0, most: int = 7, longest: int = 11) -> list[str]:
    """Texts of one to `most` sentences of one to `longest` words, each with a full stop behind it."""
    generator = torch.Generator().manual_seed(seed)
    sentences = torch.randint(1, most + 1, (count,), generator=generator).tolist()
    words = iter(random_texts(sum(sentences), seed, longest))
    return [" ".join(f"{next(words)}." for _ in range(number)) for number in sentences]


def sentence_ids(texts: list[str]) -> list[list[list[int]]]:
    """Ids of every sentence of every text, framed as a text of its own."""
    tokenizer = tiny_tokenizer()
    return [[tokenizer(text[start:end])["input_ids"] for start, end in sentence_spans(text)] for text in texts]


def labelled_sentences(path: Path, count: int, seed: int = 0) -> str:
    """As `labelled_file`, with texts of several sentences."""
    rows = []
    for text in sentence_texts(20 * count, seed, most=5, longest=7):
        difference = text.count("good") - text.count("bad")
        if difference:
            rows.append({"text": text, "label": "pos" if difference > 0 else "neg"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:count]))
    return str(path)
