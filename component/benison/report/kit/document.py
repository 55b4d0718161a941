# SPDX-License-Identifier: Apache-2.0
"""How a page is put together: one document of HTML with one script and one style sheet.

A Content-Security-Policy allows these two, by their digests, and nothing else: no network, no markup or
program made of a name. The scripts stay files, each a part of one function.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import pkgutil
import re
from collections.abc import Sequence

from benison.report.look import colours
from benison.table.words import FEW_EXAMPLES

MAX_BYTES = 3_900_000
"""Of a page: some mail servers and viewers refuse a file of more than 4 MB."""

_FOR_AUTHORS = re.compile(r"/\*.*?\*/ ?|^\s*//[^\n]*\n|^\s+", re.DOTALL | re.MULTILINE)
"""Comments and indentation; nothing in a file looks like either and is not."""

_KIT_SCRIPTS = ("elements", "text", "numbers", "files", "tips", "address", "axes", "charts")
_KIT_STYLES = ("kit", "charts")


@dataclasses.dataclass(frozen=True)
class Document:
    """The files of a page in `folder`, beside those that all pages have."""

    folder: str
    scripts: Sequence[str]
    styles: Sequence[str]

    def template(self) -> str:
        """The HTML, with a `$place` for each piece."""
        return _asset(f"{self.folder}/{self.folder}.html")

    def pieces(self) -> dict[str, str]:
        """Script and style as elements, and the digests by which the policy lets them in."""
        script, style = self._script(), self._style()
        elements = {"script": f"<script>{script}</script>", "style": f"<style>{style}</style>"}
        return {**elements, "script_digest": _digest(script), "style_digest": _digest(style)}

    def _script(self) -> str:
        parts = "\n".join(self._assets(_KIT_SCRIPTS, self.scripts, "js"))
        return f'"use strict";\n(() => {{\nconst FEW = {FEW_EXAMPLES};\n{parts}\n}})();'

    def _style(self) -> str:
        return "\n".join((colours(), *self._assets(_KIT_STYLES, self.styles, "css")))

    def _assets(self, kit: Sequence[str], own: Sequence[str], kind: str) -> list[str]:
        names = [*(f"kit/{name}" for name in kit), *(f"{self.folder}/{name}" for name in own)]
        return [_asset(f"{name}.{kind}") for name in names]


def _asset(name: str) -> str:
    """A script, style sheet or template, less what only its authors read."""
    content = pkgutil.get_data("benison.report", name)
    assert content is not None, name
    return _FOR_AUTHORS.sub("", content.decode())


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
