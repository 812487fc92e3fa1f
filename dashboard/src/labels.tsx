// One result after another, without arm, verdict or reason: a person says whether the answer was good enough.
import * as React from "react";
import { toExperiment } from "./address";
import { label, unlabelled } from "./api";
import { failureOf } from "./failures";
import { useFresh } from "./hooks";
import { Loading, many, Problem, visible } from "./parts";
import type { ToLabel } from "./shapes";

const { useCallback, useState } = React;
const NOTHING = (): boolean => false;

function One({ result, said }: { result: ToLabel; said: () => void }): React.JSX.Element {
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  async function say(passed: boolean): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      await label(result.id, passed, note.trim());
      said();
    } catch (thrown) {
      setError(failureOf(thrown).text);
      setBusy(false);
    }
  }
  return (
    <article aria-busy={busy}>
      <h3>{visible(result.scenario)}</h3>
      <p className="ksi-muted">The agent was asked:</p>
      <pre className="ksi-words">{visible(result.asked)}</pre>
      <p className="ksi-muted">It answered:</p>
      <pre className="ksi-words">{visible(result.answer) || "(nothing)"}</pre>
      <div className="ksi-field">
        <label htmlFor="ksi-note">Note (may stay empty)</label>
        <input id="ksi-note" maxLength={2_000} value={note} onChange={(event) => setNote(event.target.value)} />
      </div>
      <div className="ksi-actions">
        <button type="button" className="ksi-go ksi-tone-good" disabled={busy} onClick={() => void say(true)}>
          Good enough
        </button>
        <button type="button" className="ksi-go ksi-tone-bad" disabled={busy} onClick={() => void say(false)}>
          Not good enough
        </button>
      </div>
      <Problem text={error} />
    </article>
  );
}

export function Labels({ id }: { id: number }): React.JSX.Element {
  const found = useFresh(
    useCallback(() => unlabelled(id), [id]),
    NOTHING,
  );
  const next = found.value?.results[0];
  return (
    <>
      <p className="ksi-back">
        <a href={toExperiment(id)}>← Experiment {id}</a>
      </p>
      <h2 tabIndex={-1}>Label results</h2>
      <p className="ksi-muted">
        Whether the change or today's text gave an answer, and what checks and judge said of it, is left out, so that
        nothing sways you. Thirty labels show what the judge is worth.
      </p>
      <Problem text={found.error} />
      {!found.value && !found.error && <Loading />}
      {found.value && !next && <p className="ksi-empty">Every result has a label. Thank you.</p>}
      {next && <p role="status">{many(found.value?.left ?? 0, "result")} to label.</p>}
      {next && <One key={next.id} result={next} said={found.refresh} />}
    </>
  );
}
