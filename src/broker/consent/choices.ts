/** What can be chosen on the consent page, and what a form that came back chose. Pure. */
import { ACT_DEPTH_MAX } from '../../protocol/index.js';
import type { Preset, Risk } from '../http/page-model.js';

/** The agent itself is the first actor of a chain (DESIGN §3): so many may follow. */
export const helpersUpTo = (actDepthMax: number = ACT_DEPTH_MAX): number => actDepthMax - 1;

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const USUAL_SECONDS = [30 * DAY_SECONDS, 7 * DAY_SECONDS, DAY_SECONDS, HOUR_SECONDS] as const;

/** The longest first: what the operator allows, which is "until I stop it". */
export const durationsUpTo = (maxSeconds: number): readonly number[] => [
  maxSeconds,
  ...USUAL_SECONDS.filter((seconds) => seconds < maxSeconds),
];

/** A duration that was shown, whatever was posted; otherwise the one that stands chosen. */
export const chosenLifeSeconds = (posted: string | null, maxSeconds: number): number =>
  durationsUpTo(maxSeconds).find((seconds) => String(seconds) === posted) ?? maxSeconds;

/** A number that was shown; otherwise none: whoever follows is asked for, never assumed. */
export const chosenHelpers = (posted: string | null, max: number): number =>
  Array.from({ length: max + 1 }, (_, n) => n).find((n) => String(n) === posted) ?? 0;

const PRESETS = ['read', 'all', 'none'] as const satisfies readonly Preset[];

export const presetNamed = (posted: string | null): Preset | undefined =>
  PRESETS.find((preset) => preset === posted);

const TICKS: Record<Preset, (risk: Risk) => boolean> = {
  read: (risk) => risk === 'read',
  all: () => true,
  none: () => false,
};

export const ticksOf = (preset: Preset, risk: Risk): boolean => TICKS[preset](risk);

/** Those that do something none of the others does. */
export function presetsFor(risks: readonly Risk[]): readonly Preset[] {
  if (risks.length < 2) return [];
  const reads = risks.filter((risk) => risk === 'read').length;
  return PRESETS.filter((preset) => preset !== 'read' || (reads > 0 && reads < risks.length));
}
