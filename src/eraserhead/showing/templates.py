"""Markdown pages from templates."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from eraserhead.showing.escapes import markdown


def template(package: str, name: str) -> Template:
    """Return a template in the folder ``templates`` of a package; its filter ``markdown`` makes text of others safe."""
    environment = Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # which is for HTML
    )
    environment.filters["markdown"] = markdown
    return environment.get_template(name)
