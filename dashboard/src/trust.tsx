// Whom and what to trust here: the reviewers with their fingerprint and its pin, and whether the audit trail is whole.
import * as React from "react";
import { health, reviewers, verifyAudit } from "./api";
import { failureOf } from "./failures";
import { useFresh } from "./hooks";
import { Ago, Loading, many, Problem, Sentences, visible, Warnings } from "./parts";
import type { Audit, Reviewers } from "./shapes";

const { useState } = React;

function pinned(found: Reviewers): string {
  if (found.pinned === null)
    return "It is pinned nowhere: the service file of the daemon would pin it (hermes ratchet install-service).";
  if (found.pinned === found.fingerprint) return "It is the one that is pinned.";
  return `It is not the one that is pinned, ${found.pinned}: nothing is applied until a person has looked at that.`;
}

function Set({ found }: { found: Reviewers }): React.JSX.Element {
  if (found.reviewers.length === 0)
    return (
      <p className="ksi-muted">
        There is none. Make one on a terminal: <code>hermes ratchet reviewer add NAME</code>
      </p>
    );
  return (
    <>
      <ul className="ksi-people">
        {found.reviewers.map((one) => (
          <li key={one.public_key}>
            <strong>{visible(one.name)}</strong>{" "}
            <span className="ksi-muted">
              since <Ago at={one.since} />, public key
            </span>
            <code className="ksi-hash">{one.public_key}</code>
          </li>
        ))}
      </ul>
      <p>
        Fingerprint of all of them together: <code className="ksi-hash">{found.fingerprint}</code>
      </p>
      <p className={found.pinned !== null && found.pinned !== found.fingerprint ? "ksi-note ksi-problem" : "ksi-muted"}>
        {pinned(found)}
      </p>
    </>
  );
}

function Verified({ found }: { found: Audit }): React.JSX.Element {
  const counted = `${many(found.checked, "step")}, ${many(found.witnesses, "anchor")}, ${many(found.contents, "stored content")} checked.`;
  return (
    <div role="status">
      <p className={`ksi-note ${found.ok ? "ksi-fine" : "ksi-problem"}`}>
        <strong>{found.ok ? "The audit trail is whole." : "The audit trail does not agree with itself."}</strong>{" "}
        {counted}
      </p>
      <Sentences
        title="What does not agree"
        all={found.breaks.map((one) => (one.transition_id ? `Step ${one.transition_id}: ${one.problem}` : one.problem))}
      />
      <Sentences title="Notes" all={found.notes} />
      <Sentences title="Could not be asked" all={found.unread} />
      <p className="ksi-muted">
        Newest link: <code className="ksi-hash">{found.head || "none"}</code>
      </p>
    </div>
  );
}

function AuditTrail(): React.JSX.Element {
  const [found, setFound] = useState<Audit | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  async function check(): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      setFound(await verifyAudit());
    } catch (thrown) {
      setError(failureOf(thrown).text);
    }
    setBusy(false);
  }
  return (
    <section aria-label="Audit trail" aria-busy={busy}>
      <h3>Audit trail</h3>
      <p className="ksi-muted">
        Checks the chain of all steps in the database. <code>hermes ratchet audit verify</code> asks the profiles'
        repositories as well.
      </p>
      <div className="ksi-actions">
        <button type="button" className="ksi-go" disabled={busy} onClick={() => void check()}>
          {busy ? "Checking\u2026" : "Check the audit trail"}
        </button>
      </div>
      <Problem text={error} />
      {found && <Verified found={found} />}
    </section>
  );
}

export function Trust(): React.JSX.Element {
  const found = useFresh(reviewers);
  const house = useFresh(health);
  return (
    <>
      <h2 tabIndex={-1}>Reviewers and audit</h2>
      <Warnings health={house.value} />
      <Problem text={found.error ?? found.value?.trouble ?? null} />
      {!found.value && !found.error && <Loading />}
      {found.value && (
        <section aria-label="Reviewers">
          <h3>Reviewers</h3>
          <p className="ksi-muted">
            {found.value.approval === "signed"
              ? "Approvals are signed by one of them."
              : "Approvals are not signed here."}{" "}
            They are added and removed on a terminal only.
          </p>
          <Set found={found.value} />
        </section>
      )}
      <AuditTrail />
    </>
  );
}
