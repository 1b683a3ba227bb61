"""An atlas of a checkpoint: against erasure place by place, with a head that decides everything, and interrupted."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from transformers import BartConfig, BartForSequenceClassification, BertForSequenceClassification

import eraserhead
from eraserhead.cli.main import main
from eraserhead.errors import UserError
from eraserhead.mapping import mapping
from eraserhead.mapping.answer import documents_needed, standing_out
from eraserhead.mapping.api import Atlas
from eraserhead.mapping.config import AtlasConfig
from eraserhead.mapping.folder import AtlasFolder
from eraserhead.mapping.mapping import Mapper, map_to_folder, shard_size
from eraserhead.method.statistics import holm
from tiny import SPECIAL, WORDS, random_texts, saved_classifier, tiny_bert_config, tiny_tokenizer

pytestmark = pytest.mark.slow

TEXTS = random_texts(23, seed=5, longest=13)
LABELS = ("neg", "pos", "mixed")


@pytest.fixture(scope="module")
def model() -> BertForSequenceClassification:
    """A random 3-layer BERT of 4 heads whose decisions differ from document to document."""
    torch.manual_seed(0)
    return BertForSequenceClassification(tiny_bert_config(LABELS)).eval()


def mapped(model, texts=TEXTS, **options) -> Atlas:
    return eraserhead.atlas(model, texts, tokenizer=tiny_tokenizer(), cpu=True, **options)


def erased(model, site: str, heads=None) -> pd.DataFrame:
    options = {"tokenizer": tiny_tokenizer(), "cpu": True, "draws": 2, "curves": "none"}
    return eraserhead.erase(model, TEXTS, site=site, heads=heads, **options).flips


def of_place(atlas, layer: int, head: int | None) -> pd.DataFrame:
    flips = atlas.flips
    return flips[(flips.layer == layer) & (flips["head"].isna() if head is None else flips["head"] == head)]


@pytest.fixture(scope="module")
def grid(model) -> Atlas:
    return mapped(model)


@pytest.fixture(scope="module")
def complete(model) -> Atlas:
    return mapped(model, heads="complete")


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_layer_and_a_head_are_what_erasing_there_gives(model, complete, layer):
    """The same documents and draws; the best set found too, which is among the same orders."""
    for head in (None, layer + 1):
        own, flips = of_place(complete, layer, head), erased(model, f"layer:{layer}", None if head is None else [head])
        for ranking in ("attention", "gradient", "product", "best_found"):
            expected = flips[flips.ranking == ranking].removed.to_numpy(dtype=float)
            np.testing.assert_array_equal(own[f"removed_{ranking}"].to_numpy(dtype=float), expected)
        random = flips[flips.ranking == "random"].removed.to_numpy(dtype=float).reshape(-1, 2)
        np.testing.assert_array_equal(np.stack(own.removed_random.tolist()), random)
        assert np.isfinite(random).any()


def test_a_grid_of_prefixes_is_never_below_every_prefix(grid, complete):
    """It looks at some of them alone, each of which is of its sizes; the whole and the top are the same."""
    every, grid = complete.flips, grid.flips
    heads = grid["head"].notna()
    assert every[~heads].equals(grid[~heads])
    for name in ("attention", "gradient", "product"):
        on_grid, exact = (each[heads][f"removed_{name}"].fillna(np.inf).to_numpy() for each in (grid, every))
        assert (on_grid >= exact).all()
        assert (on_grid > exact).any()
        sizes = on_grid[np.isfinite(on_grid)]
        assert (np.isin(sizes, 2.0 ** np.arange(5)) | (sizes == grid[heads].n[np.isfinite(on_grid)])).all()
    for name in ("top_js", "whole_js", "top_flips", "whole_flips"):
        assert every[name].equals(grid[name])


def test_the_table_has_the_documents_numbers(grid):
    """Shares, means and the difference by pandas; the p-values by all signs, corrected over all places."""
    table, p_values = grid.places, []
    for place in table.itertuples():
        own = of_place(grid, place.layer, None if np.isnan(place.head) else int(place.head))
        own = own[own.n > 1]
        assert place.documents == len(own)
        assert place.flips_attention == pytest.approx(own.removed_attention.notna().mean())
        assert place.flips_best_found == pytest.approx(own.removed_best_found.notna().mean())
        assert place.whole_flips == pytest.approx(own.whole_flips.mean())
        assert place.top_js == pytest.approx(own.top_js.mean())
        draws = np.nan_to_num(np.stack(own.removed_random.tolist()), nan=np.inf)
        first = own.removed_attention.fillna(np.inf).to_numpy()[:, None]
        assert place.flips_random == pytest.approx(np.isfinite(draws).mean())
        difference = (first < draws).mean(1) - (first > draws).mean(1)
        assert place.advantage == pytest.approx(difference.mean())
        assert place.advantage_low <= place.advantage <= place.advantage_high
        steps = difference[difference != 0]
        signs = 1 - 2 * ((np.arange(2 ** len(steps))[:, None] >> np.arange(len(steps))) & 1)
        exact = (np.abs(signs @ steps) >= abs(steps.sum()) - 1e-9).mean()
        p_values.append(exact)
        assert place.p_value == pytest.approx(exact) if len(steps) else np.isnan(place.p_value)
    known = table.p_value.notna()
    np.testing.assert_allclose(table.p_corrected[known], holm(np.array(p_values))[known])
    assert 5 < known.sum() < len(known)  # a place at which nothing differs counts among all
    assert [(each.layer, each.head) for each in grid.summary.places][:6] == [
        *((0, head) for head in (None, 0, 1, 2, 3)),
        (1, None),
    ]


PAYS = "good"  # the word that the planted head looks at
LAYER, HEAD, NOISE = 1, 2, 0.02  # where it is; how much all other heads write
FOUND, FOR, AGAINST, READ = 0, 1, 2, 5  # axes of the hidden vectors


@torch.no_grad()
def planted() -> BertForSequenceClassification:
    """A BERT that decides by one head alone, which looks for one word.

    The word's value is for "yes", that of every other word against it. So the decision is "yes" as long as the word is
    seen, and "no" once its weight is erased. All other heads attend at random and write next to nothing.
    """
    torch.manual_seed(3)
    config = tiny_bert_config(("no", "yes"))
    model, size = BertForSequenceClassification(config).eval(), config.hidden_size // config.num_attention_heads
    embeddings, first = model.bert.embeddings, HEAD * size
    for table in (embeddings.word_embeddings, embeddings.position_embeddings, embeddings.token_type_embeddings):
        table.weight[:, : AGAINST + 1] = 0.0
    embeddings.word_embeddings.weight[:, AGAINST] = 2.0
    embeddings.word_embeddings.weight[len(SPECIAL) + WORDS.index(PAYS), : AGAINST + 1] = torch.tensor([4.0, 3.0, 0.0])
    for layer in model.bert.encoder.layer:
        layer.attention.output.dense.weight.mul_(NOISE)
        layer.output.dense.weight.mul_(NOISE)
    attention = model.bert.encoder.layer[LAYER].attention
    for part in (attention.self.query, attention.self.key, attention.self.value):
        part.weight[first : first + size] = 0.0
        part.bias[first : first + size] = 0.0
    attention.self.query.bias[first] = 4.0
    attention.self.key.weight[first, FOUND] = 4.0
    attention.self.value.weight[first, FOR], attention.self.value.weight[first, AGAINST] = 1.0, -1.0
    attention.output.dense.weight[READ, first] = 20.0
    model.bert.pooler.dense.weight.zero_()
    model.bert.pooler.dense.weight[0, READ] = 3.0
    model.classifier.weight.zero_()
    model.classifier.weight[1, 0] = 4.0
    return model


def test_a_head_that_decides_everything_stands_out_and_random_heads_do_not():
    """Along its attention every decision flips at once; at random only when the word's turn comes."""
    texts = [f"{text.replace('good', 'fine').replace('bad', 'fine')} {PAYS}" for text in TEXTS]
    atlas = mapped(planted(), texts)
    assert (atlas.documents.prediction == 1).all()
    assert [(place.layer, place.head) for place in standing_out(atlas.summary)] == [(LAYER, None), (LAYER, HEAD)]
    own = of_place(atlas, LAYER, HEAD)
    assert (own.removed_attention == 1).all()
    assert own.top_flips.all()
    table = atlas.places.set_index(["layer", "head"])
    assert table.stands_out.sum() == 2
    assert table.flips_attention[LAYER, HEAD] == 1.0
    assert table.drop(index=[(LAYER, HEAD), (LAYER, np.nan)]).flips_best_found.max() == 0.0
    shown = "at 2 of 15 places (3 layers and 12 heads), and with more at none"
    assert shown in " ".join(atlas.page.split())


