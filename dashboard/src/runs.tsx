// The single runs of one scenario: what was asked, and per run its result, the checks, the judge's words, the answer.
import * as React from "react";
import { many, visible } from "./parts";
import type { Result } from "./findings";

type Check = [kind: string, outcome: string, reason: string];

function parsed<T>(text: string, otherwise: T): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    return otherwise;
  }
}

function outcome(result: Result): string {
  if (result.pass_fail === null) return "no result";
  return result.pass_fail === 1 ? "passed" : "failed";
}

function Run({ result }: { result: Result }): React.JSX.Element {
  const checks = parsed<Check[]>(result.check_results, []);
  const { answer } = parsed<{ answer?: string }>(result.transcript, {});
  return (
    <li>
      <span className={`ksi-badge ksi-tone-${{ passed: "good", failed: "bad" }[outcome(result)] ?? "plain"}`}>
        {outcome(result)}
      </span>{" "}
      {result.arm}, run {result.repeat + 1}
      {result.no_result_reason && <div className="ksi-muted">{visible(result.no_result_reason)}</div>}
      <ul className="ksi-checks">
        {checks.map(([kind, said, reason], index) => (
          <li key={index}>{visible(`${kind}: ${said}${reason ? `, ${reason}` : ""}`)}</li>
        ))}
      </ul>
      {result.judge_rationale && (
        <p className="ksi-quote">
          <strong>{`The judge${result.judge_model ? ` (${visible(result.judge_model)})` : ""}:`}</strong>{" "}
          {visible(result.judge_rationale)}
        </p>
      )}
      {answer && (
        <details className="ksi-more">
          <summary>The answer</summary>
          <pre className="ksi-words">{visible(answer)}</pre>
        </details>
      )}
    </li>
  );
}

export function Runs({ results }: { results: Result[] }): React.JSX.Element {
  const first = results[0];
  if (!first) return <p className="ksi-muted ksi-inside">Its runs are not shown here.</p>;
  const { input } = parsed<{ input?: string }>(first.scenario_snapshot, {});
  const ordered = [...results].sort((a, b) => a.arm.localeCompare(b.arm) || a.repeat - b.repeat);
  return (
    <div className="ksi-inside">
      {input && (
        <>
          <div className="ksi-muted">Asked, {many(results.length, "run")}:</div>
          <pre className="ksi-words">{visible(input)}</pre>
        </>
      )}
      <ul className="ksi-runs">
        {ordered.map((one) => (
          <Run key={one.id} result={one} />
        ))}
      </ul>
    </div>
  );
}
