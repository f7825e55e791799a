/** The user's own pages: lists of what acts and of sessions, and the way between them. */
export const ownPages = `
.own { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0.5rem 1rem; }
.own .address { display: block; }
.card > p:not([class]) { margin-top: 0.75rem; }
.card > h1 + .quiet { margin-top: 0.5rem; }
.ways { margin: 1rem 0 1.75rem; border-block: 1px solid var(--line); }
.ways ul { display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
.ways a { display: inline-block; padding: 0.75rem 0; font-weight: 600; text-decoration: none; border-block-end: 3px solid transparent; }
.ways a:hover { text-decoration: underline; }
.ways a[aria-current] { color: var(--ink); border-block-end-color: var(--accent); }
.actor { margin-top: 2rem; }
.actor > .quiet { margin-top: 0.25rem; }
.actor .notice { margin-top: 0.75rem; }
.card > .rows { margin-top: 1.5rem; }
.row > form { flex: none; }
.row .facts { margin-top: 0.5rem; font-size: 0.875rem; }
.row .facts > div { grid-template-columns: 7.5rem 1fr; }
.row h2, .row h3 { font-size: 1rem; font-weight: 650; }
.row h3 + p { margin-top: 0.125rem; }
.row .quiet { margin-top: 0.375rem; }
.row .facts + .quiet { margin-top: 0.625rem; }
.badge.here { margin-inline-start: 0.625rem; color: var(--good); background: var(--good-tint); white-space: nowrap; }
.button.stop { color: var(--danger); border-color: var(--danger); }
.button.stop:hover { background: var(--danger-tint); }
a.button { color: inherit; text-decoration: none; }
.facts-box { margin: 1.25rem 0; padding: 1rem; background: var(--sunken); border: 1px solid var(--line); border-radius: var(--radius); }
.receipt .facts > div { grid-template-columns: minmax(0, 19rem) minmax(10.5rem, 1fr); }
.receipt .servers { margin-top: 1rem; padding-top: 0.75rem; border-top: 1px solid var(--line); font-size: 0.9375rem; }
.receipt .servers h2 { font-size: 0.9375rem; font-weight: 650; }
.receipt .servers li { margin-top: 0.25rem; }
.facts-box + form { margin-bottom: 1rem; }
.history { margin: 0.75rem 0 0; padding: 0; }
.history > li { display: grid; grid-template-columns: 12rem 1fr; gap: 0 1rem; padding: 0.5rem 0; border-block-start: 1px solid var(--line); font-size: 0.9375rem; }
.history time { color: var(--quiet); }
@media (max-width: 30rem) {
  .ways a { padding: 0.5rem 0; }
  .row:has(> form) { flex-wrap: wrap; }
  .row .facts > div, .receipt .facts > div, .history > li { grid-template-columns: 1fr; }
  .row > form, .row > form .button { inline-size: 100%; }
}
`;
