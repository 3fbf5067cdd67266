"""Lets the same Markdown serve two readers, in the repository and on the site.

Three pages of the site are files of the repository's root. A link to a file outside docs/ brings that
file along; one to a folder becomes plain text. A link to what does not exist is left to MkDocs, which
warns of it, and `--strict` fails.
"""

import re
from pathlib import Path
from posixpath import dirname, relpath

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
DOCS = ROOT / 'docs'
PAGES = {'index.md': 'README.md', 'changelog.md': 'CHANGELOG.md', 'contributing.md': 'CONTRIBUTING.md'}
FENCED = re.compile(r'(^```.*?^```)', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'(?P<label>!?\[[^\]]*\])\((?!\w+:|#)(?P<path>[^)\s#]+)(?P<anchor>#[^)]*)?\)')


def on_files(files, config):
    """Add the pages that lie in the repository's root."""
    for uri, source in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn the links of the repository into those of the site."""
    here = page.file.src_uri
    folder = (ROOT / PAGES.get(here, f'docs/{here}')).parent

    def on_site(link):
        target = (folder / link['path']).resolve()
        if target.is_dir() and (target / 'README.md').is_file():
            target /= 'README.md'
        if target.is_dir():
            return link['label'].strip('[]')
        if not target.is_file() or not target.is_relative_to(ROOT):
            return link[0]
        uri = site_uri(target, config, files)
        return f'{link["label"]}({relpath(uri, dirname(here) or ".")}{link["anchor"] or ""})'

    parts = FENCED.split(markdown)
    return ''.join(part if i % 2 else LINK.sub(on_site, part) for i, part in enumerate(parts))


def site_uri(target, config, files):
    """Where a file of the repository is on the site."""
    name = target.relative_to(ROOT).as_posix()
    for uri, source in PAGES.items():
        if name == source:
            return uri
    if target.is_relative_to(DOCS):
        return target.relative_to(DOCS).as_posix()
    uri = f'repository/{name}'
    if files.get_file_from_path(uri) is None:
        files.append(File.generated(config, uri, abs_src_path=str(target)))
    return uri
