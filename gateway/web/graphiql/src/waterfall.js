// The plan under the answer: each step a bar at its time; opened, a step says why it was done that way.
import { pick, useGraphiQL } from '@graphiql/react';
import { createElement as h, useLayoutEffect, useSyncExternalStore } from 'react';

const count = new Intl.NumberFormat('en');

export function Waterfall({ plans }) {
  const { tabs, activeTabIndex } = useGraphiQL(pick('tabs', 'activeTabIndex'));
  const tab = tabs[activeTabIndex]?.id;
  const report = useSyncExternalStore(plans.subscribe, () => plans.of(tab));

  useLayoutEffect(() => {
    plans.tab = tab;
  }, [plans, tab]);

  if (!report) return null;
  const whole = Math.max(1, ...report.plan.map(({ ms }) => ms.start + ms.took));
  return h(
    'details',
    { className: 'plan', open: true },
    h('summary', { className: 'plan-totals' }, h('strong', null, 'Plan'), ...totals(report, whole)),
    report.stale &&
      h('p', { className: 'plan-stale' }, `Past its time: as of ${report.stale.asOf} (${report.stale.reason}).`),
    h(
      'ol',
      { className: 'plan-steps', 'aria-label': 'What was read, in order' },
      report.plan.map((step, number) => h('li', { key: number }, h(Step, { step, whole }))),
    ),
  );
}

function totals({ plan, cost }, whole) {
  const bytes = plan.reduce((sum, step) => sum + step.bytes.read, 0);
  return [
    many(cost.calls, 'call'),
    `${cost.cached} from memory`,
    size(bytes),
    `${count.format(Math.round(whole))} ms`,
    `${count.format(cost.remaining)} calls left this minute`,
  ].flatMap((text) => [' ', h('span', { key: text }, text)]);
}

function Step({ step, whole }) {
  const { relation, parents, path, why, calls, bytes, ms, cached } = step;
  // What took no time at the very end still has room to be seen.
  const place = { left: `min(${(ms.start / whole) * 100}%, 100% - 3px)`, width: `${(ms.took / whole) * 100}%` };
  return h(
    'details',
    { className: cached ? 'step step-cached' : 'step', title: why },
    h(
      'summary',
      null,
      h('span', { className: 'step-what' }, relation, parents > 1 && h('small', null, ` ×${count.format(parents)}`)),
      h('span', { className: 'step-path' }, path),
      h('span', { className: 'step-number' }, cached ? 'memory' : many(calls.made, 'call')),
      h('span', { className: 'step-number step-bytes' }, cached ? '' : size(bytes.read)),
      h('span', { className: 'step-track', 'aria-hidden': true }, h('span', { className: 'step-bar', style: place })),
      h('span', { className: 'step-number' }, `${ms.took.toFixed(ms.took < 10 ? 1 : 0)} ms`),
    ),
    h('p', null, sentence(why), ' ', measured(calls, bytes, cached)),
  );
}

const sentence = (why) => `${why.charAt(0).toUpperCase()}${why.slice(1)}.`;

function measured(calls, bytes, cached) {
  if (cached) return 'Nothing was asked of Clever.';
  const expected = bytes.estimated ? `, ${size(bytes.estimated)}` : '';
  return `Estimated: ${many(calls.estimated, 'call')}${expected}. Made: ${many(calls.made, 'call')}, ${size(bytes.read)}.`;
}

const many = (number, what) => `${count.format(number)} ${what}${number === 1 ? '' : 's'}`;

function size(bytes) {
  if (bytes >= 1e5) return `${(bytes / 1e6).toFixed(1)} MB`;
  return bytes >= 1e3 ? `${(bytes / 1e3).toFixed(1)} kB` : `${bytes} B`;
}
