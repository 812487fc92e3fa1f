// What a proposer model said of its change. What is suspicious about it comes first.
import * as React from "react";
import { Facts, Sentences, visible } from "./parts";
import type { ProposerSaid } from "./findings";

function Flags({ flags }: { flags: string[] }): React.JSX.Element | null {
  if (flags.length === 0) return null;
  return (
    <div className="ksi-note ksi-problem">
      <strong>Suspicious:</strong>
      <ul className="ksi-sentences">
        {flags.map((one, index) => (
          <li key={index}>{visible(one)}</li>
        ))}
      </ul>
    </div>
  );
}

export function Proposal({ said }: { said: ProposerSaid }): React.JSX.Element {
  return (
    <section aria-label="What the proposer says">
      <Flags flags={said.flags} />
      <Facts
        facts={[
          ["It believes", said.hypothesis],
          ["It expects", said.expected_effect],
          ["Proposed by the model", said.model],
        ]}
      />
      <Sentences title="It says it answers" all={said.answers.map((one) => `${one.name}: ${one.summary}`)} />
    </section>
  );
}
