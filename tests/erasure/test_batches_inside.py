"""Which documents may share a batch inside a checkpoint: those of one length, or with as many ends of the text."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import processors
from transformers import AutoConfig, AutoModelForSequenceClassification

from eraserhead import erase
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.errors import UserError
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from tables import frames
from tiny import SPECIAL, WORDS, random_texts, tiny_tokenizer

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
