// Why the verdict is what it is: the reasons, both splits in figures, how steady the scenarios are, what was answered.
import * as React from "react";
import { many, percent, points, Sentences, visible } from "./parts";
import type { HeldOutSet, Report, Split, Steadiness } from "./findings";

const chance = (p: number): string => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);

function* split(found: Split, name: string): Iterable<string> {
  const counted = `${found.wins} won, ${found.losses} lost, ${found.ties} tied`;
  const left = found.without_result ? `, ${found.without_result} without a result` : "";
  const range =
    found.interval &&
    ` (${percent(found.interval.confidence)} interval: ${points(found.interval.low)} to ${points(found.interval.high)})`;
  const effect = found.difference === null ? "" : `; ${points(found.difference)} points${range ?? ""}`;
  yield `On ${many(found.scenarios, `${name} scenario`)}: ${counted}${left}${effect}.`;
  yield `By chance alone it would look at least as good with ${chance(found.p)}; ${found.level.toFixed(3)} or less convinces.`;
  if (found.detectable !== null)
    yield `A gain of ${points(found.detectable)} points would have been seen in four of five such comparisons.`;
  else if (found.scenarios_needed !== null)
    yield `It would take ${found.scenarios_needed} such scenarios to see any gain.`;
}

function worn(set: HeldOutSet): string {
  const asked = `was asked about ${many(set.confirmations, "change")} of the ${set.planned} planned`;
  return `The held-out set (version ${set.version}, ${many(set.scenarios, "scenario")}) ${asked}, and reviewers looked at it ${many(set.reveals, "time")}.`;
}

function steady(found: Steadiness): string {
  const names = found.unsteady.map((one) => one.name).join(", ");
  const share = `Two runs of today's text disagree in ${percent(found.flip_rate)} of all cases; ${percent(found.limit)} are allowed`;
  return names ? `${share}. Unsteady: ${names}.` : `${share}.`;
}

function* sureness(report: Report): Iterable<string> {
  if (report.train) yield* split(report.train, "train");
  if (report.holdout) {
    yield* split(report.holdout, "held-out");
    if (!report.holdout.fresh) yield "The held-out runs are those of an earlier evaluation of this change.";
  }
  if (report.holdout_set) yield worn(report.holdout_set);
  if (report.steadiness) yield steady(report.steadiness);
}

function lines(facts: Record<string, unknown>): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("\n");
}

function Measured({ report }: { report: Report }): React.JSX.Element {
  const rest = { repeats: report.repeats, isolation: report.isolation, tokens: report.tokens };
  const parts = { models: report.models, seeds: report.seeds, hashes: report.hashes, seconds: report.seconds, rest };
  return (
    <details className="ksi-more">
      <summary>With what it was measured</summary>
      <pre className="ksi-words">{visible(Object.values(parts).map(lines).filter(Boolean).join("\n"))}</pre>
    </details>
  );
}

export function Grounds({ report }: { report: Report }): React.JSX.Element {
  return (
    <>
      <Sentences title="Why" all={report.reasons.map((one) => one.words)} />
      <Sentences title="How sure that is" all={[...sureness(report)]} />
      <Sentences title="Failures it answers" all={report.answers.map((one) => `${one.name}: ${one.answer}.`)} />
      <Measured report={report} />
    </>
  );
}
