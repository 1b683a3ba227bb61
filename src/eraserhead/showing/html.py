"""Pages of HTML in one file, which ask nothing of any server and run no script but their own."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

# In a block of data, what could end the block, or begin another one, is written as JavaScript's escapes.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def page(package: str, template: str, title: str, content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of a page.

    Args:
        package: The package whose folder ``page`` has the template, and all styles (.css) and scripts (.js).
        template: Name of the template. It gets the title, styles and scripts, a policy that lets nothing else run, and
            the content.
        title: Title of the page, which is escaped, as is everything in `content` that is no `Markup`.
        content: What else the template names.
    """
    loader = PackageLoader(package, "page")
    environment = Environment(
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )

    def joined(ending: str) -> str:
        names = sorted(name for name in loader.list_templates() if name.endswith(ending))
        return "\n".join(loader.get_source(environment, name)[0] for name in names)

    style, script = joined(".css"), f'"use strict";\n(() => {{\n{joined(".js")}\n}})();'
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data: blob:",  # a picture is drawn from its own SVG when it is saved
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    yield from environment.get_template(template).generate(
        title=title, policy=policy, style=Markup(style), script=Markup(script), **content
    )


def data(value: Any) -> Markup:
    """Return a value as JSON for a script block, in ASCII: nothing in it can end the block."""
    written = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup("".join(ESCAPES.get(character, character) for character in written))


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
