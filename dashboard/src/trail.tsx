// What happened so far: each step of one experiment, with who took it and why.
import * as React from "react";
import { Ago, StateBadge, visible } from "./parts";
import type { Transition } from "./shapes";

function by(step: Transition): string {
  const { actor, principal } = step;
  return visible(principal && principal !== actor ? `${actor ?? ""} (${principal})` : (actor ?? ""));
}

export function Trail({ transitions }: { transitions: Transition[] }): React.JSX.Element {
  return (
    <section aria-label="What happened">
      <h3>What happened</h3>
      <ol className="ksi-trail">
        {transitions.map((step) => (
          <li key={step.id}>
            <StateBadge state={step.to_state} /> <span>{by(step)}</span>{" "}
            <span className="ksi-muted">
              <Ago at={step.created_at} />
            </span>
            {step.reason && <div className="ksi-muted">{visible(step.reason)}</div>}
          </li>
        ))}
      </ol>
    </section>
  );
}
