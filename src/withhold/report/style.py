"""The style of a report's page: on a screen, in the dark and on paper. Pure."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --soft: #5b5b66; --line: #c9c9d1;
  --bar: #2f5d8a; --warn: #8a1c1c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --paper: #17171b; --soft: #a9a9b5; --line: #45454f; --bar: #7fb0e0;
    --warn: #ff9c9c; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 68rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0; line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.lead, figcaption, caption { color: var(--soft); }
.banner { border: 3px solid var(--warn); color: var(--warn); padding: .75rem 1rem;
  font-weight: bold; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: bottom; }
th[scope=row] { text-align: left; font-weight: normal; }
tr.all th, tr.all td { font-weight: bold; }
td.no { color: var(--soft); font-style: italic; font-weight: normal; }
figure { margin: 1rem 0; }
.chart { display: block; width: 100%; max-width: 40rem; height: auto; }
.chart text { fill: var(--ink); font-size: 14px; }
.chart rect { fill: var(--bar); }
dt { font-weight: bold; }
dd { margin: 0 0 .5rem 1.5rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #333; --line: #999; --bar: #444; --warn: #000; }
  body { padding: 0; max-width: none; font-size: 9pt; }
  .wide { overflow: visible; }
  th, td { padding: .15rem .35rem; }
  h2 { break-after: avoid; }
  figure, tr, dd { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""
