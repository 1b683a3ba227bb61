"""Tiny models that decide label by label, and the models of two classes that decide the same of one label."""

import copy
import json
import math
from pathlib import Path

import torch
from torch import nn
from transformers import BertForSequenceClassification, PreTrainedModel

from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from tiny import random_texts, saved_classifier, saved_hierarchical, sentence_texts, tiny_bert_config, tiny_tokenizer

LABELS = ("toxic", "insult", "threat", "spam")
TEXTS = random_texts(17, seed=7, longest=11)
SENTENCES = sentence_texts(9, seed=5)


def multi_label(folder: Path, kind: str = "pooling") -> str:
    """A multi-label model: ``pooling``, ``words`` (hierarchical) or ``inside`` (a hub classifier)."""
    if kind == "inside":
        return _saved(folder / "model", _bert(len(LABELS), problem_type="multi_label_classification"))
    saved = saved_hierarchical(folder, labels=LABELS) if kind == "words" else saved_classifier(folder, LABELS)
    config = Path(saved) / "config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps({**content, "problem_type": "multi_label_classification"}))
    return saved


def single_output(folder: Path) -> str:
    """A hub classifier with one output, as rerankers are."""
    return _saved(folder / "model", _bert(1))


def two_classes(model: PreTrainedModel, label: int, cut: float, folder: Path) -> str:
    """Save the model of two classes, off and on, whose logits are 0 and the label's above the cut."""
    ours = isinstance(model, AttentionPoolingForSequenceClassification)
    twin = copy.deepcopy(model)
    old = twin.head.classifier if ours else twin.classifier
    new = nn.Linear(old.in_features, 2)
    with torch.no_grad():
        new.weight.copy_(torch.stack([torch.zeros_like(old.weight[0]), old.weight[label]]))
        new.bias.copy_(torch.stack([torch.zeros(()), old.bias[label] - cut]))
    if ours:
        twin.head.classifier = new
    else:
        twin.classifier, twin.num_labels = new, 2
    twin.config.id2label, twin.config.label2id = {0: "off", 1: "on"}, {"off": 0, "on": 1}
    twin.config.problem_type = None
    return _saved(folder, twin)


def logit(threshold: float) -> float:
    return math.log(threshold / (1 - threshold))


def _bert(labels: int, **changes) -> PreTrainedModel:
    torch.manual_seed(1)
    config = tiny_bert_config(LABELS[:labels], **changes)
    model = BertForSequenceClassification(config).eval()
    inputs = tiny_tokenizer()(random_texts(50), return_tensors="pt", padding=True)
    with torch.no_grad():
        model.classifier.bias.sub_(model(**inputs).logits.mean(0)).add_(0.1)
    return model


def _saved(folder: Path, model: PreTrainedModel) -> str:
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)
