"""Lets docstrings use Sphinx's roles: what is documented becomes a link, the rest plain code."""

import re

import griffe

ROLE = re.compile(r':(?:class|func|meth|mod|attr):`(~?)([\w.]+)`')
LINK = '<autoref optional identifier="{0}"><code>{1}</code></autoref>'


class Roles(griffe.Extension):
    """Turns :class:`~package.Name` into an optional cross-reference."""

    def on_object(self, *, obj, **_):
        """Rewrite the object's docstring."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(
                lambda role: LINK.format(role[2], role[2].split('.')[-1] if role[1] else role[2]),
                obj.docstring.value,
            )
