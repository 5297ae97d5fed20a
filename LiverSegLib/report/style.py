"""The report's style sheet: screen and A4 paper, legible in black and white."""

STYLE = """
:root { --ink:#17222d; --soft:#566472; --line:#d5dce3; --ground:#f4f6f8; --accent:#0a5a7d; --warn:#7a4300;
  --warn-ground:#fff5e2; --warn-line:#e2a64a; }
* { box-sizing:border-box; }
html { -webkit-text-size-adjust:100%; }
body { margin:0; background:var(--ground); color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif; }
main { max-width:1080px; margin:0 auto; background:#fff; padding:36px 44px 30px; }
header { border-bottom:3px solid var(--accent); padding-bottom:14px; margin-bottom:18px; }
.brand { color:var(--accent); font-weight:700; letter-spacing:.04em; font-size:13px;
  text-transform:uppercase; }
h1 { margin:2px 0 6px; font-size:27px; line-height:1.2; overflow-wrap:anywhere; }
.facts { color:var(--soft); margin:0; overflow-wrap:anywhere; }
.facts span + span::before { content:"\\00b7"; margin:0 .5em; }
.research { border:2px solid var(--ink); border-radius:6px; padding:8px 14px; margin:0 0 18px;
  font-weight:600; }
.research span { font-weight:400; }
h2 { font-size:18px; margin:30px 0 10px; padding-bottom:4px; border-bottom:1px solid var(--line);
  break-after:avoid; }
h2 + .note { margin-top:-2px; }
.note { color:var(--soft); font-size:13.5px; margin:6px 0 10px; }
.cards { display:grid; grid-template-columns:repeat(5,1fr); gap:12px; }
.card { border:1px solid var(--line); border-top:4px solid var(--mark,var(--accent)); border-radius:6px;
  padding:10px 12px 12px; break-inside:avoid; }
.card h3 { margin:0; font-size:13px; font-weight:600; color:var(--soft); }
.value { font-size:27px; font-weight:650; line-height:1.2; margin:2px 0; white-space:nowrap;
  font-variant-numeric:tabular-nums; }
.value small { font-size:15px; font-weight:500; color:var(--soft); }
.value.word { font-size:20px; padding:5px 0; white-space:normal; }
.sub { font-size:13px; color:var(--soft); }
.warn { color:var(--warn); font-size:12.5px; line-height:1.35; margin-top:6px; padding-left:17px;
  position:relative; }
.warn::before { content:"\\26A0\\FE0E"; position:absolute; left:0; }
.warnings { background:var(--warn-ground); border:1px solid var(--warn-line); border-left-width:6px;
  border-radius:6px;
  padding:10px 16px 10px; margin:18px 0 0; break-inside:avoid; }
.warnings h2 { border:0; margin:0 0 2px; padding:0; font-size:15px; color:var(--warn); }
.warnings ul { margin:4px 0 0; padding-left:20px; }
figure { margin:0; break-inside:avoid; }
figure img { display:block; width:100%; height:auto; border-radius:4px; background:#000; }
figure.plain img { background:#fff; border:1px solid var(--line); }
figcaption { font-size:13px; color:var(--soft); margin-top:5px; }
.grid { display:grid; gap:16px; align-items:start; }
.two { grid-template-columns:1fr 1fr; } .three { grid-template-columns:repeat(3,1fr); }
.four { grid-template-columns:repeat(4,1fr); }
.verdict { display:grid; grid-template-columns:auto 1fr minmax(0,2.2fr); gap:8px 30px; align-items:center; }
.verdict .sub { white-space:nowrap; } .verdict .word { white-space:normal; }
.scale svg { display:block; width:100%; height:auto; }
.overview { grid-template-columns:var(--columns,1.08fr 1fr); }
.after-table { margin-top:14px; }
.stack { display:grid; gap:16px; }
.legend { display:flex; flex-wrap:wrap; gap:6px 24px; font-size:13.5px; margin:8px 0 12px; }
.legend i { display:inline-block; width:34px; height:0; margin-right:8px; vertical-align:middle; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-size:14px; font-variant-numeric:tabular-nums; }
caption { text-align:left; color:var(--soft); font-size:13.5px; padding-bottom:6px; }
th,td { text-align:right; padding:6px 10px; border-bottom:1px solid var(--line); vertical-align:top; }
thead th { border-bottom:2px solid var(--ink); font-size:13px; vertical-align:bottom; }
th:first-child,td.text,th.text { text-align:left; }
tbody th { font-weight:600; }
tr { break-inside:avoid; }
td .warn,th .warn { text-align:left; }
.provenance th { width:31%; font-weight:600; text-align:left; }
.provenance td { text-align:left; overflow-wrap:anywhere; }
.empty { border:1px dashed var(--line); border-radius:6px; padding:14px 16px; color:var(--soft); margin:0; }
.swatch { display:inline-block; width:11px; height:11px; border:1px solid var(--ink); border-radius:2px;
  margin-right:8px; }
code { font:12.5px/1.4 ui-monospace,"SF Mono",Consolas,"Liberation Mono",monospace; }
footer { border-top:1px solid var(--line); margin-top:30px; padding-top:10px; font-size:12.5px;
  color:var(--soft); }
@media (max-width:820px) { main { padding:20px 16px; } .cards {
  grid-template-columns:1fr 1fr; }
  .overview,.two,.three,.four,.verdict { grid-template-columns:1fr; } }
@page { size:A4; margin:13mm 13mm 14mm; }
@media print {
  body { background:#fff; font-size:10pt; -webkit-print-color-adjust:exact; print-color-adjust:exact; }
  main { max-width:none; padding:0; }
  h1 { font-size:18pt; } h2 { font-size:12.5pt; margin:14pt 0 6pt; }
  .cards { grid-template-columns:repeat(5,1fr); gap:6pt; } .card { padding:5pt 7pt 7pt; }
  .value { font-size:16pt; } .value small { font-size:9.5pt; } .value.word { font-size:12pt; }
  .card h3,.sub,.note,figcaption,.legend { font-size:8.5pt; } .warn { font-size:8pt; }
  table { font-size:9pt; } th,td { padding:3pt 6pt; } thead th { font-size:8.5pt; }
  .overview { grid-template-columns:var(--columns,1.08fr 1fr); } .two { grid-template-columns:1fr 1fr; }
  .three { grid-template-columns:repeat(3,1fr); gap:8pt; }
  .four { grid-template-columns:repeat(4,1fr); gap:8pt; }
  .verdict { grid-template-columns:auto 1fr minmax(0,2.2fr); gap:6pt 16pt; }
  code { font-size:7.5pt; } .scroll { overflow:visible; } .keep { break-inside:avoid; }
}
"""
