"""The style of a certificate: on a screen, in the dark and on paper. Pure."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --soft: #555560; --line: #c9c9d1; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --paper: #17171b; --soft: #b0b0bc; --line: #45454f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 52rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
dd, p, pre, h1 { overflow-wrap: anywhere; }
h1 { margin-bottom: 0; line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
caption { color: var(--soft); text-align: left; padding-bottom: .4rem; }
.notice { border: 2px solid var(--ink); padding: .75rem 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
tbody th { font-weight: normal; }
td.count { text-align: right; font-variant-numeric: tabular-nums; }
dt { font-weight: bold; }
dd { margin: 0 0 .5rem 1.5rem; }
pre { white-space: pre-wrap; border-left: 3px solid var(--line); padding-left: .75rem; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #333; --line: #999; }
  body { padding: 0; max-width: none; font-size: 9.5pt; }
  h2 { break-after: avoid; }
  tr, dd, li, pre { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""
