"""Columns of the result tables."""

import pyarrow as pa

TARGET = ("target", pa.string())  # of every table: the label that a row is about; null where a document is one decision
PERCENTILE = ("percentile", pa.float64())  # how far from the others what the head sees lies; null in shards
# Agreement with people: average precision, AUC and F1 of an order, and of annotators with each other.
RATIONALE_COLUMNS = ("rationale_average_precision", "rationale_auc", "rationale_f1")
CEILING_COLUMNS = ("ceiling_average_precision", "ceiling_auc", "ceiling_f1")
DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("label", pa.int32()),
        ("prediction", pa.int32()),
        ("model_prediction", pa.int32()),
        ("probabilities", pa.list_(pa.float64())),
        ("n", pa.int32()),
        ("components", pa.list_(pa.string())),
        ("starts", pa.list_(pa.int32())),
        ("ends", pa.list_(pa.int32())),
        ("single_js", pa.list_(pa.float64())),
        ("single_decision", pa.list_(pa.int32())),
        ("tokens", pa.int32()),
        ("truncated_tokens", pa.int32()),
        ("sentences", pa.int32()),
        ("truncated_sentences", pa.int32()),
        ("training_role", pa.string()),
        ("labels", pa.list_(pa.int32())),
        ("predictions", pa.list_(pa.int32())),
        PERCENTILE,
        ("annotators", pa.int32()),
        *((name, pa.float64()) for name in CEILING_COLUMNS),
        TARGET,
    ]
)
FLIPS = pa.schema(
    [
        ("id", pa.string()),
        ("ranking", pa.string()),
        ("draw", pa.int32()),
        ("n", pa.int32()),
        ("removed", pa.int32()),
        ("fraction", pa.float64()),
        ("mass", pa.float64()),
        ("outcome", pa.string()),
        ("order", pa.list_(pa.int32())),
        PERCENTILE,
        *((name, pa.float64()) for name in RATIONALE_COLUMNS),
        TARGET,
    ]
)
SINGLES = pa.schema(
    [
        ("id", pa.string()),
        ("ranking", pa.string()),
        ("n", pa.int32()),
        ("top", pa.int32()),
        ("random", pa.int32()),
        ("delta_attention", pa.float64()),
        ("js_top", pa.float64()),
        ("js_random", pa.float64()),
        ("delta_js", pa.float64()),
        ("top_flips", pa.bool_()),
        ("random_flips", pa.bool_()),
        ("expected_delta_js", pa.float64()),
        ("share_negative", pa.float64()),
        ("share_zero", pa.float64()),
        ("share_random_flips", pa.float64()),
        TARGET,
    ]
)
SIGNALS = pa.schema(
    [
        ("id", pa.string()),
        ("ranking", pa.string()),
        ("scores", pa.list_(pa.float64())),
        TARGET,
    ]
)
CURVES = pa.schema(
    [
        ("id", pa.string()),
        ("ranking", pa.string()),
        ("n", pa.int32()),
        ("k", pa.list_(pa.int32())),
        ("probability_removed", pa.list_(pa.float32())),
        ("probability_kept", pa.list_(pa.float32())),
        ("comprehensiveness", pa.float64()),
        ("sufficiency", pa.float64()),
        ("comprehensiveness_at", pa.list_(pa.float64())),
        ("sufficiency_at", pa.list_(pa.float64())),
        ("aopc", pa.float64()),
        ("naopc", pa.float64()),
        ("naopc_width", pa.float64()),
        TARGET,
    ]
)
DOCUMENT_ROWS = "documents"  # the table that has a row for each document
FLIP_ROWS = "flips"
SCHEMAS = {DOCUMENT_ROWS: DOCUMENTS, "signals": SIGNALS, FLIP_ROWS: FLIPS, "singles": SINGLES, "curves": CURVES}

# What shards and parts have beside: which of all documents it is, and what the head sees, from which come percentiles.
PLACE = pa.field("place", pa.int64())
SEEN = pa.field("seen", pa.list_(pa.float32()))
TABULATED = {**SCHEMAS, DOCUMENT_ROWS: DOCUMENTS.append(SEEN), FLIP_ROWS: FLIPS.append(SEEN)}
PARTS = {**TABULATED, DOCUMENT_ROWS: TABULATED[DOCUMENT_ROWS].append(PLACE)}
