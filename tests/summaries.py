"""Made-up summaries, whose numbers the tests of views know."""

SITE = {"site": "pooling", "special_tokens": "left out", "dtype": "float32"}


def estimate(value, low=None, high=None, count=10):
    return {
        "value": value,
        "low": value if low is None else low,
        "high": value if high is None else high,
        "count": count,
    }


def pair(fewer, more):
    return [{"first": "attention", "second": "random", "fewer": fewer, "equal": estimate(0.1), "more": more}]


def full_summary():
    ranking = {
        "outcomes": {"flip": estimate(0.7), "bias_only": estimate(0.2), "never": estimate(0.1)},
        "fraction": {
            "q25": estimate(0.1),
            "median": estimate(0.5, 0.4, None),
            "q75": estimate(None),
            "mean": estimate(0.3),
        },
        "removed": {"q25": estimate(1.0), "median": estimate(2.0), "q75": estimate(3.0), "mean": estimate(2.5)},
        "mass": {"q25": estimate(0.1), "median": estimate(0.4), "q75": estimate(0.5), "mean": estimate(0.3)},
        "excess": estimate(1.5),
        "optimal": estimate(0.25),
        "evidence_auc": estimate(None, count=0),
    }
    ranking["fraction"]["median"]["high"] = None
    cells = ("both_flip", "top_alone_flips", "other_alone_flips", "none_flips")
    test = {
        "exact": {cell: estimate(value) for cell, value in zip(cells, (0.1, 0.2, 0.3, 0.4), strict=True)},
        "expected_delta_js": estimate(0.01),
        "share_negative": estimate(0.05),
    }
    return {
        "documents": {
            "total": 12, "analysed": 10, "without_components": 1, "with_one_component": 1, "unlabelled": 0,
            "decided_otherwise_by_model": 0,
        },
        "truncation": {"documents": 12, "truncated_documents": 3, "tokens": 90, "truncated_tokens": 10},
        "accuracy": estimate(0.8, 0.7, 0.9),
        "yardstick": "minimum",
        "rankings": {"attention": ranking},
        "beyond_rankings": None,
        "pairs": pair(estimate(0.6), estimate(0.3)),
        "tests": {"attention": test},
        "configuration": {
            "model": {"name": "runs/[red]x"}, "site": "pooling", "special_tokens": "left out", "max_length": 64,
            "dtype": "float32",
            "data": {"name": "imdb", "path": None, "split": "test"},
        },
    }  # fmt: skip
