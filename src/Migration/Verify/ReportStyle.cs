namespace Migration.Verify;

/// <summary>The look of the report.</summary>
internal static class ReportStyle
{
    public const string Css = """
        :root {
          color-scheme: light dark;
          --paper: #fbfbfa; --card: #fff; --ink: #1c2024; --soft: #5b6570; --rule: #dfe3e7;
          --done: #0b7a5f; --open: #9a6200; --attention: #b3261e;
          --done-bar: #2a9d7f; --open-bar: #e0a030; --attention-bar: #d6453b;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #14171a; --card: #1c2024; --ink: #e8eaed; --soft: #a3adb8; --rule: #343a41;
            --done: #5fd0ae; --open: #f0bd5e; --attention: #ff8f85;
            --done-bar: #35a686; --open-bar: #c98d24; --attention-bar: #d8574d;
          }
        }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; }
        body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
        h1, h2, p { margin: 0; }
        h1 { font-size: clamp(1.6rem, 5vw, 2.25rem); line-height: 1.2; overflow-wrap: anywhere; }
        h2 { font-size: 1.25rem; line-height: 1.3; }
        .kicker { color: var(--soft); font-size: .8rem; font-weight: 600; letter-spacing: .08em; text-transform: uppercase; }
        .about, footer, figcaption, .more { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
        .about { margin-top: .25rem; }
        section { margin-top: 1.25rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--rule); border-radius: .75rem; }
        .summary h2 { font-size: clamp(1.2rem, 4vw, 1.6rem); font-weight: 500; }
        .bar { display: flex; gap: 2px; height: 1rem; margin: .9rem 0 .6rem; border-radius: .5rem; overflow: hidden; background: var(--rule); }
        .bar span { flex-basis: 0; min-width: 4px; }
        .bar .done { background: var(--done-bar); } .bar .open { background: var(--open-bar); } .bar .attention { background: var(--attention-bar); }
        .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .6rem; margin: 1rem 0 0; padding: 0; list-style: none; }
        .cards a { display: flex; flex-direction: column; height: 100%; padding: .6rem .8rem; padding-left: 1rem; border: 1px solid var(--rule); border-radius: .5rem; box-shadow: inset .3rem 0 0 var(--mark); color: inherit; font-size: .9rem; line-height: 1.3; text-decoration: none; }
        .cards a:hover, .cards a:focus-visible { border-color: var(--mark); outline-offset: 2px; }
        .cards .count { color: var(--mark); font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; }
        .done { --mark: var(--done); } .open { --mark: var(--open); } .attention { --mark: var(--attention); }
        figure { margin: 1rem 0 0; }
        figcaption { margin-top: .6rem; }
        .plot { display: grid; grid-template-columns: auto 1fr; column-gap: .6rem; }
        .plot svg { grid-column: 2; width: 100%; height: clamp(9rem, 26vw, 15rem); overflow: visible; }
        .y, .x { display: flex; justify-content: space-between; color: var(--soft); font-size: .8rem; font-variant-numeric: tabular-nums; line-height: 1.2; }
        .y { flex-direction: column; margin: -.5em 0; text-align: right; }
        .x { grid-column: 2; margin-top: .5rem; text-align: center; }
        .x span:first-child { text-align: left; } .x span:last-child { text-align: right; }
        .grid { stroke: var(--rule); fill: none; vector-effect: non-scaling-stroke; }
        .line { stroke: var(--done-bar); stroke-width: 2.5; fill: none; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
        .area { fill: var(--done-bar); opacity: .18; }
        .state { border-top: .3rem solid var(--mark); scroll-margin-top: 1rem; }
        .state h2 { display: flex; justify-content: space-between; gap: 1rem; }
        .state h2 .count { color: var(--mark); font-variant-numeric: tabular-nums; }
        .state p { max-width: 46rem; margin-top: .4rem; }
        .todo { padding: .6rem .8rem; border-left: .25rem solid var(--mark); background: var(--paper); border-radius: 0 .4rem .4rem 0; }
        summary { margin-top: .8rem; cursor: pointer; color: var(--mark); font-weight: 600; }
        table { width: 100%; margin-top: 1rem; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
        th, td { padding: .45rem .75rem .45rem 0; border-top: 1px solid var(--rule); text-align: left; vertical-align: top; }
        thead th, td.code { white-space: nowrap; }
        thead th { border-top: 0; color: var(--soft); font-size: .8rem; font-weight: 600; }
        tbody th { font-weight: 600; overflow-wrap: anywhere; }
        time { white-space: nowrap; }
        .code, code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .92em; }
        .why span { display: block; overflow-wrap: anywhere; }
        .more { margin-top: .8rem; }
        footer { margin-top: 1.5rem; }
        @media (max-width: 40rem) {
          body { padding: 1rem .75rem 2rem; }
          section { padding: 1rem; }
          .cards { grid-template-columns: 1fr; gap: .4rem; }
          .cards a { flex-direction: row; align-items: center; gap: .7rem; min-height: 2.75rem; padding-block: .3rem; }
          .cards .count { flex: 0 0 4.5rem; font-size: 1.25rem; text-align: right; }
          table, tbody, tr, th, td { display: block; }
          thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
          tbody tr { padding: .6rem 0; border-top: 1px solid var(--rule); }
          tbody th, tbody td { padding: .05rem 0; border: 0; }
          tbody th { font-size: 1rem; }
          td::before { content: attr(data-label) ": "; color: var(--soft); font-family: system-ui, sans-serif; font-size: .8rem; }
          .x small { display: none; }
        }
        @media print {
          :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --rule: #bbb; --done: #0b7a5f; --open: #9a6200; --attention: #b3261e; --done-bar: #2a9d7f; --open-bar: #e0a030; --attention-bar: #d6453b; }
          * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
          body { max-width: none; padding: 0; font-size: 10pt; }
          section { padding: .6rem .8rem; }
          .summary, .joins, tr, .todo, .state h2 { break-inside: avoid; }
          .state h2, .state p { break-after: avoid; }
          summary { display: none; }
          details::details-content { content-visibility: visible; height: auto; block-size: auto; }
        }
        """;
}
