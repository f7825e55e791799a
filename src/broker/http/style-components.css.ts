/** The parts pages are made of. */
export const components = `
.skip { position: absolute; inset-block-start: 0.5rem; inset-inline-start: 0.5rem; padding: 0.625rem 1rem; background: var(--surface); color: var(--accent); border-radius: var(--radius); font-weight: 600; }
.skip:not(:focus) { inset-block-start: -100vh; }
main:focus { outline: none; }
.brand { display: flex; align-items: center; gap: 0.625rem; max-inline-size: 40rem; margin: 0 auto 1rem; padding: 0 0.25rem; font-weight: 650; letter-spacing: -0.01em; }
.mark { color: var(--accent); flex: none; }
.card { max-inline-size: 40rem; margin: 0 auto; padding: 2.25rem; background: var(--surface); border: 1px solid var(--line); border-radius: 16px; box-shadow: var(--shadow); }
.narrow .brand, .narrow .card { max-inline-size: 29rem; }
.lead { margin-top: 0.5rem; font-size: 1.0625rem; color: var(--quiet); }
.lead .name { color: var(--ink); }
.quiet { font-size: 0.9375rem; color: var(--quiet); }
.card > .quiet { margin-top: 1.5rem; }
.stack { display: grid; gap: 1.25rem; margin-top: 1.75rem; }
.stack.wide { gap: 2rem; }
.plain { list-style: none; }

.field { display: grid; gap: 0.375rem; }
.field label { font-weight: 600; }
.field input { inline-size: 100%; min-block-size: 2.875rem; padding: 0.5rem 0.75rem; background: var(--surface); border: 1px solid var(--control); border-radius: var(--radius); }
.field input[aria-invalid="true"] { border-color: var(--danger); border-width: 2px; }

.button { display: inline-flex; align-items: center; justify-content: center; min-block-size: 2.875rem; padding: 0.5rem 1.25rem; background: var(--choice); border: 1px solid var(--control); border-radius: var(--radius); font-weight: 600; cursor: pointer; }
.button:hover { background: var(--choice-hover); }
.button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.button.primary:hover { background: var(--accent-strong); border-color: var(--accent-strong); }
.button.small { min-block-size: 2.25rem; padding: 0.25rem 0.875rem; font-size: 0.9375rem; flex: none; }
.choices { display: grid; grid-template-columns: 1fr 1fr; gap: 0.75rem; }
.card > .choices { margin-top: 1.75rem; }
.choices .button { border: 2px solid var(--ink); min-block-size: 3.25rem; font-size: 1.0625rem; }
.decision > .quiet { margin-top: 0.75rem; text-align: center; }
/* A click meant for whatever stood here a moment ago must not decide anything (I4). */
.decision .choices { animation: arm 600ms step-end; }
@keyframes arm { from { pointer-events: none; } to { pointer-events: auto; } }

.notice { padding: 0.875rem 1rem; background: var(--sunken); border: 1px solid var(--line); border-radius: var(--radius); }
.notice.problem { margin-top: 1.25rem;  background: var(--danger-tint); border-color: var(--danger); color: var(--danger); font-weight: 600; }
.notice.caution { background: var(--change-tint); border-color: var(--change); }
.notice.caution .quiet { color: var(--ink); }
.card > .notice { margin-top: 0.75rem; }
.destination { font-size: 1.375rem; line-height: 1.35; font-weight: 650; letter-spacing: -0.01em; }

.who { display: flex; gap: 1rem; align-items: flex-start; }
.who > div { min-inline-size: 0; }
.avatar { flex: none; display: inline-flex; align-items: center; justify-content: center; inline-size: 3rem; block-size: 3rem; border-radius: 12px; font-weight: 700; letter-spacing: 0.02em; border: 1px solid currentColor; }
.hue-0 { color: var(--good); background: var(--good-tint); }
.hue-1 { color: var(--change); background: var(--change-tint); }
.hue-2 { color: var(--danger); background: var(--danger-tint); }
.hue-3 { color: var(--accent); background: var(--sunken); }
.hue-4 { color: var(--quiet); background: var(--sunken); }
.standing { display: flex; flex-wrap: wrap; gap: 0.25rem 0.5rem; align-items: center; margin-top: 0.25rem; font-size: 0.9375rem; color: var(--quiet); }
.standing.new .badge { color: var(--change); background: var(--change-tint); }

.disclosure { margin-top: 0.75rem; }
.disclosure > summary { display: inline-block; padding: 0.25rem 0; color: var(--accent); font-size: 0.9375rem; font-weight: 600; }
.disclosure > summary::before { content: "+"; display: inline-block; inline-size: 1.125rem; }
.disclosure[open] > summary::before { content: "–"; }
.disclosure > summary::-webkit-details-marker { display: none; }
.disclosure > .facts, .identity-card { margin-top: 0.5rem; padding: 0.875rem 1rem; background: var(--sunken); border: 1px solid var(--line); border-radius: var(--radius); }
.identity-card .facts + .facts { margin-top: 0.75rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
.facts { display: grid; gap: 0.5rem; font-size: 0.9375rem; }
.facts > div { display: grid; grid-template-columns: 9rem 1fr; gap: 0 1rem; }
.facts dt { color: var(--quiet); }
.advice { margin-top: 1rem; }
.small-print { margin-top: 1.75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
.small-print h2 { margin-bottom: 0.625rem; font-size: 0.875rem; color: var(--quiet); }
.small-print .facts { font-size: 0.875rem; }

.signed-in { display: flex; align-items: center; justify-content: space-between; gap: 1rem; margin-top: 1.5rem; padding: 0.75rem 1rem; border: 1px solid var(--line); border-radius: var(--radius); }
.signed-in .address { display: block; }

.group { margin-top: 1.25rem; }
.group > h3 { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.625rem; }
.group > .quiet { margin-top: 0.125rem; }
.presets { margin-top: 0.75rem; }
.preset-buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.presets [role="status"] { margin-top: 0.5rem; font-weight: 600; }
.onward { margin-top: 0.25rem; padding-inline-start: 0.75rem; border-inline-start: 3px solid var(--change); font-size: 0.9375rem; }
.own-words { margin-top: 0.5rem; padding: 0.125rem 0 0.125rem 1rem; border-inline-start: 3px solid var(--line); display: grid; gap: 0.5rem; }
.own-words blockquote { margin: 0; }
.own-words li { min-block-size: 1.5rem; }
.changes { display: grid; gap: 0.875rem; }
.change ul { padding-inline-start: 1.25rem; }
.change dl { display: grid; gap: 0.25rem; margin-top: 0.125rem; }
.change dl > div { display: grid; grid-template-columns: 4.5rem 1fr; gap: 0 0.75rem; }
.change dt { grid-column: 1; color: var(--ink); }
.change dd { grid-column: 2; }
.change .quiet { color: var(--ink); font-style: italic; }
.badge { padding: 0.0625rem 0.5rem; border-radius: 99px; font-size: 0.8125rem; font-weight: 600; border: 1px solid currentColor; }
.read .badge, .identity .badge { color: var(--good); background: var(--good-tint); }
.write .badge { color: var(--change); background: var(--change-tint); }
.destructive .badge { color: var(--danger); background: var(--danger-tint); }
.rows { margin-top: 0.625rem; border: 1px solid var(--line); border-radius: var(--radius); }
.destructive .rows { border-color: var(--danger); }
.rows > li + li { border-top: 1px solid var(--line); }
.row { display: flex; gap: 0.75rem; padding: 0.75rem 1rem; }
.row > input, .row > .icon { margin-top: 0.15625rem; }
.row > div { flex: 1; min-inline-size: 0; }
.row label { display: block; cursor: pointer; min-block-size: 1.5rem; }
.title { font-weight: 600; }
.title code { display: inline-block; margin-inline-start: 0.5rem; font-weight: 400; }
.tools { margin-top: 0.125rem; font-size: 0.9375rem; color: var(--quiet); }
.tools summary { padding: 0.125rem 0; min-block-size: 1.5rem; }
.tools ul { padding-inline-start: 1.5rem; }
.blocked { background: var(--sunken); }
.blocked .title { color: var(--quiet); }
.icon { flex: none; color: var(--quiet); }
.icon.tick { color: var(--good); }
.never { margin-top: 0.5rem; display: grid; gap: 0.25rem; }
.never > li { display: flex; gap: 0.625rem; }
.never .icon { margin-top: 0.125rem; }

.options { display: flex; flex-wrap: wrap; gap: 0.625rem; margin: 0.625rem 0; }
.option { display: flex; align-items: center; gap: 0.625rem; min-block-size: 2.75rem; padding: 0.375rem 1rem; border: 1px solid var(--control); border-radius: var(--radius); cursor: pointer; }
.option:has(:checked) { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }

@media (max-width: 30rem) {
  .card { padding: 1.375rem 1.125rem; border-radius: 14px; }
  .facts > div { grid-template-columns: 1fr; }
  .change dl > div { grid-template-columns: 3.5rem 1fr; gap: 0 0.5rem; }
  .choices { grid-template-columns: 1fr; }
  .signed-in { flex-wrap: wrap; }
  .who { flex-direction: column; gap: 0.75rem; }
  .title code { display: block; margin: 0; }
}
@media (forced-colors: active) {
  .option:has(:checked) { outline: 2px solid; }
}
@media print { .card { box-shadow: none; } }
`;
