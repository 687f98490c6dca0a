// What the gateway read for the last answer of each tab, in the page's memory alone.

export function createPlans(toggle) {
  const reports = new Map();
  const listeners = new Set();

  const plans = {
    // The tab that is in front; the panel keeps it true.
    tab: undefined,
    get wanted() {
      return toggle !== null && toggle.checked;
    },
    of: (tab) => reports.get(tab),
    keep(tab, report) {
      if (report) reports.set(tab, report);
      else reports.delete(tab);
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return plans;
}

// Takes the plan out of an answer, so that what is shown as JSON stays short; returns it with the totals.
export function takePlan(answer) {
  const report = answer.extensions?.clever;
  if (!report?.plan) return undefined;
  const { plan, ...rest } = report;
  answer.extensions.clever = rest;
  return { plan, ...rest };
}
