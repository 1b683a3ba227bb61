"""Pages in Markdown and HTML from templates."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from eraserhead.showing.escapes import markdown, visible


def template(package: str, name: str) -> Template:
    """Return a template from the folder ``templates`` of a package; its filter ``markdown`` escapes untrusted text."""
    return _environment(package, html=False).get_template(name)


def html_template(package: str, name: str) -> Template:
    """Return an HTML template from the folder ``templates`` of a package.

    What it shows is escaped, and its filter ``visible`` makes control characters visible.
    """
    return _environment(package, html=True).get_template(name)


def _environment(package: str, html: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=html,  # for HTML, which would be wrong in Markdown
    )
    environment.filters |= {"markdown": markdown, "visible": visible}
    return environment
