// What came of an evaluation, in a few words: the gate's verdict and the scores before and after.
import * as React from "react";
import { percent, visible } from "./parts";
import type { Experiment } from "./shapes";

export const PASSED = "passed";
const TONES: Record<string, string> = { [PASSED]: "good", failed: "bad", "blocked by a critical scenario": "bad" };

export function Measured({ of }: { of: Experiment }): React.JSX.Element {
  const { evaluation_status: status, verdict, baseline_score: before, offline_score: after } = of;
  if (status !== "finished") return <>{visible(status)}</>;
  return (
    <>
      {verdict && <span className={`ksi-badge ksi-tone-${TONES[verdict] ?? "unsure"}`}>{visible(verdict)}</span>}{" "}
      <span className="ksi-numbers">
        {before === null && after === null ? !verdict && status : `${percent(before)} \u2192 ${percent(after)}`}
      </span>
    </>
  );
}
