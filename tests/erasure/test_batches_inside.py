"""Which documents may share a batch: those of one length, or with as many ends of the text."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import processors
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from eraserhead import erase
from eraserhead.data.batching import pad
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.errors import UserError
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from eraserhead.models.architecture import Architecture
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from tables import frames
from tiny import SPECIAL, WORDS, random_texts, tiny_tokenizer

pytestmark = pytest.mark.slow

TEXTS = random_texts(13, seed=5, longest=9)
ENDED = [text.replace(" ", " [SEP] ", row % 3) for row, text in enumerate(TEXTS)]  # [SEP] is BART's end of the text
XLNET = {"d_model": 24, "n_layer": 2, "n_head": 4, "d_inner": 37}
BART = {
    "d_model": 24, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 37,
    "decoder_attention_heads": 4, "decoder_ffn_dim": 37, "decoder_start_token_id": 3,
}  # fmt: skip
CONVBERT = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37, "embedding_size": 17,
    "conv_kernel_size": 3,
}  # fmt: skip

BERT = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37}
FUNNEL = {"d_model": 24, "block_sizes": [1, 1], "n_head": 4, "d_head": 6, "d_inner": 37, "num_decoder_layers": 1}


def checkpoint(folder: Path, family: str, tokenizer=None, **values) -> str:
    torch.manual_seed(0)
    common = {"vocab_size": len(SPECIAL) + len(WORDS), "pad_token_id": 0, "eos_token_id": 3, "num_labels": 3}
    config = AutoConfig.for_model(family, **common, **values, initializer_range=0.4, init_std=0.4)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    (tokenizer or tiny_tokenizer()).save_pretrained(folder)
    return str(folder)


def config(folder: Path, model: str, texts: list[str]) -> EraseConfig:
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    data = DataConfig(path=str(path), max_length=64)
    return EraseConfig(model=model, data=data, output_dir=str(folder / "results"), draws=2, cpu=True)


@pytest.mark.parametrize(
    ("family", "values", "texts"), [("convbert", CONVBERT, TEXTS), ("xlnet", XLNET, TEXTS), ("bart", BART, ENDED)]
)
def test_documents_give_the_same_together_as_alone(tmp_path, caplog, family, values, texts):
    model = checkpoint(tmp_path / "model", family, **values)
    with caplog.at_level("INFO"):
        documents = frames(erase_to_folder(config(tmp_path, model, texts)))["documents"]
    assert ("only documents of the same length are read together" in caplog.text) == (family != "bart")
    assert documents.text.tolist() == texts
    for row, text in enumerate(texts):
        alone = erase(model, [text], draws=2, cpu=True).documents.iloc[0]
        assert documents.n[row] == alone.n
        np.testing.assert_allclose(documents.probabilities[row], alone.probabilities, rtol=0, atol=1e-6)
        assert np.ptp(np.stack([*documents.probabilities]), 0).max() > 1e-2


@pytest.mark.parametrize(
    ("family", "values", "hierarchical"),
    [("convbert", CONVBERT, False), ("funnel", FUNNEL, True), ("bert", BERT, True)],
    ids=["convbert", "funnel", "bert"],
)
def test_a_head_gives_the_same_in_any_batch(tmp_path, caplog, family, values, hierarchical):
    """Positive control: the encoder's vectors of a text change beside a longer one, but for BERT's."""
    torch.manual_seed(0)
    vocabulary = len(SPECIAL) + len(WORDS)
    named = AutoConfig.for_model(family, vocab_size=vocabulary, pad_token_id=0, **values, initializer_range=0.4)
    named.architectures = ["FunnelModel"]  # the one of its two that gives every token a vector
    AutoModel.from_config(named).save_pretrained(encoder := tmp_path / "encoder")
    tiny_tokenizer().save_pretrained(encoder)
    architecture = Architecture(hierarchical=hierarchical)
    model = AttentionPoolingForSequenceClassification.from_encoder(str(encoder), ("a", "b"), architecture).eval()
    batch = pad([[2, 5, 8, 11, 14, 17, 3], [2, 6, 9, 3]], 0)
    with torch.no_grad():
        beside = model.token_vectors(**batch)[1, :4]
        alone = model.token_vectors(**{name: inputs[1:, :4] for name, inputs in batch.items()})[0]
    sees = family != "bert"
    assert ((beside - alone).abs().max() > 1e-2) == sees
    texts = [text.replace(" ", ". ", row % 3) for row, text in enumerate(TEXTS)] if hierarchical else TEXTS
    with caplog.at_level("INFO"):
        one, all_ = (
            erase(model, texts, tokenizer=tiny_tokenizer(), batch_tokens=tokens, draws=2, cpu=True)
            for tokens in (1, 9999)
        )
    assert ("padding changes this model's decisions" in caplog.text) == sees
    probabilities = [np.stack([*found.documents.probabilities]) for found in (one, all_)]
    np.testing.assert_allclose(*probabilities, rtol=0, atol=1e-6)
    assert np.ptp(probabilities[0], 0).max() > 1e-2
    assert one.flips.removed.equals(all_.flips.removed)


def test_texts_without_the_end_that_a_decoder_decides_at_are_refused(tmp_path):
    """All of them, since a tokenizer that adds it adds it to each; the first is named."""
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 2)]
    )
    model = checkpoint(tmp_path / "model", "bart", tokenizer, **BART)
    match = r"read at the end of the text \(id 3\), and 2 of the 3 documents have none, the first is texts/1: its token"
    with pytest.raises(UserError, match=match):
        erase_to_folder(config(tmp_path, model, ["a [SEP]", "a fine film", "dull"]))
    assert not (tmp_path / "results").exists()
    with pytest.raises(UserError, match="1 of the 1 documents have none"):
        explain(ExplainConfig(model=model, text="a fine film", cpu=True))
