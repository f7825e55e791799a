/** Small drawings, because fonts differ in what they can draw. The words beside them say it all. */
const PATHS = {
  tick: 'M3.5 10.5l4.2 4.2 8.8-9.2',
  cross: 'M5 5l10 10M15 5L5 15',
} as const;

export const Icon = ({ of }: { readonly of: keyof typeof PATHS }) => (
  <svg class={`icon ${of}`} viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
    <path
      d={PATHS[of]}
      fill="none"
      stroke="currentColor"
      stroke-width="2.25"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  </svg>
);
