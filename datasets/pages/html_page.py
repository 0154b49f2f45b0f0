"""HTML pages in one offline file, from templates in which every value is escaped."""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_SHARED = "embodio.datasets.pages"
# HTML allows no control characters but tab and line feed.
_CONTROL = {code: "\ufffd" for code in (*range(32), 127) if chr(code) not in "\t\n"}


def html_page(package: str, template: str, **values: Any) -> bytes:
    """A whole page in UTF-8; what UTF-8 cannot hold becomes "?".

    Args:
        package: the package whose folder `templates` holds the template, such as "embodio.datasets.pages"; it may
            extend `page.html` and import `parts.html` of that package.
        template: name of its file.
        values: what the template names. Text is escaped; only `Markup`, as of `html_part`, is taken as it is.
    """
    return html_part(package, template, **values).encode("utf-8", errors="replace")


def html_part(package: str, template: str, **values: Any) -> Markup:
    """A part of a page, ready to be a value of another template; arguments as of `html_page`."""
    from markupsafe import Markup

    return Markup(_environment(package).get_template(template).render(values))


@cache
def _environment(package: str) -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = ChoiceLoader([PackageLoader(package), PackageLoader(_SHARED)])
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_clean, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["base64"] = lambda data: Markup(base64.b64encode(data).decode("ascii"))
    made.globals["source"] = lambda name: Markup(loader.get_source(made, name)[0])
    return made


def _clean(value: object) -> object:
    """Text with U+FFFD in place of control characters; markup and other values as they are."""
    return value.translate(_CONTROL) if type(value) is str else value