def test_too_few_documents_say_so_and_mark_nothing(model):
    """Six documents of one sign have 2 of 2 ** 6 signs on their side, .03, which fifteen places lift to .47."""
    assert documents_needed(15) == 10
    assert documents_needed(78) == 12  # 2 / 2 ** 11 * 78 is .076, and half of it .038
    atlas = mapped(model, TEXTS[:6])
    assert standing_out(atlas.summary) == []
    assert not atlas.places.stands_out.any()
    assert "6 documents are too few, it takes 10" in " ".join(atlas.page.split())


def checkpoint(folder: Path, model) -> str:
    model.save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    rows = [{"text": text, "label": LABELS[index % 3]} for index, text in enumerate(TEXTS)]
    (folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / "model")


def config(tmp_path, model, **changes) -> AtlasConfig:
    data = eraserhead.DataConfig(path=str(tmp_path / "texts.jsonl"), max_length=64)
    options = {"output_dir": str(tmp_path / "atlas"), "shard_size": 5, "cpu": True, "layers": [2], "heads": "none"}
    options |= changes
    return AtlasConfig(checkpoint(tmp_path, model), data=data, **options)


def test_an_interrupted_atlas_continues_and_ends_as_if_it_had_not_been(tmp_path, model, monkeypatch, capsys):
    asked = config(tmp_path, model)
    whole = map_to_folder(config(tmp_path, model, output_dir=str(tmp_path / "whole")))
    calls, shard = [], Mapper.shard

    def interrupted(mapper, documents, count):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(len(documents))
        return shard(mapper, documents, count)

    monkeypatch.setattr(Mapper, "shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        map_to_folder(asked)
    folder = AtlasFolder(Path(asked.folder))
    assert len(folder.finished_shards()) == 2
    assert main(["show", str(folder.path)]) == 2
    assert "unfinished atlas results; run the same `eraserhead atlas` again" in capsys.readouterr().err
    monkeypatch.setattr(Mapper, "shard", shard)
    continued = map_to_folder(asked)
    assert continued.summary().run.earlier_shards == 2
    assert continued.summary().places == whole.summary().places
    assert not (folder.path / "atlas-shards").exists()
    for name in ("documents", "flips"):
        assert continued.table(name).equals(whole.table(name))


def test_progress_counts_what_each_place_costs_up_to_the_whole(tmp_path, model, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    shown = []

    class Kept(mapping.Progress):
        def advance(self, documents=1):
            super().advance(documents)
            shown.append((self.done, self.total))

    monkeypatch.setattr(mapping, "Progress", Kept)
    found = map_to_folder(config(tmp_path, model, layers=None, heads="each"))
    assert len(shown) % len(found.summary().places) == 0
    assert shown[-1][0] == shown[-1][1]
    first = np.diff([0, *(done for done, _ in shown)])[: len(found.summary().places)]
    assert first[0] == max(first)  # the lowest layer as a whole
    assert f"{len(TEXTS)} documents at" in caplog.text


def test_another_setup_in_the_folder_is_refused_and_damage_is_found(tmp_path, model, capsys):
    asked = config(tmp_path, model)
    folder = map_to_folder(asked)
    with pytest.raises(UserError, match=r"holds atlas results of another setup \(different: draws\)"):
        map_to_folder(config(tmp_path, model, draws=3))
    for name in folder.DERIVED:
        assert (folder.path / name).is_file()
    (folder.path / "atlas.parquet").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"atlas\.parquet: damaged"):
        folder.checked_summary()
    map_to_folder(asked)  # makes it again
    assert folder.checked_summary().documents.total == len(TEXTS)


def test_the_command_prints_the_answer_and_show_all_places(tmp_path, model, capsys):
    folder = checkpoint(tmp_path, model)
    data = ["--data.path", str(tmp_path / "texts.jsonl"), "--cpu"]
    assert main(["atlas", folder, *data, "--layers", "0,-1", "--heads", "none"]) == 0
    shown = capsys.readouterr().out
    assert "│ layer 2 " in shown
    assert "head" not in shown.split("┏")[1].split("└")[0]
    assert main(["show", f"{folder}/atlas-layers-last-0-heads-none", "--details"]) == 0
    assert "JS of the top" in capsys.readouterr().out


REFUSED = {
    "layers": ({"layers": [7]}, r"layers=\[7\]: the model has 3 layers, numbered from 0 to 2"),
    "heads": ({"heads": "some"}, "heads='some': must be"),
    "draws": ({"draws": 0}, "draws=0"),
    "threshold": ({"threshold": 0.5}, "threshold=0.5: has no effect"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_options_without_sense_are_refused_in_one_line(model, kind):
    options, message = REFUSED[kind]
    with pytest.raises(UserError, match=message):
        mapped(model, **options)


def test_models_without_layers_of_one_kind_are_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="is read at its attention-pooling layers alone"):
        eraserhead.atlas(saved_classifier(tmp_path), TEXTS, cpu=True)
    small = dict.fromkeys(("d_model", "encoder_ffn_dim", "decoder_ffn_dim"), 16)
    heads = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
    bart = BartForSequenceClassification(
        BartConfig(vocab_size=40, encoder_layers=1, decoder_layers=1, eos_token_id=3, **small, **heads)
    )
    with pytest.raises(UserError, match="a 'bart' model has layers of two kinds, an encoder's and a decoder's"):
        mapped(bart)


def test_labels_that_are_decided_alone_are_averaged_within_their_documents(tmp_path):
    """Two labels a document: a row of the flips for each, and one document in the shares."""
    torch.manual_seed(0)
    labels = BertForSequenceClassification(tiny_bert_config(LABELS, problem_type="multi_label_classification")).eval()
    atlas = mapped(labels, target=["neg", "mixed"], layers=[2])
    own = of_place(atlas, 2, 1)
    assert own.target.tolist() == ["neg", "mixed"] * len(TEXTS)
    share = own[own.n > 1].groupby("id", sort=False).removed_attention.apply(lambda each: each.notna().mean())
    found = atlas.places.set_index(["layer", "head"]).loc[(2, 1)]
    assert found.flips_attention == pytest.approx(share.mean())
    assert found.documents == len(share)


def test_words_are_components_too(model):
    tokens, words = (mapped(model, layers=[2], components=unit) for unit in ("tokens", "words"))
    assert words.summary.setup.site.components == "words"
    assert (words.documents.n <= tokens.documents.n).all()
    assert words.documents.n.tolist() == [len(text.split()) + 2 for text in TEXTS]


def test_the_page_asks_for_nothing_and_shows_names_as_text(tmp_path):
    torch.manual_seed(0)
    model = BertForSequenceClassification(tiny_bert_config(LABELS)).eval()
    folder = tmp_path / "<script>alert(1)<"
    page = eraserhead.atlas(checkpoint(folder, model), TEXTS[:12], heads="none", cpu=True).page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    asked = [
        part for part in ("src=", "url(http", "@import", "<link", "<img", "<image", 'xlink:href="http') if part in page
    ]
    assert asked == []


@pytest.mark.parametrize(("heads", "size"), [("none", 64), ("each", 32), ("complete", 8)])
def test_the_size_of_shards_follows_from_what_is_looked_at(heads, size):
    """A million weights, six layers of twelve heads, five orders of 100 components.

    Above the layers 3.5 passes on average for each erasure: 500 of a layer, and with the grid's seven sizes 420 of its
    heads, or 6,000. 4e13 operations are then 114, 62 or 8.8 documents.
    """
    weights = nn.Sequential(nn.Embedding(50, 7), nn.Linear(1000, 1000, bias=False))
    inner = SimpleNamespace(checkpoint=SimpleNamespace(model=weights))
    opened = SimpleNamespace(opened=inner, layers=tuple(range(6)), all_layers=6, heads=12)
    assert shard_size(opened, [50, 150], 10**6, heads, draws=2) == size
