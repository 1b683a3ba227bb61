"""What the refusal of a family promises: a head on such an encoder trains, and its pooling layer is erased."""

import pytest
import torch
from transformers import AutoConfig, AutoModel

from eraserhead import erase
from eraserhead.data.config import DataConfig
from eraserhead.patch.families import REFUSED
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train
from tiny import labelled_file, random_texts, tiny_tokenizer

pytestmark = pytest.mark.slow

COMMON = {
    "vocab_size": 27, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 29,
    "max_position_embeddings": 66, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
}  # fmt: skip
XLM = {
    "vocab_size": 27, "emb_dim": 16, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 66, "pad_index": 0,
    "n_langs": 1, "use_lang_emb": False,
}  # fmt: skip
CONFIGS: dict[str, dict] = {
    "bigbird_pegasus": {
        "vocab_size": 27, "d_model": 16, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 29, "decoder_ffn_dim": 29, "max_position_embeddings": 66,
        "pad_token_id": 0,
    },
    "flaubert": XLM,
    "fnet": COMMON,
    "funnel": {"vocab_size": 27, "block_sizes": [1, 1], "d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 29,
               "architectures": ["FunnelModel"]},
    "longformer": {**COMMON, "attention_window": 4},
    "luke": {**COMMON, "entity_vocab_size": 5, "entity_emb_size": 7},
    "nystromformer": COMMON,
    "yoso": {**COMMON, "use_expectation": True},
    "mra": COMMON,
    "xlm": XLM,
}  # fmt: skip


@pytest.mark.parametrize("family", [name for name, refusal in REFUSED.items() if refusal.head])
def test_a_head_on_the_encoder_trains_and_is_erased(tmp_path, monkeypatch, family):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(family, **CONFIGS[family])).save_pretrained(tmp_path / "encoder")
    tiny_tokenizer().save_pretrained(tmp_path / "encoder")
    data = DataConfig(path=labelled_file(tmp_path / "train.jsonl", 40), max_length=32, validation_size=10)
    model, settings = ModelConfig(encoder=str(tmp_path / "encoder")), TrainingConfig(epochs=1)
    folder = train(TrainConfig(output_dir=str(tmp_path / "run"), data=data, model=model, training=settings, cpu=True))
    result = erase(str(folder.path), random_texts(5), draws=1, cpu=True)
    assert (result.flips["ranking"] == "attention").sum() == 5
