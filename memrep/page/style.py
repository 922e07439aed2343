"""How the page looks. Every size is relative to the reader's own, and nothing is ever wider than the window.

Text has a contrast of 4.5 at least to what is behind it, lines that tell something one of 3, in both schemes.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #f8f7f4; --card: #fff; --rule: #e3e0d9; --ink: #1d2329; --quiet: #58626b;
  --well: #0a6e4f; --busy: #2a5ba4;
  --warning: #8a5300; --warning-soft: #fbeed6; --critical: #ae2119; --critical-soft: #fbe7e4;
  --detour: #7a3ca6; --plot: #2f6f8f; --plot-soft: #dcebf1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161a; --card: #1a2026; --rule: #2e373f; --ink: #e7ebee; --quiet: #9faab4;
    --well: #5fcfa5; --busy: #8ab4f0;
    --warning: #f0b65c; --warning-soft: #3a2b10; --critical: #ff8f85; --critical-soft: #43201d;
    --detour: #cf9df0; --plot: #74b9d8; --plot-soft: #1b3440;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--paper); color: var(--ink); max-width: 76rem; margin: 0 auto;
  padding: clamp(1.25rem, 4vw, 3rem) clamp(1rem, 4vw, 3rem);
  font: 1rem/1.5 Inter, system-ui, -apple-system, "Segoe UI", Roboto, Cantarell, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; -webkit-text-size-adjust: 100%;
}
h1, h2, .plot b { font-weight: 600; line-height: 1.25; text-wrap: balance; }
h1 { font-size: clamp(1.375rem, 1.1rem + 1.8vw, 2.125rem); letter-spacing: -.018em; }
h2 { font-size: 1.125rem; margin-bottom: 1rem; }
a { color: inherit; text-underline-offset: .2em; }
a:focus-visible { outline: 2px solid var(--busy); outline-offset: 3px; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
section { margin-top: 2.75rem; min-width: 0; }
.quiet, caption, figcaption, .plot p, .why, footer { color: var(--quiet); font-size: .875rem; }

.mark { flex: none; width: 1.25em; height: 1.25em; vertical-align: -.25em; margin-right: .5em; }
.mark circle { fill: currentColor; }
.mark path, .node .sign { fill: none; stroke: var(--card); stroke-linecap: round; stroke-linejoin: round; }
.mark path { stroke-width: 2.2; }
.well { color: var(--well); } .busy { color: var(--busy); }
.warning { color: var(--warning); } .critical { color: var(--critical); }

header { display: flex; gap: .25rem 1rem; align-items: flex-start; }
header .mark { width: clamp(1.75rem, 1.4rem + 1.8vw, 2.5rem); height: auto; margin: 0; }
header p { color: var(--quiet); margin-top: .4rem; }
header p + p { font-size: .875rem; margin-top: .25rem; }

.problems ul { list-style: none; padding: 0; display: grid; gap: .75rem; }
.problems li {
  display: flex; padding: 1rem 1.125rem; border-radius: .625rem; border-left: .25rem solid;
  background: var(--warning-soft);
}
.problems li.critical { background: var(--critical-soft); }
.problems li > div { color: var(--ink); min-width: 0; }
.problems .mark { margin-top: .125em; margin-right: .75em; }
.problems .mark path { stroke: var(--paper); }
.remedy { margin-top: .3rem; }

.sight { display: grid; gap: 0 3rem; }
@media (min-width: 68rem) { .sight { grid-template-columns: 22rem minmax(0, 1fr); } }
.hearing { max-width: 24rem; margin: 0 auto; }
.picture { display: block; width: 100%; height: auto; }
figcaption p + p { margin-top: .25rem; }
.hearing figcaption { margin-top: 1rem; }
.key { list-style: none; padding: 0; margin-top: .75rem; display: grid; gap: .25rem; }
.key li { display: flex; align-items: center; gap: .75rem; }
.key svg { flex: none; width: 2.5rem; height: .875rem; overflow: visible; }

.node .disc { fill: currentColor; }
.node .ring { fill: none; stroke: currentColor; stroke-width: 1.5; }
.node .sign { stroke-width: 1.7; }
.node text {
  text-anchor: middle; font-size: 12.5px; fill: var(--ink);
  paint-order: stroke; stroke: var(--paper); stroke-width: 5px; stroke-linejoin: round;
}
.node .name { font-weight: 600; }
.node .state { font-size: 12px; fill: var(--quiet); }
.link { color: var(--well); fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; }
.link.one-way { color: var(--warning); stroke-dasharray: 7 6; }
.link.neither { color: var(--critical); stroke-dasharray: .1 6; }
.link.unknown { color: var(--quiet); stroke-dasharray: 2 6; }
.link.detour { color: var(--detour); stroke-dasharray: 12 5 2 5; }
.link .head { stroke-dasharray: none; stroke-linejoin: round; }
.link .gap { fill: var(--paper); stroke: none; }

.plots {
  display: grid; gap: 1.75rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr));
}
.plot figcaption, .plot p { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
.plot figcaption { align-items: baseline; margin-bottom: .375rem; }
.plot b { color: var(--ink); font-size: 1.125rem; }
.plot p { margin-top: .375rem; min-height: 1.5em; }
.plot svg { display: block; width: 100%; height: 4rem; border-bottom: 1px solid var(--quiet); }
.plot path { vector-effect: non-scaling-stroke; }
.grid { stroke: var(--rule); stroke-width: 1; }
.area { fill: var(--plot-soft); }
.line { fill: none; stroke: var(--plot); stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
.bars { fill: var(--plot); }

table { width: 100%; border-collapse: collapse; font-size: .9375rem; }
caption { text-align: left; padding-bottom: .75rem; }
th, td { text-align: left; vertical-align: top; padding: .75rem 0; font-weight: 400; }
th, td { border-top: 1px solid var(--rule); }
tbody th { font-weight: 600; }
thead th { color: var(--quiet); font-size: .8125rem; border: 0; padding: 0 0 .5rem; }
.tag { color: var(--quiet); font-size: .8125rem; font-weight: 400; display: block; }
.why { display: block; }
.bar { display: block; width: 100%; height: .3rem; margin-top: .35rem; }
.bar .whole { fill: var(--rule); } .bar .part { fill: var(--plot); }
@media (min-width: 68rem) {
  th + th, th + td, td + td { padding-left: 1.25rem; }
  .figure { text-align: right; white-space: nowrap; }
  thead th, .now { white-space: nowrap; }
  td { overflow-wrap: break-word; }
  .why { max-width: 14rem; }
}
@media (max-width: 67.99rem) {
  table, caption, tr, th, td { display: block; }
  tbody { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr {
    background: var(--card); border: 1px solid var(--rule); border-radius: .625rem; padding: .875rem 1rem;
  }
  tbody th, tbody td { border: 0; padding: 0; }
  tbody th { padding-bottom: .375rem; }
  tbody td { display: flex; justify-content: space-between; gap: 1.5rem; padding: .125rem 0; }
  tbody td > div { text-align: right; }
  tbody td::before { content: attr(data-label); color: var(--quiet); }
  .tag { display: inline; margin-left: .5rem; }
  .bar { width: 7rem; margin-left: auto; }
}

footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
footer p + p { margin-top: .375rem; }
@media print { body { max-width: none; } }
""".strip()
