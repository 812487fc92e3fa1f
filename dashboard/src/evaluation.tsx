// What was measured: the verdict in a sentence, each scenario before and after, and what the approval binds.
import * as React from "react";
import { toLabels } from "./address";
import { Grounds } from "./grounds";
import { Facts, many, percent, points, visible } from "./parts";
import { Runs } from "./runs";
import type { Judge, Report, Result, Review, ScenarioFound } from "./findings";
import type { Experiment } from "./shapes";

const TONES: Record<string, string> = { fixed: "good", broken: "bad" };
const ORDER = ["broken", "fixed", "no result", "unchanged"];

const NOT_YET: Record<string, string> = {
  queued: "It waits to be measured. A running daemon does that by itself.",
  running: "It is being measured.",
  failed: "Measuring it failed. Evaluate it again, or approve it with a reason of your own.",
  unmeasured: "It could not be measured: the profile has no scenarios.",
  cancelled: "Measuring it was cancelled.",
};

function summary(report: Report): string {
  const before = `${percent(report.baseline_score)} passed before the change`;
  const effect = report.effect === null ? "" : ` (${points(report.effect)} points)`;
  const after = `${percent(report.candidate_score)} with it${effect}`;
  return `${before}, ${after}, over ${many(report.scenarios.length, "scenario")}.`;
}

function judged(judge: Judge): string {
  const itself =
    judge.agreement_with_itself === null
      ? ""
      : `; its votes on one run agree in ${percent(judge.agreement_with_itself)}`;
  return `${judge.model}, ${many(judge.votes, "vote")}, ${judge.spoiled} without a verdict${itself}`;
}

function people({ labels }: Judge): string {
  if (labels.kappa === null) return `${labels.labels} of the ${labels.needed} labels by persons that it takes to tell`;
  return `kappa ${labels.kappa.toFixed(2)} on ${many(labels.labels, "label")}`;
}

// Passes among the runs that gave a result; the report's own share where its runs are not at hand.
function passes(results: Result[], arm: string, share: number | null): string {
  const known = results.filter((row) => row.arm === arm && row.pass_fail !== null);
  if (known.length === 0) return percent(share);
  return `${known.filter((row) => row.pass_fail === 1).length} of ${known.length}`;
}

function Scenario({
  one,
  flaky,
  results,
}: {
  one: ScenarioFound;
  flaky: boolean;
  results: Result[];
}): React.JSX.Element {
  return (
    <details className="ksi-scenario">
      <summary>
        <span className={`ksi-badge ksi-tone-${TONES[one.change] ?? "plain"}`}>{visible(one.change)}</span>
        <span className="ksi-scenario-name">
          {visible(one.name)}
          {flaky && <span className="ksi-muted"> (flaky)</span>}
        </span>
        <span className="ksi-numbers">
          {passes(results, "baseline", one.baseline)} {"\u2192"} {passes(results, "candidate", one.candidate)}
        </span>
      </summary>
      <Runs results={results} />
    </details>
  );
}

function Scenarios({ report, results }: { report: Report; results: Result[] }): React.JSX.Element {
  const runs = Object.values(report.runs);
  const sorted = [...report.scenarios].sort((a, b) => ORDER.indexOf(a.change) - ORDER.indexOf(b.change));
  return (
    <div className="ksi-scenarios">
      {sorted.map((one) => (
        <Scenario
          key={one.scenario_id}
          one={one}
          flaky={report.flaky.includes(one.name)}
          results={results.filter(
            (row) => row.scenario_id === one.scenario_id && (runs.length === 0 || runs.includes(row.eval_run_id)),
          )}
        />
      ))}
    </div>
  );
}

function Found({ review, report, results }: { review: Review; report: Report; results: Result[] }): React.JSX.Element {
  return (
    <>
      <p>
        <strong className="ksi-capital">{visible(report.verdict)}.</strong> {summary(report)}
      </p>
      <Scenarios report={report} results={results} />
      <Grounds report={report} />
      <Facts
        facts={[
          ["Runs without a result", review.runs_without_result ? String(review.runs_without_result) : null],
          ["Judge", report.judge && judged(report.judge)],
          ["Judge against persons", report.judge && people(report.judge)],
          ["Cost", review.cost === null ? "unknown" : `${review.cost.toFixed(4)} US dollars`],
        ]}
      />
      <p className="ksi-muted ksi-small">
        An approval is bound to this report, SHA-256 <code className="ksi-hash">{report.sha256}</code>
      </p>
    </>
  );
}

export function Evaluation({ review, results }: { review: Review; results: Result[] }): React.JSX.Element {
  const experiment: Experiment = review.experiment;
  const { report } = review;
  return (
    <section aria-label="Evaluation">
      <h3>Evaluation</h3>
      {report ? (
        <Found review={review} report={report} results={results} />
      ) : (
        <p className="ksi-muted">{NOT_YET[experiment.evaluation_status] ?? visible(experiment.evaluation_status)}</p>
      )}
      {results.length > 0 && (
        <p>
          <a href={toLabels(experiment.id)}>Label results</a>{" "}
          <span className="ksi-muted">so that the judge can be held against a person</span>
        </p>
      )}
    </section>
  );
}
