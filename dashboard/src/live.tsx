// The live window in plain sentences: what it will catch and miss, what it saw, what comes next.
import * as React from "react";
import { live } from "./api";
import { useFresh } from "./hooks";
import { Problem, Sentences, visible } from "./parts";
import { Sessions } from "./sessions";
import type { Experiment, Live } from "./shapes";
import type { Happening } from "./tail";

const { useCallback } = React;
const EVERY_MS = 20_000;

export function useLive(id: number): { found: Live | null; trouble: string | null; refresh: () => void } {
  const concerns = useCallback((one: Happening) => one.experiment_id === id || one.kind === "feedback.given", [id]);
  const { value, error, refresh } = useFresh(
    useCallback(() => live(id), [id]),
    concerns,
    EVERY_MS,
  );
  return { found: value, trouble: error, refresh };
}

function Told({ found }: { found: Live }): React.JSX.Element {
  const { planned, evidence, left_out, serving, next } = found.explanation;
  const open = found.state === "proposed" || found.state === "approved";
  return (
    <>
      {!open && (
        <p>
          <strong className="ksi-capital">{found.verdict}.</strong> {visible(found.badge)}
        </p>
      )}
      {found.contaminated && <p className="ksi-note ksi-warning">{visible(found.contaminated)}</p>}
      {!open && <Sentences title="What it saw" all={evidence} />}
      <Sentences title="What comes next" all={next} />
      <Sentences title="What it leaves out" all={left_out} />
      <Sentences title="Where the change is served" all={serving} />
      <Sentences
        title={open ? "What it would catch and miss" : "What it was planned to catch and miss"}
        all={planned}
      />
    </>
  );
}

export function LiveWindow(props: {
  experiment: Experiment;
  found: Live | null;
  trouble: string | null;
  refresh: () => void;
}): React.JSX.Element {
  const { experiment, found, trouble } = props;
  return (
    <section aria-label="Live window">
      <h3>Live window</h3>
      {found ? (
        <Told found={found} />
      ) : trouble ? (
        <p className="ksi-muted">{visible(trouble)}</p>
      ) : (
        <p className="ksi-muted">Loading…</p>
      )}
      {found && trouble && <Problem text={trouble} />}
      {found && found.sessions.length > 0 && (
        <Sessions profile={experiment.profile} sessions={found.sessions} done={props.refresh} />
      )}
    </section>
  );
}
