"""Markdown pages from templates."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from eraserhead.faces.escapes import markdown


def template(name: str) -> Template:
    """Return a template of this package; its filter ``markdown`` makes text of others safe."""
    environment = Environment(
        loader=PackageLoader("eraserhead.faces", package_path="."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # which is for HTML
    )
    environment.filters["markdown"] = markdown
    return environment.get_template(name)
