/** Tokens and plain elements. Contrast: text ≥ 4.5:1, controls and focus ≥ 3:1, in both schemes. */
export const foundation = `
:root {
  color-scheme: light dark;
  --page: #f3f4f7;
  --surface: #ffffff;
  --sunken: #f6f7f9;
  --ink: #171a21;
  --quiet: #545b69;
  --line: #dfe2e9;
  --control: #7b8392;
  --accent: #3a45c4;
  --accent-strong: #2c36a3;
  --on-accent: #ffffff;
  --choice: #ffffff;
  --choice-hover: #eef0f5;
  --good: #17693f;
  --good-tint: #e5f4ec;
  --change: #7a4a00;
  --change-tint: #fdf0d8;
  --danger: #a5201a;
  --danger-tint: #fdebe9;
  --shadow: 0 1px 2px rgb(23 26 33 / 6%), 0 12px 32px -12px rgb(23 26 33 / 16%);
  --radius: 10px;
  --gap: 1rem;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1115;
    --surface: #181b21;
    --sunken: #1f232b;
    --ink: #eceef3;
    --quiet: #a9b0be;
    --line: #2f3540;
    --control: #7f8899;
    --accent: #aab3ff;
    --accent-strong: #c3c9ff;
    --on-accent: #14173a;
    --choice: #232832;
    --choice-hover: #2d3340;
    --good: #7fd6a6;
    --good-tint: #173226;
    --change: #f2c26b;
    --change-tint: #35290f;
    --danger: #ff9f97;
    --danger-tint: #3c1c1a;
    --shadow: 0 1px 2px rgb(0 0 0 / 40%);
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  padding: 2.5rem 1rem 4rem;
  background: var(--page);
  color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
h1, h2, h3, p, ul, dl, dd, fieldset, legend { margin: 0; padding: 0; }
h1 { font-size: 1.625rem; line-height: 1.25; font-weight: 700; letter-spacing: -0.015em; text-wrap: balance; }
h1.sentence { font-weight: 450; }
h1.sentence strong { font-weight: 700; }
h2 { font-size: 1.0625rem; line-height: 1.4; font-weight: 650; }
h3 { font-size: 0.9375rem; line-height: 1.4; font-weight: 600; }
strong { font-weight: 600; }
code { font: 0.8125em/1.4 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; color: var(--quiet); }
fieldset { border: 0; min-inline-size: 0; }
legend { display: block; inline-size: 100%; }
a { color: var(--accent); }
summary { cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 6px; }
input, button { font: inherit; color: inherit; }
input[type="checkbox"], input[type="radio"] { inline-size: 1.25rem; block-size: 1.25rem; margin: 0; accent-color: var(--accent); flex: none; }
@media (prefers-reduced-motion: no-preference) {
  a, button { transition: background-color 120ms, border-color 120ms; }
}
@media (max-width: 30rem) {
  body { padding: 1.25rem 0.75rem 2.5rem; }
  h1 { font-size: 1.375rem; }
}
`;
